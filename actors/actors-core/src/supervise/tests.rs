//! Scripts for the supervisor: what it is told, and everything it wants done.

use std::time::Duration;

use expect_test::{Expect, expect};

use crate::{
    AutoShutdown, Backoff, ChildSpec, Effects, ExitReason, Incarnation, Intensity, Machine, Mono,
    Now, OnLimit, Rng, Strategy, SupervisorEffect, SupervisorEvent, SupervisorMachine,
    SupervisorNotice, TreeSpec, Turn,
};

struct Script {
    machine: SupervisorMachine,
    rng: Rng,
    now: Now,
    trace: String,
}

impl Script {
    fn new(on_limit: OnLimit, children: Vec<ChildSpec>) -> Self {
        let intensity = Intensity { restarts: 2, period: Duration::from_secs(10) };
        let (strategy, auto_shutdown) = (Strategy::OneForOne, AutoShutdown::Never);
        Self::of(TreeSpec {
            name: "root".into(),
            intensity,
            on_limit,
            children,
            strategy,
            auto_shutdown,
        })
    }

    fn of(spec: TreeSpec) -> Self {
        assert_eq!(spec.validate(), Ok(()));
        let machine = SupervisorMachine::new(spec);
        let mut script =
            Self { machine, rng: Rng::from_number(1), now: Now::default(), trace: String::new() };
        script.tell(SupervisorEvent::Start);
        script
    }

    fn tell(&mut self, event: SupervisorEvent) {
        let mut out = Effects::default();
        self.machine.handle(Turn { now: self.now, rng: &mut self.rng, view: &() }, event, &mut out);
        self.machine.assert_invariants();
        for effect in out.drain() {
            self.trace.push_str(&line(&effect));
            if let SupervisorEffect::Wait { name, incarnation, at } = effect {
                self.now.mono = at;
                self.tell(SupervisorEvent::Waited { name, incarnation });
            }
        }
    }

    fn exit(&mut self, name: &str, incarnation: u64, reason: ExitReason) {
        let incarnation = Incarnation(incarnation);
        self.tell(SupervisorEvent::Exited { name: name.into(), incarnation, reason });
    }

    fn check(&self, expected: Expect) {
        expected.assert_eq(&self.trace);
    }
}

fn line(effect: &SupervisorEffect) -> String {
    match effect {
        SupervisorEffect::Start { spec, incarnation } => {
            format!("start {}#{}\n", spec.name, incarnation.0)
        }
        SupervisorEffect::Stop { name, within } => format!("stop {name} within {within:?}\n"),
        SupervisorEffect::Forget { name } => format!("forget {name}\n"),
        SupervisorEffect::Wait { name, at: Mono(at), .. } => {
            format!("wait {name} until {} ms\n", at / 1_000_000)
        }
        SupervisorEffect::Notify(SupervisorNotice::Restarting { name, reason, after }) => {
            format!("notify {name} restarts after {after:?}: {reason:?}\n")
        }
        SupervisorEffect::Notify(SupervisorNotice::Parked { name, reason }) => {
            format!("notify {name} parked: {reason:?}\n")
        }
        SupervisorEffect::Notify(SupervisorNotice::Ended { name, reason }) => {
            format!("notify {name} ended: {reason:?}\n")
        }
        SupervisorEffect::Notify(SupervisorNotice::Escalated { name, reason }) => {
            format!("notify {name} escalated: {reason:?}\n")
        }
        SupervisorEffect::Notify(
            SupervisorNotice::Suspended { name }
            | SupervisorNotice::Resumed { name }
            | SupervisorNotice::Slow { name, .. },
        ) => format!("notify {name}: only hosts say this\n"),
        SupervisorEffect::End(reason) => format!("end {reason:?}\n"),
    }
}

fn child(name: &str) -> ChildSpec {
    let exact = Backoff { jitter_percent: 0, ..Backoff::default() };
    ChildSpec::permanent(name).backoff(exact)
}

fn boom() -> ExitReason {
    ExitReason::Panic("boom".into())
}

