//! Gives every pod that waits a node, batch by batch.
//!
//! Way in: [`SchedulerMachine`].  Writes: bindings of pods, their `PodScheduled` condition while
//! they wait, events.
//! Never: a word to a node; bindings reach nodes by watch.
//! Invariants: 1. what is placed and assumed never exceeds what a node offers, by this machine's
//! doing. 2. a pod is assumed on its node from the decision until the binding is seen or refused.
//! 3. few batches are on their way at once, so that pods that come meanwhile are placed together.
//! Time and order: changes come in the order of their revisions; there is one such machine in a
//! cluster.

use std::{collections::BTreeMap, sync::Arc};

use actors_controller::{
    Change, EventType, Happening, Item, Key, Kind, Plan, Target, Verdict, World, event_item,
};
use actors_core::{Correlation, Effects, Machine, Mono, Now, Rng, Turn};
use actors_object::{Object, Value, timefmt, value};
use serde::{Deserialize, Serialize};

use crate::{
    cluster::Cluster,
    explain::{Explanation, Explanations},
    filter::Prepared,
    node::NodeFacts,
    pod::{Duty, PodFacts, PodKey, duty},
    queue::{Moves, Queue},
    rules::labels_of,
    score::{Candidate, Scored, best},
};

const POD: Kind = Kind::new("v1", "Pod");
const NODE: Kind = Kind::new("v1", "Node");
const NAMESPACE: Kind = Kind::new("v1", "Namespace");

/// The bounds of the scheduler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchedulerLimits {
    /// The `schedulerName` of the pods that are its business.
    pub name: String,
    /// Most pods that one turn looks at; most bindings of one plan.
    pub batch: usize,
    /// Most plans of bindings on their way at once.
    pub flying: usize,
    /// Most pods whose last explanation is kept.
    pub explanations: usize,
}

impl Default for SchedulerLimits {
    fn default() -> Self {
        let name = "default-scheduler".to_owned();
        Self { name, batch: 256, flying: 2, explanations: 1_024 }
    }
}

/// What can happen to the scheduler.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum SchedulerEvent {
    /// A Pod, Node or Namespace changed; other kinds are of no interest.
    Changed(Change),
    /// Several did, in this order; told at once, they are one turn's work.
    Changes(Vec<Change>),
    /// A plan's items have their verdicts.
    PlanDone {
        /// As in [`SchedulerEffect::Apply`].
        id: Correlation,
        /// One for each item.
        verdicts: Vec<Verdict>,
    },
    /// The time that [`SchedulerEffect::SetTimer`] asked for has come.
    Timer,
    /// Read everything from the view: at the start, and after changes may have been missed.
    Resync,
}

/// What the scheduler wants done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum SchedulerEffect {
    /// Send the plan's items through the door as the scheduler's identity; answer with
    /// [`SchedulerEvent::PlanDone`]. A plan holds bindings only, or conditions and events only.
    Apply {
        /// What to write. No `Item::Event` is left in it.
        plan: Plan,
        /// To be given back.
        id: Correlation,
    },
    /// Deliver [`SchedulerEvent::Timer`] at this time; replaces an earlier request.
    SetTimer {
        /// When.
        at: Mono,
    },
}

/// One binding on its way.
#[derive(Debug, Clone)]
struct Flight {
    pod: Arc<PodFacts>,
    node: String,
}

/// See the module.
#[derive(Debug, Clone)]
pub struct SchedulerMachine {
    limits: SchedulerLimits,
    cluster: Cluster,
    queue: Queue,
    flying: BTreeMap<Correlation, Vec<Flight>>,
    next_id: Correlation,
    explanations: Explanations,
    /// Where the next search among the nodes begins, so that all nodes get their turn.
    start: usize,
    timer: Option<Mono>,
}

impl SchedulerMachine {
    /// The kinds of whose changes it must be told.
    pub const HEARD: [Kind; 3] = [NAMESPACE, NODE, POD];

    /// A scheduler that knows nothing until [`SchedulerEvent::Resync`].
    #[must_use]
    pub fn new(limits: SchedulerLimits) -> Self {
        Self {
            explanations: Explanations::new(limits.explanations),
            limits,
            cluster: Cluster::default(),
            queue: Queue::default(),
            flying: BTreeMap::new(),
            next_id: Correlation(1),
            start: 0,
            timer: None,
        }
    }

