//! What is written on a Node object that dies or comes back.
//!
//! Way in: [`taint_dead`], [`untaint`], [`unknown_conditions`].  Spec: Kubernetes documentation,
//! "Node Status", "Taints and Tolerations".

use actors_controllers::dead_nodes::{self, NODE_DEAD, UNREACHABLE};
use actors_core::Wall;
use actors_object::{Object, Value, timefmt, value};

/// The conditions that an agent reports, and that nobody knows when it is silent.
const REPORTED: [&str; 4] = ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"];

/// The status of the condition `Ready`.
pub(super) fn ready(node: &Object) -> Option<&str> {
    let conditions = node.list_at(&["status", "conditions"]);
    let ready = conditions.iter().find(|one| one.at("type").as_str() == Some("Ready"))?;
    ready.at("status").as_str()
}

/// Whether one of our agents has reported this node: others are not members, and have other ways
/// to be heard.
pub(super) fn is_ours(node: &Object) -> bool {
    let runtime = node.str_at(&["status", "nodeInfo", "containerRuntimeVersion"]);
    runtime.is_some_and(|runtime| runtime.starts_with("starling://"))
}

/// The patch that adds the taints of a dead node; `None` if it has them.
///
/// Upstream's taint comes with it, so that the node evicts and refuses pods from one write on.
pub(super) fn taint_dead(node: &Object, now: Wall) -> Option<Value> {
    if dead_nodes::is_dead(node) {
        return None;
    }
    let mut taints = node.list_at(&["spec", "taints"]).to_vec();
    let stamp = timefmt::seconds(now);
    let wanted = [
        value!({ "key": NODE_DEAD, "effect": "NoExecute", "timeAdded": stamp.as_str() }),
        value!({ "key": UNREACHABLE, "effect": "NoSchedule" }),
        value!({ "key": UNREACHABLE, "effect": "NoExecute", "timeAdded": stamp }),
    ];
    for taint in wanted {
        let same = |one: &Value| ["key", "effect"].iter().all(|it| one.at(it) == taint.at(it));
        if !taints.iter().any(same) {
            taints.push(taint);
        }
    }
    Some(value!({ "spec": { "taints": Value::List(taints) } }))
}

/// The patch that takes away what [`taint_dead`] added.
pub(super) fn untaint(node: &Object) -> Value {
    let mut taints = node.list_at(&["spec", "taints"]).to_vec();
    taints.retain(|one| !matches!(one.at("key").as_str(), Some(NODE_DEAD | UNREACHABLE)));
    let list = if taints.is_empty() { Value::Null } else { Value::List(taints) };
    value!({ "spec": { "taints": list } })
}

/// The status with every reported condition unknown; `None` if it says so, or has never said
/// anything.
pub(super) fn unknown_conditions(node: &Object, evidence: &str, now: Wall) -> Option<Value> {
    if matches!(ready(node), None | Some("Unknown")) {
        return None;
    }
    let stamp = timefmt::seconds(now);
    let message = match evidence {
        "" => "The node is dead: nobody hears of it.".to_owned(),
        evidence => format!("The node is dead: {evidence}."),
    };
    let mut conditions = node.list_at(&["status", "conditions"]).to_vec();
    for one in &mut conditions {
        let reported = one.at("type").as_str().is_some_and(|kind| REPORTED.contains(&kind));
        if reported && one.at("status").as_str() != Some("Unknown") {
            one.set_path(&["status"], "Unknown");
            one.set_path(&["reason"], "NodeStatusUnknown");
            one.set_path(&["message"], message.as_str());
            one.set_path(&["lastTransitionTime"], stamp.as_str());
        }
    }
    let mut status = node.status().clone();
    status.set_path(&["conditions"], conditions);
    Some(status)
}