#[test]
fn one_child_restarts_and_its_sibling_does_not() {
    let mut script = Script::new(OnLimit::Escalate, vec![child("a"), child("b")]);
    script.exit("a", 1, boom());
    script.exit("a", 2, boom());
    script.check(expect![[r#"
        start a#1
        start b#1
        notify a restarts after 100ms: Panic("boom")
        wait a until 100 ms
        start a#2
        notify a restarts after 200ms: Panic("boom")
        wait a until 300 ms
        start a#3
    "#]]);
}

#[test]
fn too_many_failures_escalate_and_stop_the_siblings_in_reverse_order() {
    let mut script = Script::new(OnLimit::Escalate, vec![child("a"), child("b"), child("c")]);
    for life in 1..=3 {
        script.exit("b", life, boom());
    }
    script.exit("c", 1, ExitReason::Shutdown);
    script.exit("a", 1, ExitReason::Shutdown);
    script.check(expect![[r#"
        start a#1
        start b#1
        start c#1
        notify b restarts after 100ms: Panic("boom")
        wait b until 100 ms
        start b#2
        notify b restarts after 200ms: Panic("boom")
        wait b until 300 ms
        start b#3
        notify b escalated: Panic("boom")
        forget b
        stop c within 5s
        forget c
        stop a within 5s
        forget a
        end Error("b failed too often")
    "#]]);
}

#[test]
fn a_parked_child_leaves_its_siblings_alone_and_can_be_unparked() {
    let mut script = Script::new(OnLimit::Park, vec![child("a"), child("b")]);
    for life in 1..=3 {
        script.exit("a", life, boom());
    }
    assert_eq!(script.machine.parked().collect::<Vec<_>>(), ["a"]);
    script.tell(SupervisorEvent::Unpark("a".into()));
    assert_eq!(script.machine.parked().count(), 0);
    script.check(expect![[r#"
        start a#1
        start b#1
        notify a restarts after 100ms: Panic("boom")
        wait a until 100 ms
        start a#2
        notify a restarts after 200ms: Panic("boom")
        wait a until 300 ms
        start a#3
        notify a parked: Panic("boom")
        start a#4
    "#]]);
}

#[test]
fn an_operators_kills_never_count() {
    let mut script = Script::new(OnLimit::Escalate, vec![child("a")]);
    for life in 1..=20 {
        script.exit("a", life, ExitReason::Killed);
    }
    assert_eq!(script.machine.restarts().collect::<Vec<_>>(), [("a", 20)]);
    assert!(!script.trace.contains("escalated"), "{}", script.trace);
}

#[test]
fn transient_and_temporary_children_end() {
    let quiet = ChildSpec { name: "t".into(), ..ChildSpec::transient("t") };
    let mut script = Script::new(OnLimit::Escalate, vec![quiet, ChildSpec::temporary("x")]);
    script.exit("t", 1, ExitReason::Normal);
    script.exit("x", 1, boom());
    assert_eq!(script.machine.restarts().count(), 0);
    script.tell(SupervisorEvent::Shutdown);
    script.check(expect![[r#"
        start t#1
        start x#1
        forget t
        notify x ended: Panic("boom")
        forget x
        end Shutdown
    "#]]);
}

#[test]
fn the_end_of_an_older_life_is_no_news() {
    let mut script = Script::new(OnLimit::Escalate, vec![child("a")]);
    script.exit("a", 1, boom());
    let before = script.trace.clone();
    script.exit("a", 1, boom());
    assert_eq!(script.trace, before);
}

#[test]
fn failures_before_the_period_are_forgotten() {
    let mut script = Script::new(OnLimit::Escalate, vec![child("a")]);
    // Two within ten seconds are allowed; with six seconds between them, there are never three.
    for life in 1..=1_000 {
        script.now.mono = script.now.mono.after(Duration::from_secs(6));
        script.exit("a", life, boom());
    }
    assert_eq!(script.machine.restarts().collect::<Vec<_>>(), [("a", 1_000)]);
    assert!(!script.trace.contains("escalated"));
    for life in 1_001..=1_003 {
        script.exit("a", life, boom());
    }
    assert!(script.trace.contains("escalated"));
}