    /// Nodes and placed pods, as the scheduler counts them.
    #[must_use]
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// How many pods wait for a node, or for the end of their binding.
    #[must_use]
    pub fn waiting_len(&self) -> usize {
        self.queue.len()
    }

    /// Why a pod is where it is, or is nowhere; known for the last pods only.
    #[must_use]
    pub fn why(&self, pod: &PodKey) -> Option<&Explanation> {
        self.explanations.get(pod)
    }

    fn changed(&mut self, change: &Change, now: Mono) {
        let object = &change.object;
        if POD.is_kind_of(object) {
            self.pod_changed(object, change.deleted, now);
        } else if NODE.is_kind_of(object) {
            if change.deleted {
                self.cluster.remove_node(object.name());
            } else if self.cluster.set_node(NodeFacts::of(object)) {
                self.queue.move_stuck(Moves::All, now);
            }
        } else if NAMESPACE.is_kind_of(object) {
            let labels = (!change.deleted).then(|| labels_of(object));
            self.cluster.set_namespace(object.name(), labels);
        }
    }

    fn pod_changed(&mut self, pod: &Object, deleted: bool, now: Mono) {
        let key = PodKey::of(pod);
        let duty = if deleted { Duty::Ignore } else { duty(pod, &self.limits.name) };
        match duty {
            Duty::Ignore => {
                self.queue.remove(&key);
                if self.cluster.forget(&key) {
                    self.queue.move_stuck(Moves::All, now);
                }
            }
            Duty::Count => {
                self.queue.remove(&key);
                let facts = Arc::new(PodFacts::of(pod));
                let node = facts.node.clone().unwrap_or_default();
                if self.cluster.place(facts, &node) {
                    self.queue.move_stuck(Moves::MindingOthers, now);
                }
            }
            Duty::Schedule => {
                // While a binding is on its way, older states of the pod may still come; a new life
                // counts.
                let assumed = self.cluster.uid_of(&key);
                if assumed.is_some_and(|uid| uid != pod.uid()) {
                    self.cluster.forget(&key);
                }
                if self.cluster.uid_of(&key).is_none() {
                    self.queue.add(Arc::new(PodFacts::of(pod)));
                }
            }
        }
    }

    fn resync(&mut self, world: &dyn World, now: Mono) {
        self.cluster = Cluster::default();
        self.queue = Queue::default();
        let revision = world.revision();
        for kind in [&NAMESPACE, &NODE, &POD] {
            for object in world.list(kind, None) {
                let change = Change { object, previous: None, deleted: false, revision };
                self.changed(&change, now);
            }
        }
        let flying: Vec<Flight> = self.flying.values().flatten().cloned().collect();
        for flight in flying {
            // What is on its way is still assumed, unless the view shows how it ended.
            if self.queue.is_waiting(&flight.pod) {
                let index = self.cluster.index_of(&flight.node);
                self.queue.set_flying(&flight.pod.key);
                self.cluster.assume(flight.pod, index);
            }
        }
    }

    /// Places the pods that are next, as long as few enough batches are on their way.
    fn work(&mut self, turn: &mut Turn<'_, dyn World>, out: &mut Effects<SchedulerEffect>) {
        self.queue.fire(turn.now.mono);
        let mut flights = Vec::new();
        let mut complaints = Vec::new();
        if self.flying.len() < self.limits.flying {
            for _ in 0..self.limits.batch {
                let Some(pod) = self.queue.pop(turn.now.mono) else { break };
                let explanation = self.place(&pod, turn.now, turn.rng);
                match &explanation.chosen {
                    Some((node, _)) => flights.push(Flight { pod, node: node.clone() }),
                    None => {
                        let message = explanation.to_string();
                        if self.queue.set_stuck(&pod.key, &message, turn.now.mono) {
                            complaints.push((pod, message));
                        }
                    }
                }
                self.explanations.push(explanation);
            }
        }
        self.send_bindings(flights, turn.view, out);
        self.send_complaints(&complaints, turn, out);
        self.set_timer(turn.now.mono, out);
    }

