//! The supervisor against an independent model of what OTP's documentation says, and against itself in any order.
//!
//! Way in: [`Otp`], the model: it blocks until a restart is over, as OTP's supervisor does.  Spec: OTP's
//! `supervisor(3)` and Design Principles, "Supervisor Behaviour".
//! A deviation planted in the model must be found, for each restart type and each reason: so the test sees all of them.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    AutoShutdown, Backoff, ChildSpec, Effects, ExitReason, Incarnation, Intensity, Machine, Mono,
    Now, OnLimit, Restart, Rng, Strategy, SupervisorEffect, SupervisorEvent, SupervisorMachine,
    TreeSpec, Turn,
};

const RESTARTS: [Restart; 3] = [Restart::Permanent, Restart::Transient, Restart::Temporary];

fn reasons() -> [ExitReason; 6] {
    [
        ExitReason::Normal,
        ExitReason::Shutdown,
        ExitReason::Error("e".into()),
        ExitReason::Panic("p".into()),
        ExitReason::Killed,
        ExitReason::Lost("l".into()),
    ]
}

/// OTP's supervisor, from its documentation.
struct Otp {
    spec: TreeSpec,
    children: Vec<Kid>,
    restarts: Vec<u64>,
    log: Vec<String>,
    is_over: bool,
    /// A restart type and a reason for which the model does the opposite.
    planted: Option<(Restart, ExitReason)>,
}

struct Kid {
    spec: ChildSpec,
    is_alive: bool,
}

impl Otp {
    fn new(spec: TreeSpec, planted: Option<(Restart, ExitReason)>) -> Self {
        let mut otp =
            Self { children: vec![], restarts: vec![], log: vec![], is_over: false, planted, spec };
        otp.spec.children.clone().into_iter().for_each(|child| otp.start_child(child));
        otp
    }

    fn start_child(&mut self, spec: ChildSpec) {
        if !self.is_over && self.children.iter().all(|kid| kid.spec.name != spec.name) {
            self.log.push(format!("start {}", spec.name));
            self.children.push(Kid { spec, is_alive: true });
        }
    }

    fn delete_child(&mut self, name: &str) {
        if let Some(at) = self.children.iter().position(|kid| kid.spec.name == name) {
            self.terminate(at);
            self.children.remove(at);
        }
    }

    fn terminate(&mut self, at: usize) {
        if std::mem::take(&mut self.children[at].is_alive) {
            self.log.push(format!("stop {}", self.children[at].spec.name));
        }
    }

    /// "All children are terminated, last started first."
    fn end(&mut self, why: &str) {
        (0..self.children.len()).rev().for_each(|at| self.terminate(at));
        self.children.clear();
        self.log.push(format!("end {why}"));
        self.is_over = true;
    }

    fn exit(&mut self, name: &str, reason: &ExitReason, at_ms: u64) {
        let Some(at) = self.children.iter().position(|kid| kid.spec.name == name) else { return };
        self.children[at].is_alive = false;
        let restart = self.children[at].spec.restart;
        // "A transient child process is restarted only if it terminates abnormally, that is, with another exit reason
        // than normal, shutdown, or {shutdown,Term}."
        let abnormal = !matches!(reason, ExitReason::Normal | ExitReason::Shutdown);
        let documented = match restart {
            Restart::Permanent => true,
            Restart::Transient => abnormal,
            Restart::Temporary => false,
        };
        let is_planted =
            self.planted.as_ref().is_some_and(|(r, why)| *r == restart && why == reason);
        match documented != is_planted {
            true => self.restart(at, reason, at_ms),
            false => self.leave(at),
        }
    }

    fn restart(&mut self, at: usize, reason: &ExitReason, at_ms: u64) {
        // Ours: what an operator kills is not counted.
        if *reason != ExitReason::Killed {
            self.restarts.push(at_ms);
            let (max, period) = (self.spec.intensity.restarts, self.spec.intensity.period);
            let is_within = |then: &&u64| u128::from(at_ms - **then) <= period.as_millis();
            // "If more than MaxR restarts occur in the last MaxT seconds, the supervisor terminates all the child
            // processes and then itself."
            if self.restarts.iter().filter(is_within).count() > max as usize {
                return self.end("failed");
            }
        }
        let first = match self.spec.strategy {
            Strategy::OneForOne => {
                self.log.push(format!("start {}", self.children[at].spec.name));
                self.children[at].is_alive = true;
                return;
            }
            Strategy::OneForAll => 0,
            Strategy::RestForOne => at,
        };
        (first..self.children.len()).rev().for_each(|at| self.terminate(at));
        let name = self.children[at].spec.name.clone();
        // "A temporary child process is never restarted, even when the supervisor's restart strategy is rest_for_one
        // or one_for_all and a sibling's death causes the temporary process to be terminated."
        let stays = |index: usize, kid: &Kid| {
            index < first || kid.spec.restart != Restart::Temporary || kid.spec.name == name
        };
        let mut index = 0;
        self.children.retain(|kid| {
            index += 1;
            stays(index - 1, kid)
        });
        for kid in &mut self.children[first..] {
            kid.is_alive = true;
            self.log.push(format!("start {}", kid.spec.name));
        }
    }

