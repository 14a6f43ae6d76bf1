//! The host: catch-up with its own writes, back-off, hot loops, complaints, bounds.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use actors_core::{Correlation, Effects, Machine, Mono, Now, Rng, Turn};
use actors_object::{Object, OwnerRef, Value, value};

use super::{ControllerHost, HostEffect, HostEvent, HostLimits, HostNotice};
use crate::{
    Access, Change, Controller, Item, Key, Kind, Plan, Primary, Refusal, Relations, Verdict, World,
    WriteVerb, testing::MemoryWorld,
};

const POOL: Kind = Kind::new("demo.dev/v1", "Pool");
const POD: Kind = Kind::new("v1", "Pod");

/// Keeps `spec.replicas` pods; with `flip` it undoes its own status each time; with `bad` it
/// rejects.
struct PoolController;

impl Controller for PoolController {
    fn name(&self) -> &'static str {
        "pool"
    }

    fn primary(&self) -> Primary {
        Primary::Of(POOL)
    }

    fn relations(&self) -> Relations {
        Relations::default().owns(&POD)
    }

    fn access(&self) -> Access {
        Access::reads(&[&POOL, &POD]).writes(&POD, WriteVerb::Create, &[]).writes(
            &POOL,
            WriteVerb::Status,
            &["status"],
        )
    }

    fn reconcile(&self, pool: &Object, world: &dyn World, _now: Now) -> Plan {
        if pool.bool_at(&["spec", "bad"]) == Some(true) {
            return Plan::reject("spec.bad", "must be false");
        }
        let mut plan = Plan::default();
        if let Some(seconds) = pool.i64_at(&["spec", "every"]) {
            plan.requeue(Duration::from_secs(u64::try_from(seconds).unwrap_or(1)));
        }
        if pool.bool_at(&["spec", "flip"]) == Some(true) {
            let flag = pool.bool_at(&["status", "flag"]) != Some(true);
            plan.set_status(pool, &value!({ "flag": flag }));
            return plan;
        }
        if pool.bool_at(&["spec", "steal"]) == Some(true) {
            plan.delete(pool);
        }
        let have = world.owned_by(pool.uid()).len();
        let want = usize::try_from(pool.i64_at(&["spec", "replicas"]).unwrap_or(0)).unwrap_or(0);
        for _ in have..want {
            let mut pod = Object(value!({ "apiVersion": "v1", "kind": "Pod" }));
            pod.metadata_mut().insert("generateName", format!("{}-", pool.name()));
            pod.set_namespace(pool.namespace());
            pod.set_owners(&[OwnerRef::controller(pool)]);
            plan.create(pod);
        }
        plan.set_status(pool, &value!({ "pods": have }));
        plan
    }

    fn refused(&self, pool: &Object, refusals: &[Refusal], _: &dyn World, _: Now) -> Plan {
        let mut plan = Plan::default();
        let mut status = pool.status().clone();
        status.set_path(&["refused"], refusals.len());
        plan.set_status(pool, &status);
        plan
    }
}

/// A host, the world it sees (which may lag), and the world as it is.
struct Bench {
    host: ControllerHost,
    rng: Rng,
    now: Mono,
    truth: MemoryWorld,
    seen: MemoryWorld,
    /// Applies that wait for their verdicts.
    waiting: VecDeque<(Correlation, Plan)>,
    notices: Vec<HostNotice>,
    timer: Option<Mono>,
    /// Creations that are refused, and with which cause.
    refuse: Option<&'static str>,
}

impl Bench {
    fn new(limits: HostLimits) -> Self {
        Self {
            host: ControllerHost::new(Arc::new(PoolController), limits),
            rng: Rng::from_number(1),
            now: Mono(1_000_000_000),
            truth: MemoryWorld::default(),
            seen: MemoryWorld::default(),
            waiting: VecDeque::new(),
            notices: Vec::new(),
            timer: None,
            refuse: None,
        }
    }

    fn put(&mut self, name: &str, spec: Value) {
        let object = Object(value!({
            "apiVersion": "demo.dev/v1", "kind": "Pool",
            "metadata": { "name": name, "namespace": "d" },
        }));
        let mut object = object;
        object.set_spec(spec);
        self.truth.put(object);
    }

    fn send(&mut self, event: HostEvent) {
        let mut out = Effects::default();
        let now = Now { mono: self.now, wall: actors_core::Wall(0) };
        let view: &dyn World = &self.seen;
        self.host.handle(Turn { now, rng: &mut self.rng, view }, event, &mut out);
        self.host.assert_invariants();
        for effect in out.drain() {
            match effect {
                HostEffect::Apply { plan, id, .. } => self.waiting.push_back((id, plan)),
                HostEffect::SetTimer { at } => self.timer = Some(at),
                HostEffect::Notice(notice) => self.notices.push(notice),
            }
        }
    }