    /// Finds a node for a pod and assumes it there.
    fn place(&mut self, pod: &Arc<PodFacts>, now: Now, rng: &mut Rng) -> Explanation {
        let mut explanation = Explanation {
            pod: pod.key.clone(),
            at: now.wall,
            nodes: self.cluster.nodes_len(),
            refusals: BTreeMap::new(),
            candidates: 0,
            chosen: None,
        };
        let Some(scored) = self.search(pod, &mut explanation, rng) else { return explanation };
        let node = self.cluster.nodes.get(scored.node).and_then(|node| node.facts.as_ref());
        explanation.chosen = node.map(|facts| (facts.name.clone(), scored.score));
        self.cluster.assume(Arc::clone(pod), scored.node);
        explanation
    }

    fn search(
        &mut self,
        pod: &PodFacts,
        explanation: &mut Explanation,
        rng: &mut Rng,
    ) -> Option<Scored> {
        let prepared = Prepared::new(pod, &self.cluster);
        let places = self.cluster.nodes.len();
        let enough = enough(self.cluster.nodes_len());
        let mut candidates: Vec<Candidate<'_>> = Vec::new();
        let mut looked_at = 0;
        while looked_at < places && candidates.len() < enough {
            let index = (self.start + looked_at) % places;
            looked_at += 1;
            let Some(state) = self.cluster.nodes.get(index) else { continue };
            let Some(facts) = &state.facts else { continue };
            let refusals = prepared.refusals(facts, state);
            if refusals.is_empty() {
                candidates.push((index, facts, state));
            }
            for refusal in refusals {
                *explanation.refusals.entry(refusal).or_default() += 1;
            }
        }
        explanation.candidates = candidates.len();
        let found = best(&prepared, &candidates, &self.cluster, rng);
        self.start = (self.start + looked_at) % places.max(1);
        found
    }

    fn send_bindings(
        &mut self,
        flights: Vec<Flight>,
        world: &dyn World,
        out: &mut Effects<SchedulerEffect>,
    ) {
        if flights.is_empty() {
            return;
        }
        let bind =
            |flight: &Flight| Item::Bind { target: target(&flight.pod), node: flight.node.clone() };
        let items = flights.iter().map(bind).collect();
        let plan = Plan { items, revision: world.revision(), ..Plan::default() };
        let id = self.next_id.take();
        self.flying.insert(id, flights);
        out.push(SchedulerEffect::Apply { plan, id });
    }

    /// Says of pods that no node fits: a condition of theirs, and an event.
    fn send_complaints(
        &mut self,
        complaints: &[(Arc<PodFacts>, String)],
        turn: &Turn<'_, dyn World>,
        out: &mut Effects<SchedulerEffect>,
    ) {
        let mut plan = Plan { revision: turn.view.revision(), ..Plan::default() };
        for (pod, message) in complaints {
            let object = turn.view.get(&POD, &pod.key.namespace, &pod.key.name);
            if let Some(object) = object.filter(|object| object.uid() == pod.uid) {
                let status = unscheduled_status(&object, message, turn.now);
                plan.set_status_exactly(&object, &status);
            }
            plan.items.push(self.told(
                pod,
                EventType::Warning,
                ("FailedScheduling", message),
                turn,
            ));
        }
        self.send(plan, out);
    }

    /// The write that records an event about a pod.
    fn told(
        &self,
        pod: &PodFacts,
        kind: EventType,
        (reason, message): (&str, &str),
        turn: &Turn<'_, dyn World>,
    ) -> Item {
        let (reason, message) = (reason.to_owned(), message.to_owned());
        let happening = Happening { regarding: target(pod), kind, reason, message };
        event_item(&happening, &self.limits.name, turn.view, turn.now.wall)
    }

    /// Sends a plan whose verdicts do not matter.
    fn send(&mut self, plan: Plan, out: &mut Effects<SchedulerEffect>) {
        if !plan.items.is_empty() {
            let id = self.next_id.take();
            out.push(SchedulerEffect::Apply { plan, id });
        }
    }