    fn leave(&mut self, at: usize) {
        let spec = self.children[at].spec.clone();
        // OTP keeps a transient child's specification; under one-for-one only `restart_child` would show it.
        if spec.restart == Restart::Temporary || self.spec.strategy == Strategy::OneForOne {
            self.children.remove(at);
        }
        // "any_significant: the supervisor will automatically shut down when any significant child terminates, that
        // is, when a transient significant child terminates normally or when a temporary significant child terminates
        // normally or abnormally. all_significant: [...] when all significant children have terminated."
        let others = self.children.iter().any(|kid| kid.spec.significant && kid.is_alive);
        let ends = match self.spec.auto_shutdown {
            AutoShutdown::Never => false,
            AutoShutdown::AnySignificant => spec.significant,
            AutoShutdown::AllSignificant => spec.significant && !others,
        };
        if ends {
            self.end("shutdown");
        }
    }
}

/// Our machine, whose children stop as soon as they are asked and start as soon as they are due.
struct Ours {
    machine: SupervisorMachine,
    rng: Rng,
    now: Now,
    lives: BTreeMap<String, Incarnation>,
    log: Vec<String>,
    is_over: bool,
}

impl Ours {
    fn new(spec: TreeSpec) -> Self {
        let mut ours = Self {
            machine: SupervisorMachine::new(spec),
            rng: Rng::from_number(1),
            now: Now::default(),
            lives: BTreeMap::new(),
            log: Vec::new(),
            is_over: false,
        };
        ours.tell(SupervisorEvent::Start);
        ours
    }

    fn tell(&mut self, event: SupervisorEvent) {
        let mut out = Effects::default();
        self.machine.handle(Turn { now: self.now, rng: &mut self.rng, view: &() }, event, &mut out);
        self.machine.assert_invariants();
        for effect in out.drain() {
            match effect {
                SupervisorEffect::Start { spec, incarnation } => {
                    self.log.push(format!("start {}", spec.name));
                    let before = self.lives.insert(spec.name.clone(), incarnation);
                    assert_eq!(before, None, "{}: two lives at once", spec.name);
                }
                SupervisorEffect::Stop { name, .. } => {
                    self.log.push(format!("stop {name}"));
                    self.exit(&name, ExitReason::Shutdown);
                }
                SupervisorEffect::Wait { name, incarnation, .. } => {
                    self.tell(SupervisorEvent::Waited { name, incarnation });
                }
                SupervisorEffect::End(reason) => {
                    let why = if reason.is_clean() { "shutdown" } else { "failed" };
                    self.log.push(format!("end {why}"));
                    self.is_over = true;
                }
                SupervisorEffect::Forget { .. } | SupervisorEffect::Notify(_) => {}
            }
        }
    }

    fn exit(&mut self, name: &str, reason: ExitReason) {
        if let Some(incarnation) = self.lives.remove(name) {
            self.tell(SupervisorEvent::Exited { name: name.to_owned(), incarnation, reason });
        }
    }
}

fn child(name: &str, auto: AutoShutdown, rng: &mut Rng) -> ChildSpec {
    let restart = rng.pick(&RESTARTS).copied().unwrap_or(Restart::Permanent);
    let at_once =
        Backoff { initial: Duration::ZERO, max: Duration::from_millis(1), jitter_percent: 0 };
    let can_matter = restart != Restart::Permanent && auto != AutoShutdown::Never;
    let spec = ChildSpec { restart, ..ChildSpec::permanent(name) }.backoff(at_once);
    ChildSpec { significant: can_matter && rng.chance(400_000), ..spec }
}

fn any_tree(rng: &mut Rng) -> TreeSpec {
    let strategies = [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne];
    let autos = [AutoShutdown::Never, AutoShutdown::AnySignificant, AutoShutdown::AllSignificant];
    let auto_shutdown = rng.pick(&autos).copied().unwrap_or_default();
    let names = &["a", "b", "c", "d"][..usize::try_from(rng.between(1, 4)).unwrap_or(1)];
    TreeSpec {
        name: "root".into(),
        intensity: Intensity {
            restarts: u32::try_from(rng.below(4)).unwrap_or(0),
            period: Duration::from_millis(rng.between(1, 40)),
        },
        on_limit: OnLimit::Escalate,
        children: names.iter().map(|name| child(name, auto_shutdown, rng)).collect(),
        strategy: rng.pick(&strategies).copied().unwrap_or_default(),
        auto_shutdown,
    }
}

