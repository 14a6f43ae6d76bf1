//! Evicts pods from nodes with NoExecute taints, after the time for which they bear them.
//!
//! Way in: [`TaintEvictionController`].  Writes: deletions of pods, their `DisruptionTarget`
//! condition.
//! Time: a toleration's seconds count from the taint's `timeAdded`, which `node_lifecycle` makes
//! sure of. A node that is declared dead evicts at once, but only what someone replaces elsewhere
//! ([`is_moved`]); everything else goes as from any unreachable node, after its toleration of that
//! taint.
//! Spec: Kubernetes documentation, "Taints and Tolerations", taint based evictions.

use std::time::Duration;

use actors_controller::{
    Access, Controller, EventType, Key, Kind, Plan, Primary, Relations, World, WriteVerb,
};
use actors_core::{Now, Wall};
use actors_object::{Object, OwnerRef, Value, timefmt, value};

use crate::{
    conditions::{Conditions, Says},
    dead_nodes::{self, UNREACHABLE},
    fencing,
    kinds::{NODE, POD, REPLICA_SET},
    pods::{self, NODE_FIELD},
    taints::{NO_EXECUTE, tolerates},
};

const JOB: Kind = Kind::new("batch/v1", "Job");
const REPLICATION_CONTROLLER: Kind = Kind::new("v1", "ReplicationController");

/// See the module.
#[derive(Debug, Clone, Copy, Default)]
pub struct TaintEvictionController;

impl Controller for TaintEvictionController {
    fn name(&self) -> &'static str {
        "taint-eviction"
    }

    fn primary(&self) -> Primary {
        Primary::Of(POD)
    }

    fn relations(&self) -> Relations {
        Relations::default().watches(&NODE, pods_on_tainted)
    }

    fn access(&self) -> Access {
        Access::reads(&[&POD, &NODE]).writes(&POD, WriteVerb::Delete, &[]).writes(
            &POD,
            WriteVerb::Status,
            &["status.conditions[DisruptionTarget]"],
        )
    }

    fn reconcile(&self, pod: &Object, world: &dyn World, now: Now) -> Plan {
        let mut plan = Plan::default();
        let node = pods::node(pod).filter(|_| pods::is_active(pod));
        let Some(node) = node.and_then(|name| world.get(&NODE, "", name)) else { return plan };
        let due = node
            .list_at(&["spec", "taints"])
            .iter()
            .filter(|taint| taint.at("effect").as_str() == Some(NO_EXECUTE))
            .filter(|taint| !dead_nodes::is_dead_taint(taint) || is_moved(pod))
            .filter_map(|taint| borne_until(pod, taint, now.wall).map(|until| (until, taint)))
            .min_by_key(|(until, _)| *until);
        let Some((until, taint)) = due else { return plan };
        if until > now.wall {
            plan.requeue(until.since(now.wall));
            return plan;
        }
        evict(pod, taint, now, &mut plan);
        plan
    }
}

/// Whether the death of its node moves `pod` at once: it asks for a fence, or its controller makes
/// another one under another name. Not if it says itself how long it bears an unreachable node, as
/// a DaemonSet's pods do. Of a pod without a controller, and of one with an identity (a
/// StatefulSet's), nothing is won by ending it early: the machine may come back.
fn is_moved(pod: &Object) -> bool {
    let tolerations = pod.list_at(&["spec", "tolerations"]);
    !tolerations.iter().any(is_own_toleration)
        && (fencing::is_fenced(pod)
            || pod.controller_of().is_some_and(|owner| makes_others(&owner)))
}

/// Whether a toleration of unreachable nodes is the pod's own, not the one of 300 s that admission
/// adds.
fn is_own_toleration(toleration: &Value) -> bool {
    let taint = value!({ "key": UNREACHABLE, "effect": NO_EXECUTE });
    tolerates(toleration, &taint) && toleration.at("tolerationSeconds").as_i64() != Some(300)
}

/// Whether pods of this owner are as good as each other: it makes a new one under a new name.
fn makes_others(owner: &OwnerRef) -> bool {
    [&REPLICA_SET, &JOB, &REPLICATION_CONTROLLER].iter().any(|kind| pods::is_owned_as(owner, kind))
}

/// Until when `pod` bears `taint`; `None`: for ever.
fn borne_until(pod: &Object, taint: &Value, now: Wall) -> Option<Wall> {
    let tolerations = pod.list_at(&["spec", "tolerations"]);
    let Some(toleration) = tolerations.iter().find(|one| tolerates(one, taint)) else {
        return Some(now);
    };
    let seconds = toleration.at("tolerationSeconds").as_i64()?;
    let span = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    let added = taint.at("timeAdded").as_str().and_then(timefmt::parse).unwrap_or(now);
    Some(added.after(span))
}

fn evict(pod: &Object, taint: &Value, now: Now, plan: &mut Plan) {
    let key = taint.at("key").as_str().unwrap_or_default();
    let message = format!("The pod does not tolerate the taint {key} of its node any longer.");
    let mut conditions = Conditions::of(pod, now.wall);
    let says = Says { status: "True", reason: "DeletionByTaintManager", message: &message };
    conditions.set("DisruptionTarget", says);
    let mut status = pod.status().clone();
    status.set_path(&["conditions"], conditions.into_value());
    plan.set_status(pod, &status);
    plan.event(pod, EventType::Normal, "TaintManagerEviction", message);
    plan.delete(pod);
}

/// The pods of a node that evicts.
fn pods_on_tainted(node: &Object, world: &dyn World) -> Vec<Key> {
    let mut taints = node.list_at(&["spec", "taints"]).iter();
    if !taints.any(|taint| taint.at("effect").as_str() == Some(NO_EXECUTE)) {
        return Vec::new();
    }
    let pods = world.with_field(&POD, NODE_FIELD, node.name());
    pods.iter().map(|pod| Key::of(pod)).collect()
}

#[cfg(test)]
mod tests;