    fn settle(
        &mut self,
        turn: &Turn<'_, dyn World>,
        id: Correlation,
        verdicts: &[Verdict],
        out: &mut Effects<SchedulerEffect>,
    ) {
        let Some(flights) = self.flying.remove(&id) else { return };
        let mut told = Plan { revision: turn.view.revision(), ..Plan::default() };
        for (index, Flight { pod, node }) in flights.iter().enumerate() {
            if let Some(Verdict::Done { .. }) = verdicts.get(index) {
                self.queue.land(pod);
                let message = format!("Assigned {} to {node}", pod.key);
                told.items.push(self.told(pod, EventType::Normal, ("Scheduled", &message), turn));
                continue;
            }
            let same_life = self.cluster.uid_of(&pod.key) == Some(pod.uid.as_str());
            if same_life && self.cluster.is_assumed(&pod.key) {
                self.cluster.forget(&pod.key);
                self.queue.move_stuck(Moves::All, turn.now.mono);
            }
            let gone = matches!(verdicts.get(index), Some(Verdict::Refused(refusal))
                if refusal.reason == "NotFound");
            let for_now = matches!(verdicts.get(index), Some(Verdict::Refused(refusal))
                if refusal.is_transient());
            match () {
                () if gone => self.queue.land(pod),
                () if !self.queue.is_waiting(pod) => {}
                () if for_now => self.queue.retry_soon(&pod.key, turn.now.mono),
                () => self.queue.retry(&pod.key, turn.now.mono),
            }
        }
        self.send(told, out);
    }

    fn set_timer(&mut self, now: Mono, out: &mut Effects<SchedulerEffect>) {
        let more = self.queue.has_active() && self.flying.len() < self.limits.flying;
        let due = [more.then_some(now), self.queue.next_due()].into_iter().flatten().min();
        let pending = self.timer.filter(|at| *at > now);
        if let Some(at) = due.filter(|at| pending.is_none_or(|pending| *at < pending)) {
            self.timer = Some(at);
            out.push(SchedulerEffect::SetTimer { at });
        }
    }
}

impl Machine for SchedulerMachine {
    type Event = SchedulerEvent;
    type Effect = SchedulerEffect;
    type View = dyn World;

    fn handle(
        &mut self,
        mut turn: Turn<'_, dyn World>,
        event: SchedulerEvent,
        out: &mut Effects<SchedulerEffect>,
    ) {
        match event {
            SchedulerEvent::Changed(change) => self.changed(&change, turn.now.mono),
            SchedulerEvent::Changes(changes) => {
                changes.iter().for_each(|change| self.changed(change, turn.now.mono));
            }
            SchedulerEvent::PlanDone { id, verdicts } => self.settle(&turn, id, &verdicts, out),
            SchedulerEvent::Timer => self.timer = None,
            SchedulerEvent::Resync => self.resync(turn.view, turn.now.mono),
        }
        self.work(&mut turn, out);
    }

    fn assert_invariants(&self) {
        assert!(self.flying.len() <= self.limits.flying, "more batches on their way than allowed");
        self.queue.assert_invariants();
        self.cluster.assert_invariants();
    }
}

/// How many nodes that fit are enough to choose from: all of a small cluster, a falling share of a
/// large one.
fn enough(nodes: usize) -> usize {
    const LEAST: usize = 100;
    if nodes < LEAST {
        return nodes;
    }
    let percent = 50_usize.saturating_sub(nodes / 125).max(5);
    (nodes * percent / 100).max(LEAST)
}

fn target(pod: &PodFacts) -> Target {
    let key = Key::new(&POD, pod.key.namespace.as_str(), pod.key.name.as_str());
    Target { key, uid: pod.uid.clone(), resource_version: None }
}

/// The pod's status with `PodScheduled` false.
fn unscheduled_status(pod: &Object, message: &str, now: Now) -> Value {
    let mut status = pod.status().clone();
    let mut conditions = pod.list_at(&["status", "conditions"]).to_vec();
    let is_ours = |one: &Value| one.at("type").as_str() == Some("PodScheduled");
    let old =
        conditions.iter().find(|one| is_ours(one) && one.at("status").as_str() == Some("False"));
    let since = old.and_then(|old| old.at("lastTransitionTime").as_str()).map(str::to_owned);
    let since = since.unwrap_or_else(|| timefmt::seconds(now.wall));
    let made = value!({
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": message,
        "lastTransitionTime": since,
    });
    match conditions.iter_mut().find(|one| is_ours(one)) {
        Some(place) => *place = made,
        None => conditions.push(made),
    }
    status.set_path(&["conditions"], conditions);
    status
}

#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod tests;
