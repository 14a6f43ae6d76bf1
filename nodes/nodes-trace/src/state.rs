//! How an object is now, and why, in its own words.
//!
//! Way in: [`state_of`].  Spec: Kubernetes documentation, "Pod Lifecycle" (phases, conditions, container states).

use actors_object::{Object, Value};

/// One sentence a line: for a pod its phase, why it has no node, why containers wait or ended; for others the conditions
/// that say something.
#[must_use]
pub fn state_of(object: &Object) -> Vec<String> {
    let mut lines = Vec::new();
    if object.is_terminating() {
        lines.push("it is being deleted".to_owned());
    }
    if object.kind() == "Pod" {
        lines.push(phase(object));
    }
    let conditions = object.0.list_at(&["status", "conditions"]);
    lines.extend(conditions.iter().filter_map(|one| condition(object.kind(), one)));
    for list in ["initContainerStatuses", "containerStatuses"] {
        lines.extend(object.0.list_at(&["status", list]).iter().filter_map(container));
    }
    lines
}

fn phase(pod: &Object) -> String {
    let phase = pod.0.str_at(&["status", "phase"]).unwrap_or("Unknown");
    let why = [["status", "reason"], ["status", "message"]];
    let why: Vec<&str> = why.iter().filter_map(|path| pod.0.str_at(path)).collect();
    let node = pod.0.str_at(&["spec", "nodeName"]).filter(|node| !node.is_empty());
    let place = node.map_or("without a node".to_owned(), |node| format!("on node {node}"));
    match why.is_empty() {
        true => format!("{phase}, {place}"),
        false => format!("{phase}, {place}: {}", why.join(": ")),
    }
}

/// A pod's conditions are good when they are true, those of other kinds say themselves what they mean.
fn condition(kind: &str, condition: &Value) -> Option<String> {
    let text = |field: &str| condition.str_at(&[field]).unwrap_or_default();
    let (name, status, reason, message) =
        (text("type"), text("status"), text("reason"), text("message"));
    let is_quiet = message.is_empty() || (kind == "Pod" && status == "True");
    (!is_quiet).then(|| format!("{name}={status}: {reason}: {message}"))
}

fn container(status: &Value) -> Option<String> {
    let name = status.str_at(&["name"])?;
    let restarts = status.i64_at(&["restartCount"]).unwrap_or(0);
    let said = |state: &str| {
        let at = |field: &str| status.str_at(&["state", state, field]).unwrap_or_default();
        let text: Vec<&str> =
            [at("reason"), at("message")].into_iter().filter(|text| !text.is_empty()).collect();
        text.join(": ")
    };
    let present = |state: &str| status.path(&["state", state]).is_some();
    let mut line = if present("waiting") {
        format!("container {name} waits: {}", said("waiting"))
    } else if present("terminated") {
        let code = status.i64_at(&["state", "terminated", "exitCode"]).unwrap_or(0);
        format!("container {name} ended with code {code}: {}", said("terminated"))
    } else if restarts > 0 {
        format!("container {name} runs")
    } else {
        return None;
    };
    if restarts > 0 {
        let last = ["lastState", "terminated"];
        let code = status.path(&last).and_then(|state| state.i64_at(&["exitCode"]));
        let reason = status.path(&last).and_then(|state| state.str_at(&["reason"]));
        line.push_str(&format!("; restarted {restarts} times"));
        if let (Some(code), Some(reason)) = (code, reason) {
            line.push_str(&format!(", the last time after code {code} ({reason})"));
        }
    }
    Some(line)
}
