//! Decides about other resources for containers that run: whether the node grants them, and when they are enacted.
//!
//! Way in: [`PodMachine::plan_resize`].  Owns: [`Resizing`], the pod's one question and one change under way.
//! Writes: the conditions PodResizePending and PodResizeInProgress; `resources` and `allocatedResources` of containers.
//! Order: the pod's own group first; then containers in place; those that need a new life for it are stopped at last.
//! Invariants: 1. nothing is enacted that the node has not granted.  2. at most one question and one change in flight.
//! Spec: KEP-1287; Kubernetes documentation, "Resize CPU and Memory Resources assigned to Containers".

use std::time::Duration;

use actors_core::{Effects, Mono, Now};
use actors_object::{Map, Quantity, Value};

use crate::{
    container::Container,
    effect::PodEffect,
    event::{ContainerRef, RoomRefusal},
    machine::{PodMachine, Sandbox},
    pod_spec::ContainerRole,
    probing::normal,
    stopping,
};

/// A change that was refused or failed is tried again after this time; room appears when others end.
const TRY_AGAIN: Duration = Duration::from_secs(5);
/// What can be resized.
pub(crate) const RESIZED: [&str; 2] = ["cpu", "memory"];
/// The conditions that are there only while they are true.
pub(crate) const CONDITIONS: [&str; 2] = ["PodResizePending", "PodResizeInProgress"];

/// Containers' `resources` by name.
type Amounts = Vec<(String, Value)>;

/// How far a pod's change of resources has come.
#[derive(Debug, Clone, Default)]
pub(crate) struct Resizing {
    question: Question,
    change: Change,
    /// Whether the pod's own group has other limits than what was granted.
    is_pod_behind: bool,
}

/// Whether the node has room.
#[derive(Debug, Clone, Default)]
enum Question {
    #[default]
    None,
    /// It was asked for this, and perhaps had none when it was asked before.
    Asked(Amounts, Option<RoomRefusal>),
    /// It has none for this, and is asked again at that time.
    Refused(Amounts, RoomRefusal, Mono),
}

/// What is done with what was granted.
#[derive(Debug, Clone, Default)]
enum Change {
    #[default]
    None,
    /// It is being given to these lives.
    InFlight(Amounts, Vec<ContainerRef>),
    /// It could not be given, and is tried again at that time.
    Failed(String, Mono),
}

/// A condition that is true.
pub(crate) struct ResizeCondition {
    pub(crate) kind: &'static str,
    pub(crate) reason: &'static str,
    pub(crate) message: String,
}

impl Resizing {
    /// When something is tried again.
    pub(crate) fn wake_times(&self) -> impl Iterator<Item = Mono> + use<> {
        let asked = match &self.question {
            Question::Refused(_, _, until) => Some(*until),
            Question::None | Question::Asked(..) => None,
        };
        let tried = match &self.change {
            Change::Failed(_, until) => Some(*until),
            Change::None | Change::InFlight(..) => None,
        };
        asked.into_iter().chain(tried)
    }
}

impl PodMachine {
    /// Asks for room for what the specification wants, and enacts what was granted.
    pub(crate) fn plan_resize(&mut self, now: Now, out: &mut Effects<PodEffect>) {
        if !matches!(self.sandbox, Sandbox::Ready(_)) {
            return;
        }
        self.plan_question(now, out);
        let due = match &self.resizing.change {
            Change::None => true,
            Change::Failed(_, until) => *until <= now.mono,
            Change::InFlight(..) => false,
        };
        let in_place = |one: &&Container| is_behind(one) && !needs_new_life(one);
        let containers: Vec<ContainerRef> =
            self.containers.iter().filter(in_place).map(Container::reference).collect();
        if due && (self.resizing.is_pod_behind || !containers.is_empty()) {
            let granted = self.amounts(|container| &container.granted);
            self.resizing.change = Change::InFlight(granted.clone(), containers.clone());
            out.push(PodEffect::Resize { granted, containers });
        }
        if !self.resizing.is_pod_behind {
            self.restart_resized(now, out);
        }
    }

    fn plan_question(&mut self, now: Now, out: &mut Effects<PodEffect>) {
        let differs = self
            .containers
            .iter()
            .any(|one| is_counted(one) && !is_same(&one.granted, &one.spec.resources));
        let wanted = self.amounts(|container| &container.spec.resources);
        let asks = match &self.resizing.question {
            Question::None => differs,
            Question::Asked(..) => false,
            Question::Refused(..) if !differs => {
                self.resizing.question = Question::None;
                false
            }
            Question::Refused(before, _, until) => *until <= now.mono || *before != wanted,
        };
        if asks {
            let before = match std::mem::take(&mut self.resizing.question) {
                Question::Refused(_, refusal, _) => Some(refusal),
                Question::None | Question::Asked(..) => None,
            };
            self.resizing.question = Question::Asked(wanted.clone(), before);
            out.push(PodEffect::CheckRoom { wanted });
        }
    }

    /// Containers whose policy demands it get their new resources with a new life.
    fn restart_resized(&mut self, now: Now, out: &mut Effects<PodEffect>) {
        let grace = self.grace();
        for container in self.containers.iter_mut().filter(|one| is_behind(one)) {
            if !needs_new_life(container) {
                continue;
            }
            let name = &container.spec.name;
            let message = format!("container {name} is restarted to get other resources");
            out.push(normal(container, "Killing", message));
            container.replaced = true;
            stopping::stop_container(container, now, (grace, now.mono), out);
        }
    }