    /// The replica catches up with the truth; its changes are delivered.
    fn catch_up(&mut self) {
        let known = self.seen.changes.len();
        let new: Vec<Change> = self.truth.changes[known..].to_vec();
        self.seen = self.truth.clone();
        // One by one or together: it must not matter.
        if let Some((first, others)) = new.split_first() {
            self.send(HostEvent::Changed(first.clone()));
            self.send(HostEvent::Changes(others.to_vec()));
        }
        self.send(HostEvent::Advanced);
    }

    /// Applies the oldest plan and delivers its verdicts, before the replica has seen them.
    fn answer(&mut self) -> bool {
        let Some((id, plan)) = self.waiting.pop_front() else { return false };
        let refuse = self.refuse;
        let verdicts = plan.items.iter().map(|item| match (item, refuse) {
            (Item::Create(object), Some(cause)) if object.kind() == "Pod" => {
                let (reason, message) = ("Forbidden".to_owned(), "quota exceeded".to_owned());
                let cause = cause.to_owned();
                Verdict::Refused(Refusal { item: String::new(), code: 403, reason, message, cause })
            }
            (item, _) => self.truth.apply(item),
        });
        let verdicts = verdicts.collect();
        self.send(HostEvent::PlanDone { id, verdicts });
        true
    }

    /// The oldest plan finds nobody who may write just now.
    fn refuse_for_now(&mut self) {
        let (id, plan) = self.waiting.pop_front().expect("a plan");
        let refused = |item: &Item| {
            Verdict::Refused(Refusal {
                item: item.to_string(),
                code: 503,
                reason: "ServiceUnavailable".into(),
                message: "no leader".into(),
                cause: String::new(),
            })
        };
        let verdicts = plan.items.iter().map(refused).collect();
        self.send(HostEvent::PlanDone { id, verdicts });
    }

    fn pods(&self) -> usize {
        self.truth.list(&POD, None).len()
    }

    fn pass(&mut self, span: Duration) {
        let end = self.now.after(span);
        while let Some(at) = self.timer.filter(|at| *at <= end) {
            self.timer = None;
            self.now = at.max(self.now);
            self.send(HostEvent::Timer);
            while self.answer() {
                self.catch_up();
            }
        }
        self.now = end;
    }
}

#[test]
fn a_key_is_looked_at_again_only_when_the_world_shows_its_own_writes() {
    let mut bench = Bench::new(HostLimits::default());
    bench.put("p", value!({ "replicas": 3 }));
    bench.catch_up();
    assert!(bench.answer());
    assert_eq!(bench.pods(), 3);
    // The replica lags: whatever wakes the key, no second plan may be made.
    bench.send(HostEvent::Resync);
    bench.send(HostEvent::Advanced);
    assert!(bench.waiting.is_empty());
    assert!(bench.host.waits_for().is_some());
    bench.catch_up();
    while bench.answer() {
        bench.catch_up();
    }
    assert_eq!(bench.pods(), 3);
    assert!(bench.host.is_quiet());
    assert_eq!(bench.host.keys_len(), 0);
}

#[test]
fn a_change_during_a_plan_is_looked_at_after_it() {
    let mut bench = Bench::new(HostLimits::default());
    bench.put("p", value!({ "replicas": 1 }));
    bench.catch_up();
    bench.truth.change(&Key::new(&POOL, "d", "p"), |pool| pool.set_path(&["spec", "replicas"], 2));
    bench.catch_up();
    assert_eq!(bench.waiting.len(), 1);
    while bench.answer() {
        bench.catch_up();
    }
    assert_eq!(bench.pods(), 2);
}

#[test]
fn refused_items_are_told_and_tried_again_with_growing_waits() {
    let mut bench = Bench::new(HostLimits::default());
    bench.put("p", value!({ "replicas": 1 }));
    bench.refuse = Some("");
    bench.catch_up();
    while bench.answer() {
        bench.catch_up();
    }
    bench.pass(Duration::from_secs(3));
    let event = bench.truth.list(&crate::EVENT, None).pop().expect("an event");
    assert_eq!(event.str_at(&["reason"]), Some("FailedCreate"));
    assert_eq!(event.str_at(&["message"]), Some("create Pod/p-*: quota exceeded"));
    assert_eq!(event.str_at(&["source", "component"]), Some("pool-controller"));
    let tries = event.i64_at(&["count"]).unwrap_or(0);
    assert!((4..=12).contains(&tries), "20 ms doubling gives about eight tries in 3 s: {tries}");
    let pool = bench.truth.get(&POOL, "d", "p").expect("the pool");
    assert_eq!(pool.i64_at(&["status", "refused"]), None, "the controller's own status wins later");
    bench.refuse = None;
    bench.pass(Duration::from_secs(10));
    assert_eq!(bench.pods(), 1);
}

#[test]
fn a_cluster_that_cannot_write_is_not_complained_about() {
    let mut bench = Bench::new(HostLimits::default());
    bench.put("p", value!({ "replicas": 1 }));
    bench.catch_up();
    bench.refuse_for_now();
    assert!(bench.waiting.is_empty(), "no event is sent");
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.pods(), 1);
}