/// Runs one seed through both; the first difference, if there is one.
fn difference(seed: u64, planted: Option<(Restart, ExitReason)>) -> Option<String> {
    let mut rng = Rng::from_number(seed);
    let spec = any_tree(&mut rng);
    assert_eq!(spec.validate(), Ok(()), "seed {seed}");
    let mut otp = Otp::new(spec.clone(), planted);
    let mut ours = Ours::new(spec.clone());
    for step in 0..20 {
        ours.now.mono = Mono(ours.now.mono.0 + rng.below(20) * 1_000_000);
        let name = (*rng.pick(&["a", "b", "c", "d", "e"]).unwrap_or(&"a")).to_owned();
        match rng.below(20) {
            0 => {
                otp.delete_child(&name);
                ours.tell(SupervisorEvent::Remove(name));
            }
            1..3 => {
                let added = child(&name, spec.auto_shutdown, &mut rng);
                otp.start_child(added.clone());
                ours.tell(SupervisorEvent::Add(added));
            }
            3 if step > 10 => {
                otp.end("shutdown");
                ours.tell(SupervisorEvent::Shutdown);
            }
            _ if ours.lives.contains_key(&name) => {
                let reason = rng.pick(&reasons()).cloned().unwrap_or(ExitReason::Normal);
                otp.exit(&name, &reason, ours.now.mono.as_millis());
                ours.exit(&name, reason);
            }
            _ => {}
        }
        if otp.log != ours.log {
            return Some(format!("seed {seed}: {spec:?}\nOTP  {:?}\nours {:?}", otp.log, ours.log));
        }
        if otp.is_over || ours.is_over {
            break;
        }
    }
    None
}

#[test]
fn every_run_is_the_one_that_otp_documents() {
    for seed in 0..20_000 {
        assert_eq!(difference(seed, None), None);
    }
}

#[test]
fn a_deviation_planted_for_any_restart_type_and_reason_is_found() {
    for restart in RESTARTS {
        for reason in reasons() {
            let found = (0..2_000).find(|seed| {
                let planted = Some((restart, reason.clone()));
                difference(*seed, planted).is_some()
            });
            assert!(found.is_some(), "{restart:?} and {reason:?}: the deviation was not seen");
        }
    }
}

/// Answers to effects, given in any order: stops take their time, children end by themselves meanwhile.
#[test]
fn in_any_order_of_events_lives_never_overlap_and_it_settles() {
    for seed in 0..5_000 {
        let mut rng = Rng::from_number(seed).derive("order");
        let spec = any_tree(&mut rng);
        let of_group = spec.strategy != Strategy::OneForOne;
        let kinds: BTreeMap<_, _> =
            spec.children.iter().map(|child| (child.name.clone(), child.restart)).collect();
        let mut machine = SupervisorMachine::new(spec);
        let mut lives: BTreeMap<String, Incarnation> = BTreeMap::new();
        let mut pending: Vec<SupervisorEvent> = vec![SupervisorEvent::Start];
        let (mut now, mut ended, mut steps) = (Now::default(), 0, 0);
        while !pending.is_empty() {
            steps += 1;
            assert!(steps < 1_000, "seed {seed}: it does not settle");
            let at = usize::try_from(rng.below(pending.len() as u64)).unwrap_or(0);
            let mut event = pending.swap_remove(at);
            now.mono = now.mono.after(Duration::from_millis(rng.below(10)));
            if let SupervisorEvent::Exited { name, incarnation, .. } = &event {
                // The life may have ended by itself before.
                if lives.get(name) != Some(incarnation) {
                    continue;
                }
                lives.remove(name);
            } else if steps < 40 && rng.chance(500_000) {
                let one = lives.iter().next_back().map(|(name, life)| (name.clone(), *life));
                if let Some((name, incarnation)) = one {
                    let reason = rng.pick(&reasons()).cloned().unwrap_or(ExitReason::Normal);
                    pending.push(std::mem::replace(
                        &mut event,
                        SupervisorEvent::Exited { name: name.clone(), incarnation, reason },
                    ));
                    lives.remove(&name);
                }
            }
            let mut out = Effects::default();
            machine.handle(Turn { now, rng: &mut rng, view: &() }, event, &mut out);
            machine.assert_invariants();
            for effect in out.drain() {
                assert_eq!(ended, 0, "seed {seed}: {effect:?} after the end");
                match effect {
                    SupervisorEffect::Start { spec, incarnation } => {
                        let before = lives.insert(spec.name.clone(), incarnation);
                        assert_eq!(before, None, "seed {seed}: {} lives twice", spec.name);
                    }
                    SupervisorEffect::Stop { name, .. } => {
                        let incarnation = lives.get(&name).copied().unwrap_or_default();
                        let reason = ExitReason::Shutdown;
                        pending.push(SupervisorEvent::Exited { name, incarnation, reason });
                    }
                    SupervisorEffect::Wait { name, incarnation, .. } => {
                        pending.push(SupervisorEvent::Waited { name, incarnation });
                    }
                    SupervisorEffect::End(_) => {
                        ended += 1;
                        assert!(lives.is_empty(), "seed {seed}: it ended before {lives:?}");
                    }
                    SupervisorEffect::Forget { .. } | SupervisorEffect::Notify(_) => {}
                }
            }
        }
        // All that it knows lives, but for transient children that wait for their group.
        for name in machine.children().filter(|name| !lives.contains_key(*name)) {
            let may_rest = of_group && kinds.get(name) == Some(&Restart::Transient);
            assert!(may_rest, "seed {seed}: {name} was forgotten");
        }
        assert!(ended == 1 || machine.children().count() >= lives.len(), "seed {seed}");
    }
}