    /// The node has room, or has none.
    pub(crate) fn handle_room(&mut self, now: Now, refusal: Option<RoomRefusal>) {
        let Question::Asked(wanted, _) = &self.resizing.question else { return };
        let wanted = wanted.clone();
        if let Some(refusal) = refusal {
            let until = now.mono.after(TRY_AGAIN);
            self.resizing.question = Question::Refused(wanted, refusal, until);
            return;
        }
        self.resizing.question = Question::None;
        self.resizing.is_pod_behind = true;
        // What could not be given before may be possible with other limits.
        if matches!(self.resizing.change, Change::Failed(..)) {
            self.resizing.change = Change::None;
        }
        for (name, amounts) in wanted {
            if let Some(one) = self.containers.iter_mut().find(|one| one.spec.name == name) {
                one.granted = amounts;
            }
        }
    }

    /// Other limits stand, or could not be set.
    pub(crate) fn handle_resized(&mut self, now: Now, failure: Option<String>) {
        let change = std::mem::take(&mut self.resizing.change);
        let Change::InFlight(granted, lives) = change else {
            self.resizing.change = change;
            return;
        };
        if let Some(message) = failure {
            self.resizing.change = Change::Failed(message, now.mono.after(TRY_AGAIN));
            return;
        }
        self.resizing.is_pod_behind = granted != self.amounts(|container| &container.granted);
        for life in lives {
            let amounts = granted.iter().find(|(name, _)| *name == life.name);
            if let (Some((_, amounts)), Some(container)) = (amounts, self.container_mut(&life)) {
                container.enacted = amounts.clone();
            }
        }
    }

    /// What is true of a change of resources.
    pub(crate) fn resize_conditions(&self) -> Vec<ResizeCondition> {
        let [pending, in_progress] = CONDITIONS;
        let mut all = Vec::new();
        if self.is_ending() {
            return all;
        }
        if let Question::Refused(_, refusal, _) | Question::Asked(_, Some(refusal)) =
            &self.resizing.question
        {
            let (reason, message) = match refusal {
                RoomRefusal::Infeasible(message) => ("Infeasible", message.clone()),
                RoomRefusal::Deferred(message) => ("Deferred", message.clone()),
            };
            all.push(ResizeCondition { kind: pending, reason, message });
        }
        let is_open = |one: &Container| one.is_alive() && is_counted(one) && !is_enacted(one);
        if self.resizing.is_pod_behind || self.containers.iter().any(is_open) {
            let (reason, message) = match &self.resizing.change {
                Change::Failed(message, _) => ("Error", message.clone()),
                Change::None | Change::InFlight(..) => ("", String::new()),
            };
            all.push(ResizeCondition { kind: in_progress, reason, message });
        }
        all
    }

    fn amounts(&self, of: impl Fn(&Container) -> &Value) -> Amounts {
        let counted = self.containers.iter().filter(|one| is_counted(one));
        counted.map(|one| (one.spec.name.clone(), of(one).clone())).collect()
    }
}

/// Whether a container's resources can change: init containers that run to their end keep theirs.
fn is_counted(container: &Container) -> bool {
    matches!(container.spec.role, ContainerRole::App | ContainerRole::Sidecar)
}

fn is_enacted(container: &Container) -> bool {
    is_same(&container.enacted, &container.granted)
}

/// Whether it runs with other resources than what was granted, and is not being stopped.
fn is_behind(container: &Container) -> bool {
    let runs = container.running().is_some_and(|running| running.stop.is_none());
    runs && is_counted(container) && !is_enacted(container)
}

fn needs_new_life(container: &Container) -> bool {
    let (had, gets) = (&container.enacted, &container.granted);
    let strict = container.spec.restarted_for.iter();
    strict.into_iter().any(|name| LISTS.iter().any(|list| differs(had, gets, (list, name))))
}

const LISTS: [&str; 2] = ["requests", "limits"];

fn is_same(one: &Value, other: &Value) -> bool {
    !LISTS.iter().any(|list| RESIZED.iter().any(|name| differs(one, other, (list, name))))
}

fn differs(one: &Value, other: &Value, (list, name): (&str, &str)) -> bool {
    amount(one, list, name) != amount(other, list, name)
}

/// An amount of one container's `resources`.
pub(crate) fn amount(resources: &Value, list: &str, name: &str) -> Option<Quantity> {
    resources.path(&[list, name]).and_then(|given| Quantity::from_value(given).ok())
}

/// What an earlier agent had enacted, as the API remembers it.
pub(crate) fn restore(container: &mut Container, recorded: &Value) {
    let resources = recorded.at("resources");
    if container.is_alive() && resources.as_map().is_some() {
        container.granted = resources.clone();
        container.enacted = resources.clone();
    }
}

/// What a container has, and what it is to have.
pub(crate) fn show(container: &Container, status: &mut Map) {
    let has_any = |value: &Value| value.as_map().is_some_and(|map| !map.is_empty());
    let requests = container.granted.at("requests");
    if has_any(requests) {
        status.insert("allocatedResources", requests.clone());
    }
    let runs = container.running().is_some();
    let resources = if runs { &container.enacted } else { &container.granted };
    if has_any(resources) {
        status.insert("resources", resources.clone());
    }
}
