//! The scheduler as a whole: batches, refusals, explanations, waits.

use std::{collections::VecDeque, time::Duration};

use actors_controller::{Change, Item, Key, Plan, Refusal, Verdict, World, testing::MemoryWorld};
use actors_core::{Correlation, Effects, Machine, Mono, Now, Rng, Turn, Wall};
use actors_object::{Object, value};

use super::{NODE, POD, SchedulerEffect, SchedulerEvent, SchedulerLimits, SchedulerMachine};
use crate::{
    PodKey,
    scenery::{node, pod, with},
};

/// A scheduler over a world; plans are applied when the test says so.
pub(super) struct Bench {
    pub(super) machine: SchedulerMachine,
    pub(super) world: MemoryWorld,
    pub(super) now: Mono,
    pub(super) waiting: VecDeque<(Correlation, Plan)>,
    rng: Rng,
    delivered: usize,
    timer: Option<Mono>,
    /// Bindings that are refused, by chance in a million.
    pub(super) refuse: u32,
    /// With which code.
    code: u16,
}

impl Bench {
    pub(super) fn new(seed: u64) -> Self {
        let mut bench = Self {
            machine: SchedulerMachine::new(SchedulerLimits::default()),
            world: MemoryWorld::default(),
            now: Mono(1_000_000_000),
            waiting: VecDeque::new(),
            rng: Rng::from_number(seed),
            delivered: 0,
            timer: None,
            refuse: 0,
            code: 409,
        };
        bench.send(SchedulerEvent::Resync);
        bench
    }

    pub(super) fn send(&mut self, event: SchedulerEvent) {
        let mut out = Effects::default();
        let now = Now { mono: self.now, wall: Wall(0) };
        let view: &dyn World = &self.world;
        self.machine.handle(Turn { now, rng: &mut self.rng, view }, event, &mut out);
        self.machine.assert_invariants();
        for effect in out.drain() {
            match effect {
                SchedulerEffect::Apply { plan, id } => self.waiting.push_back((id, plan)),
                SchedulerEffect::SetTimer { at } => self.timer = Some(at),
            }
        }
    }

    /// Delivers what has changed.
    pub(super) fn deliver(&mut self) {
        while let Some(change) = self.world.changes.get(self.delivered).cloned() {
            self.delivered += 1;
            let change: Change = change;
            self.send(SchedulerEvent::Changed(change));
        }
    }

    pub(super) fn put(&mut self, object: Object) {
        self.world.put(object);
        self.deliver();
    }

    /// Applies one plan; its verdicts come before the changes that it made.
    pub(super) fn answer(&mut self) -> bool {
        let Some((id, plan)) = self.waiting.pop_front() else { return false };
        let mut verdicts = Vec::new();
        for item in &plan.items {
            let refused = matches!(item, Item::Bind { .. }) && self.rng.chance(self.refuse);
            verdicts.push(if refused {
                Verdict::Refused(Refusal {
                    item: item.to_string(),
                    code: self.code,
                    reason: "Conflict".into(),
                    message: "refused".into(),
                    cause: String::new(),
                })
            } else {
                self.world.apply(item)
            });
        }
        self.send(SchedulerEvent::PlanDone { id, verdicts });
        self.deliver();
        true
    }

    pub(super) fn settle(&mut self) {
        while self.answer() || self.timer.is_some_and(|at| at <= self.now) {
            if self.timer.take_if(|at| *at <= self.now).is_some() {
                self.send(SchedulerEvent::Timer);
            }
        }
    }

    pub(super) fn pass(&mut self, span: Duration) {
        let end = self.now.after(span);
        self.settle();
        while let Some(at) = self.timer.filter(|at| *at <= end) {
            self.timer = None;
            self.now = self.now.max(at);
            self.send(SchedulerEvent::Timer);
            self.settle();
        }
        self.now = end;
    }

    pub(super) fn node_of(&self, name: &str) -> Option<String> {
        let pod = self.world.get(&POD, "d", name)?;
        pod.str_at(&["spec", "nodeName"]).map(str::to_owned)
    }

