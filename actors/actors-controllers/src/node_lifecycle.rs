//! Turns what is known of a node into taints, and withdraws the pods of a node that nobody hears
//! of.
//!
//! Way in: [`NodeLifecycleController`].  Writes: `Node.spec.taints` (the keys below, and
//! `timeAdded` of NoExecute ones), the `Ready` condition of pods on a node whose state is unknown.
//! Never: a node's conditions, or the taint of a dead node: whether a machine lives is known by
//! membership, not by heartbeats, and `nodes-control`'s health says it. While most nodes are
//! silent at once, nothing evicts.
//! Spec: Kubernetes documentation, "Nodes", "Taint Nodes by Condition".

use actors_controller::{Access, Controller, Key, Plan, Primary, Relations, World, WriteVerb};
use actors_core::Now;
use actors_object::{Object, Value, timefmt, value};

use crate::{
    conditions::{self, Conditions, Says},
    dead_nodes::{self, Silence, UNREACHABLE},
    kinds::{NODE, POD},
    pods::{self, NODE_FIELD},
    taints::{NO_EXECUTE, NO_SCHEDULE},
};

/// See the module.
#[derive(Debug, Clone, Copy, Default)]
pub struct NodeLifecycleController;

const NOT_READY: &str = "node.kubernetes.io/not-ready";
const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";

/// Conditions that keep new pods away while they are true.
const PRESSURES: [(&str, &str); 4] = [
    ("MemoryPressure", "node.kubernetes.io/memory-pressure"),
    ("DiskPressure", "node.kubernetes.io/disk-pressure"),
    ("PIDPressure", "node.kubernetes.io/pid-pressure"),
    ("NetworkUnavailable", "node.kubernetes.io/network-unavailable"),
];

impl Controller for NodeLifecycleController {
    fn name(&self) -> &'static str {
        "node-lifecycle"
    }

    fn primary(&self) -> Primary {
        Primary::Of(NODE)
    }

    fn relations(&self) -> Relations {
        Relations::default().watches(&NODE, silent_nodes)
    }

    fn access(&self) -> Access {
        Access::reads(&[&NODE, &POD]).writes(&NODE, WriteVerb::Patch, &["spec.taints"]).writes(
            &POD,
            WriteVerb::Status,
            &["status.conditions[Ready]"],
        )
    }

    fn reconcile(&self, node: &Object, world: &dyn World, now: Now) -> Plan {
        let mut plan = Plan::default();
        let current = node.list_at(&["spec", "taints"]);
        let due = due_taints(node, world);
        let wanted = taints(node, &due, &timefmt::seconds(now.wall));
        if current != wanted {
            let list = if wanted.is_empty() { Value::Null } else { Value::List(wanted) };
            plan.patch_exactly(node, value!({ "spec": { "taints": list } }));
        }
        if is_silent(node) {
            withdraw_pods(node, world, now, &mut plan);
        }
        plan
    }
}

/// Whether nobody hears of the node, by its condition or by the verdict.
fn is_silent(node: &Object) -> bool {
    conditions::is(node, "Ready", "Unknown") || dead_nodes::is_dead(node)
}

/// The nodes that nobody hears of: how many there are decides whether they evict.
fn silent_nodes(_: &Object, world: &dyn World) -> Vec<Key> {
    let mut nodes = world.list(&NODE, None);
    nodes.retain(|node| is_silent(node));
    nodes.iter().map(|node| Key::of(node)).collect()
}

/// The taints that the node should have: those of others as they are, ours as they are `due`.
fn taints(node: &Object, due: &[(&str, &str)], stamp: &str) -> Vec<Value> {
    let current = node.list_at(&["spec", "taints"]);
    let fits = |taint: &Value, (key, effect): &(&str, &str)| {
        taint.at("key").as_str() == Some(*key) && taint.at("effect").as_str() == Some(*effect)
    };
    let mut wanted: Vec<Value> = current
        .iter()
        .filter(|taint| !is_ours(taint) || due.iter().any(|one| fits(taint, one)))
        .cloned()
        .collect();
    for one in due {
        if !wanted.iter().any(|taint| fits(taint, one)) {
            wanted.push(value!({ "key": one.0, "effect": one.1 }));
        }
    }
    // How long a pod bears a taint is counted from its stamp, so each one that evicts has a stamp.
    let unstamped = |taint: &&mut Value| {
        taint.at("effect").as_str() == Some(NO_EXECUTE) && taint.at("timeAdded").as_str().is_none()
    };
    for taint in wanted.iter_mut().filter(unstamped) {
        taint.set_path(&["timeAdded"], stamp);
    }
    wanted
}

fn is_ours(taint: &Value) -> bool {
    let key = taint.at("key").as_str().unwrap_or_default();
    [NOT_READY, UNREACHABLE, UNSCHEDULABLE].contains(&key)
        || PRESSURES.iter().any(|(_, own)| *own == key)
}

/// The taints that follow from the node's conditions and spec. What evicts for silence waits while
/// most nodes are silent; a verdict (which health withholds in that case) always counts.
fn due_taints(node: &Object, world: &dyn World) -> Vec<(&'static str, &'static str)> {
    let ready = conditions::find(node, "Ready").and_then(|ready| ready.at("status").as_str());
    let mut due = match ready {
        _ if dead_nodes::is_dead(node) => {
            vec![(UNREACHABLE, NO_SCHEDULE), (UNREACHABLE, NO_EXECUTE)]
        }
        Some("True") => Vec::new(),
        Some("Unknown") if Silence::of(world).stops_eviction() => vec![(UNREACHABLE, NO_SCHEDULE)],
        Some("Unknown") => vec![(UNREACHABLE, NO_SCHEDULE), (UNREACHABLE, NO_EXECUTE)],
        _ => vec![(NOT_READY, NO_SCHEDULE), (NOT_READY, NO_EXECUTE)],
    };
    for (condition, key) in PRESSURES {
        if conditions::is(node, condition, "True") {
            due.push((key, NO_SCHEDULE));
        }
    }
    if node.bool_at(&["spec", "unschedulable"]) == Some(true) {
        due.push((UNSCHEDULABLE, NO_SCHEDULE));
    }
    due
}

/// Says of the node's pods that they are not ready, so that no Service sends anything there. The
/// agent, when it is back, says what is true.
fn withdraw_pods(node: &Object, world: &dyn World, now: Now, plan: &mut Plan) {
    let ready = world.with_field(&POD, NODE_FIELD, node.name()).into_iter();
    for pod in ready.filter(|pod| pods::is_ready(pod)) {
        let mut conditions = Conditions::of(&pod, now.wall);
        let message = "The pod's node has not been heard of.";
        conditions.set("Ready", Says { status: "False", reason: "NodeNotReady", message });
        let mut status = pod.status().clone();
        status.set_path(&["conditions"], conditions.into_value());
        plan.set_status_exactly(&pod, &status);
    }
}

#[cfg(test)]
mod tests;
