//! Keeps `spec.replicas` pods alive for every ReplicaSet, and for every ReplicationController: the
//! same in an older form.
//!
//! Way in: [`ReplicaSetController`], [`ReplicationController`].  Writes: pods (create, delete, owner
//! references), `status` of the set.
//! Never: a change of the set's spec, or a deletion of a pod that it does not control.
//! A pod that is terminating is replaced at once, wherever it is; a fenced one (see [`fencing`])
//! only when it has ended.
//! Spec: Kubernetes documentation, "ReplicaSet", "ReplicationController".

mod ranking;
mod status;

use std::sync::Arc;

pub(crate) use self::status::unless_zero;
use actors_controller::{
    Access, Controller, EventType, Key, Kind, MapKeys, Plan, Primary, Refusal, Relations, World,
    WriteVerb,
};
use actors_core::Now;
use actors_object::Object;

use crate::{
    claims::{claim, selector_of},
    conditions::{Conditions, Says},
    fencing,
    kinds::{POD, REPLICA_SET, REPLICATION_CONTROLLER},
    pods,
};

/// For ReplicaSets: see the module.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReplicaSetController;

/// For ReplicationControllers: see the module.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReplicationController;

/// Most pods that one plan makes or deletes.
const BURST_MAX: usize = 500;

/// The condition that says that pods could not be made.
pub(crate) const REPLICA_FAILURE: &str = "ReplicaFailure";

impl Controller for ReplicaSetController {
    fn name(&self) -> &'static str {
        "replicaset"
    }

    fn primary(&self) -> Primary {
        Primary::Of(REPLICA_SET)
    }

    fn relations(&self) -> Relations {
        relations(|pod, world| sets_that_may_adopt(&REPLICA_SET, pod, world))
    }

    fn access(&self) -> Access {
        access(&REPLICA_SET)
    }

    fn reconcile(&self, set: &Object, world: &dyn World, now: Now) -> Plan {
        keep(set, world, now)
    }

    fn refused(&self, set: &Object, refusals: &[Refusal], _: &dyn World, now: Now) -> Plan {
        say_failure(set, refusals, now)
    }
}

impl Controller for ReplicationController {
    fn name(&self) -> &'static str {
        "replication"
    }

    fn primary(&self) -> Primary {
        Primary::Of(REPLICATION_CONTROLLER)
    }

    fn relations(&self) -> Relations {
        relations(|pod, world| sets_that_may_adopt(&REPLICATION_CONTROLLER, pod, world))
    }

    fn access(&self) -> Access {
        access(&REPLICATION_CONTROLLER)
    }

    fn reconcile(&self, set: &Object, world: &dyn World, now: Now) -> Plan {
        keep(set, world, now)
    }

    fn refused(&self, set: &Object, refusals: &[Refusal], _: &dyn World, now: Now) -> Plan {
        say_failure(set, refusals, now)
    }
}

fn relations(may_adopt: MapKeys) -> Relations {
    Relations::default().owns(&POD).watches(&POD, may_adopt)
}

fn access(kind: &Kind) -> Access {
    Access::reads(&[kind, &POD])
        .writes(&POD, WriteVerb::Create, &[])
        .writes(&POD, WriteVerb::Delete, &[])
        .writes(&POD, WriteVerb::Patch, &["metadata.ownerReferences"])
        .writes(kind, WriteVerb::Status, &["status"])
}

/// Makes, deletes, adopts and releases pods, and counts them.
fn keep(set: &Object, world: &dyn World, now: Now) -> Plan {
    let Some(selector) = selector_of(set) else {
        return Plan::reject("spec.selector", "must be a selector that is not empty");
    };
    let mut plan = Plan::default();
    let owned = claim(set, &selector, &POD, world, &mut plan);
    let active: Vec<Arc<Object>> =
        owned.iter().filter(|pod| pods::is_active(pod)).cloned().collect();
    if !set.is_terminating() {
        let pods = Pods { active: &active, ending: fenced_and_ending(&owned) };
        plan_replicas(set, &pods, world, now, &mut plan);
    }
    status::plan_status(set, &owned, now, &mut plan);
    plan
}

/// A condition for pods that could not be made or deleted.
fn say_failure(set: &Object, refusals: &[Refusal], now: Now) -> Plan {
    let mut plan = Plan::default();
    let Some(first) = refusals.iter().find(|refusal| refusal.item.contains(" Pod/")) else {
        return plan;
    };
    let reason = if first.item.starts_with("create") { "FailedCreate" } else { "FailedDelete" };
    let mut conditions = Conditions::of(set, now.wall);
    conditions.set(REPLICA_FAILURE, Says { status: "True", reason, message: &first.message });
    let mut status = set.status().clone();
    status.set_path(&["conditions"], conditions.into_value());
    plan.set_status(set, &status);
    plan
}

/// How many pods the set should have; one if it does not say.
pub(crate) fn replicas(set: &Object) -> i64 {
    set.spec().at("replicas").as_i64().unwrap_or(1).max(0)
}

/// A set's pods, as they count when it is sized.
struct Pods<'a> {
    active: &'a [Arc<Object>],
    /// How many are terminating and keep their place until they have ended.
    ending: usize,
}

/// How many pods still keep their place though they are terminating.
fn fenced_and_ending(owned: &[Arc<Object>]) -> usize {
    let ending = |pod: &&Arc<Object>| pod.is_terminating() && !pods::is_finished(pod);
    owned.iter().filter(ending).filter(|pod| fencing::is_fenced(pod)).count()
}

/// Makes or deletes pods until there are as many active ones as wanted.
///
/// Creation starts slowly: a batch is one larger than what exists (1, 2, 4, 8…), so that a set
/// whose pods are all refused asks for one of them, not for hundreds. It needs no memory: what
/// exists is the measure.
fn plan_replicas(set: &Object, pods: &Pods<'_>, world: &dyn World, now: Now, plan: &mut Plan) {
    let wanted = usize::try_from(replicas(set)).unwrap_or(usize::MAX);
    let Pods { active, ending } = *pods;
    if active.len() < wanted {
        let missing = wanted.saturating_sub(active.len() + ending);
        let batch = missing.min(active.len() + 1).min(BURST_MAX);
        for _ in 0..batch {
            plan.create(pods::from_template(set, set.spec().at("template")));
        }
    } else if active.len() > wanted {
        let surplus = (active.len() - wanted).min(BURST_MAX);
        let ranked = ranking::first_to_delete_first(set, active, world, now);
        for pod in ranked.into_iter().take(surplus) {
            plan.event(
                set,
                EventType::Normal,
                "SuccessfulDelete",
                format!("Deleting surplus pod {}", pod.name()),
            );
            plan.delete(&pod);
        }
    }
}

/// The sets of this kind that would adopt a pod without a controller.
fn sets_that_may_adopt(kind: &Kind, pod: &Object, world: &dyn World) -> Vec<Key> {
    if pod.controller_of().is_some() {
        return Vec::new();
    }
    let mut sets = world.list(kind, Some(pod.namespace()));
    sets.retain(|set| selector_of(set).is_some_and(|selector| selector.matches(pod)));
    sets.iter().map(|set| Key::new(kind, set.namespace(), set.name())).collect()
}

#[cfg(test)]
mod tests;