    fn event(&self, reason: &str) -> Option<String> {
        let events = self.world.list(&actors_controller::EVENT, None);
        let found = events.iter().find(|event| event.str_at(&["reason"]) == Some(reason));
        found.and_then(|event| event.str_at(&["message"])).map(str::to_owned)
    }
}

fn key(name: &str) -> PodKey {
    PodKey { namespace: "d".into(), name: name.into() }
}

#[test]
fn a_pod_is_bound_and_an_event_says_so() {
    let mut bench = Bench::new(1);
    bench.put(node("n1", "z1"));
    bench.put(pod("p", "web", "1"));
    bench.settle();
    assert_eq!(bench.node_of("p").as_deref(), Some("n1"));
    assert_eq!(bench.event("Scheduled").as_deref(), Some("Assigned d/p to n1"));
    assert_eq!(bench.machine.waiting_len(), 0);
    assert_eq!(bench.machine.cluster().node_of(&key("p")), Some("n1"));
}

#[test]
fn pods_that_come_while_bindings_are_on_their_way_go_in_one_batch() {
    let mut bench = Bench::new(1);
    bench.put(node("n1", "z1"));
    for number in 0..20 {
        bench.put(pod(&format!("p{number}"), "web", "10m"));
    }
    let sizes: Vec<usize> = bench.waiting.iter().map(|(_, plan)| plan.items.len()).collect();
    assert_eq!(sizes, [1, 1], "two batches fly, the rest waits");
    bench.answer();
    let batch = bench.waiting.iter().find(|(_, plan)| plan.items.len() > 2).map(|(_, plan)| plan);
    assert_eq!(batch.map(|plan| plan.items.len()), Some(18));
    bench.settle();
    assert_eq!(bench.machine.waiting_len(), 0);
}

#[test]
fn a_pod_that_fits_nowhere_says_why() {
    let mut bench = Bench::new(1);
    let taints = value!([{ "key": "gpu", "value": "yes", "effect": "NoSchedule" }]);
    bench.put(node("n1", "z1"));
    bench.put(with(node("n2", "z1"), &["taints"], taints.clone()));
    bench.put(with(node("n3", "z1"), &["taints"], taints));
    bench.put(pod("p", "web", "5"));
    bench.settle();
    let message = "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint \
                   {gpu: yes}. preemption: not attempted.";
    assert_eq!(bench.event("FailedScheduling").as_deref(), Some(message));
    let pod = bench.world.get(&POD, "d", "p").expect("the pod");
    let condition = &pod.list_at(&["status", "conditions"])[0];
    assert_eq!(condition.str_at(&["type"]), Some("PodScheduled"));
    assert_eq!(condition.str_at(&["status"]), Some("False"));
    assert_eq!(condition.str_at(&["reason"]), Some("Unschedulable"));
    assert_eq!(condition.str_at(&["message"]), Some(message));
    let why = bench.machine.why(&key("p")).expect("an explanation");
    assert_eq!((why.candidates, why.refusals.len()), (0, 2));
}

#[test]
fn without_nodes_the_message_says_so() {
    let mut bench = Bench::new(1);
    bench.put(pod("p", "web", "1"));
    bench.settle();
    assert_eq!(bench.event("FailedScheduling").as_deref(), Some("there are no nodes"));
}

#[test]
fn a_stuck_pod_is_tried_again_when_there_is_room() {
    let mut bench = Bench::new(1);
    bench.put(node("n1", "z1"));
    bench.put(pod("big", "web", "3"));
    bench.settle();
    bench.put(pod("p", "web", "2"));
    bench.settle();
    assert_eq!(bench.node_of("p"), None);
    bench.pass(Duration::from_secs(2));
    bench.world.remove(&Key::new(&POD, "d", "big"));
    bench.deliver();
    bench.settle();
    assert_eq!(bench.node_of("p").as_deref(), Some("n1"));
}

#[test]
fn a_change_within_the_wait_is_not_lost() {
    let mut bench = Bench::new(1);
    bench.put(pod("p", "web", "2"));
    bench.settle();
    bench.put(node("n1", "z1"));
    bench.settle();
    assert_eq!(bench.node_of("p"), None, "the pod rests for a second after its failure");
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.node_of("p").as_deref(), Some("n1"));
}