#[test]
fn after_a_long_outage_all_goes_on_within_a_second_or_at_once_with_a_resync() {
    let mut bench = Bench::new(HostLimits::default());
    bench.put("p", value!({ "replicas": 1 }));
    bench.catch_up();
    for _ in 0..30 {
        bench.refuse_for_now();
        let due = bench.timer.take().expect("another try");
        assert!(due.since(bench.now) <= Duration::from_secs(1), "{due:?}");
        bench.now = due;
        bench.send(HostEvent::Timer);
    }
    bench.refuse_for_now();
    bench.send(HostEvent::Resync);
    assert!(bench.answer());
    assert_eq!(bench.pods(), 1);
}

#[test]
fn nothing_is_tried_again_in_a_namespace_that_is_going_away() {
    let mut bench = Bench::new(HostLimits::default());
    bench.put("p", value!({ "replicas": 1 }));
    bench.refuse = Some("NamespaceTerminating");
    bench.catch_up();
    while bench.answer() {
        bench.catch_up();
    }
    bench.pass(Duration::from_secs(60));
    assert_eq!(bench.pods(), 0);
    assert!(bench.truth.list(&crate::EVENT, None).is_empty());
}

#[test]
fn a_hot_loop_is_parked_told_and_ends_with_the_next_generation() {
    let limits = HostLimits { repeats_per_minute: 10, ..HostLimits::default() };
    let mut bench = Bench::new(limits);
    bench.put("p", value!({ "flip": true }));
    bench.catch_up();
    let mut plans = 0;
    while bench.answer() && plans < 100 {
        bench.catch_up();
        plans += 1;
    }
    assert!(plans < 20, "{plans} plans before the key was parked");
    assert!(matches!(bench.notices.as_slice(), [HostNotice::Parked { .. }]));
    let event = bench.truth.list(&crate::EVENT, None).pop().expect("an event");
    assert_eq!(event.str_at(&["reason"]), Some("HotLoop"));
    bench.truth.change(&Key::new(&POOL, "d", "p"), |pool| pool.set_spec(value!({ "replicas": 1 })));
    bench.catch_up();
    while bench.answer() {
        bench.catch_up();
    }
    assert_eq!(bench.pods(), 1);
}

#[test]
fn a_rejection_is_told_once_for_each_look_and_not_retried() {
    let mut bench = Bench::new(HostLimits::default());
    bench.put("p", value!({ "bad": true }));
    bench.catch_up();
    while bench.answer() {
        bench.catch_up();
    }
    bench.pass(Duration::from_secs(60));
    let event = bench.truth.list(&crate::EVENT, None).pop().expect("an event");
    assert_eq!(event.str_at(&["message"]), Some("spec.bad: must be false"));
    assert_eq!(event.i64_at(&["count"]), Some(1));
}

#[test]
fn an_undeclared_write_is_left_out_and_told() {
    let mut bench = Bench::new(HostLimits::default());
    bench.put("p", value!({ "steal": true }));
    bench.catch_up();
    while bench.answer() {
        bench.catch_up();
    }
    assert!(bench.truth.get(&POOL, "d", "p").is_some());
    assert!(matches!(bench.notices.first(), Some(HostNotice::Undeclared { .. })));
}

#[test]
fn requeue_looks_again_after_its_time() {
    let mut bench = Bench::new(HostLimits::default());
    bench.put("p", value!({ "every": 5 }));
    bench.catch_up();
    while bench.answer() {
        bench.catch_up();
    }
    let before = bench.host.traces().iter().count();
    bench.pass(Duration::from_secs(21));
    assert_eq!(bench.host.traces().iter().count() - before, 4);
}

#[test]
fn keys_beyond_the_bound_are_found_by_a_resync() {
    let limits = HostLimits { keys: 4, running: 2, runs_per_turn: 1, ..HostLimits::default() };
    let mut bench = Bench::new(limits);
    for number in 0..20 {
        bench.put(&format!("p-{number:02}"), value!({ "replicas": 1 }));
    }
    bench.seen = bench.truth.clone();
    bench.send(HostEvent::Resync);
    bench.pass(Duration::from_secs(5));
    assert_eq!(bench.pods(), 20);
    assert!(bench.notices.contains(&HostNotice::Overflow));
}

#[test]
fn the_trace_says_why() {
    let mut bench = Bench::new(HostLimits::default());
    bench.put("p", value!({ "replicas": 1 }));
    bench.catch_up();
    while bench.answer() {
        bench.catch_up();
    }
    let key = Key::new(&POOL, "d", "p");
    let first = bench.host.why(&key).next().expect("a trace").clone();
    assert_eq!(
        first.causes.first().map(ToString::to_string).as_deref(),
        Some("Pool/d/p changed at 1")
    );
    assert_eq!(first.plan, ["create Pod/p-*", "status Pool/p pods=0"]);
    assert_eq!(first.outcome, ["create Pod/p-*: done at 2", "status Pool/p pods=0: done at 3"]);
}