#[test]
fn the_higher_priority_goes_first() {
    let mut bench = Bench::new(1);
    let mut world = MemoryWorld::default();
    world.put(node("n1", "z1"));
    world.put(pod("a-low", "web", "3"));
    world.put(with(pod("b-high", "web", "3"), &["priority"], 1_000.into()));
    bench.delivered = world.changes.len();
    bench.world = world;
    bench.send(SchedulerEvent::Resync);
    bench.settle();
    assert_eq!(bench.node_of("b-high").as_deref(), Some("n1"));
    assert_eq!(bench.node_of("a-low"), None);
}

#[test]
fn gated_foreign_and_ending_pods_are_left_alone() {
    let mut bench = Bench::new(1);
    bench.put(node("n1", "z1"));
    bench.put(with(pod("gated", "web", "1"), &["schedulingGates"], value!([{ "name": "g" }])));
    bench.put(with(pod("foreign", "web", "1"), &["schedulerName"], "other".into()));
    let mut ending = pod("ending", "web", "1");
    ending.set_deletion_timestamp("2026-01-01T00:00:00Z");
    bench.put(ending);
    bench.settle();
    assert!(["gated", "foreign", "ending"].iter().all(|name| bench.node_of(name).is_none()));
    bench.world.change(&Key::new(&POD, "d", "gated"), |pod| {
        pod.remove_path(&["spec", "schedulingGates"]);
    });
    bench.deliver();
    bench.settle();
    assert_eq!(bench.node_of("gated").as_deref(), Some("n1"));
}

#[test]
fn a_refused_binding_gives_the_room_back_and_is_tried_again() {
    let mut bench = Bench::new(1);
    bench.put(node("n1", "z1"));
    bench.refuse = 1_000_000;
    bench.put(pod("p", "web", "3"));
    bench.settle();
    assert_eq!(bench.machine.cluster().placed_len(), 0);
    bench.refuse = 0;
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.node_of("p").as_deref(), Some("n1"));
}

#[test]
fn a_binding_that_could_not_be_written_just_now_is_tried_again_soon() {
    let mut bench = Bench::new(1);
    bench.put(node("n1", "z1"));
    (bench.refuse, bench.code) = (1_000_000, 503);
    bench.put(pod("p", "web", "3"));
    for _ in 0..20 {
        bench.settle();
        bench.pass(Duration::from_millis(100));
    }
    assert_eq!(bench.node_of("p"), None);
    bench.refuse = 0;
    bench.pass(Duration::from_millis(100));
    assert_eq!(bench.node_of("p").as_deref(), Some("n1"));
}

#[test]
fn a_pod_that_goes_while_its_binding_is_on_its_way_leaves_no_trace() {
    let mut bench = Bench::new(1);
    bench.put(node("n1", "z1"));
    bench.put(pod("p", "web", "3"));
    bench.world.remove(&Key::new(&POD, "d", "p"));
    bench.deliver();
    bench.settle();
    assert_eq!((bench.machine.cluster().placed_len(), bench.machine.waiting_len()), (0, 0));
}

#[test]
fn finished_pods_take_no_room() {
    let mut bench = Bench::new(1);
    bench.put(node("n1", "z1"));
    let mut done = with(pod("done", "web", "4"), &["nodeName"], "n1".into());
    done.set_status(value!({ "phase": "Succeeded" }));
    bench.put(done);
    bench.put(pod("p", "web", "4"));
    bench.settle();
    assert_eq!(bench.node_of("p").as_deref(), Some("n1"));
}

#[test]
fn pods_bound_before_their_node_is_known_are_counted_when_it_comes() {
    let mut bench = Bench::new(1);
    bench.put(with(pod("early", "web", "3"), &["nodeName"], "n1".into()));
    bench.put(node("n1", "z1"));
    bench.put(pod("p", "web", "2"));
    bench.settle();
    assert_eq!(bench.node_of("p"), None);
    bench.world.remove(&Key::new(&NODE, "", "n1"));
    bench.deliver();
    assert_eq!(bench.machine.cluster().nodes_len(), 0);
}
