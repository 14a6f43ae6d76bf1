//! Writes a pod's status as a strategic merge patch that says all of it.
//!
//! Way in: [`status_patch`].  Never: conditions of others; a patch leaves alone what it does not
//! name.
//! Spec: Kubernetes documentation, "Update API Objects in Place Using kubectl patch", the directives
//! `$patch: replace` and `$patch: delete`.

use actors_object::{Value, value};

use crate::resizing::CONDITIONS;

/// The patch that makes an object's status the one that [`crate::PodEffect::ReportStatus`] gave, if
/// the object still is the pod with this uid: what is no longer so is named as gone.
#[must_use]
pub fn status_patch(uid: &str, mut status: Value) -> Value {
    name_absent(&mut status, &["reason", "message", "podIP"]);
    // Lists of addresses are merged by address otherwise, and would keep those of an earlier
    // sandbox.
    for list in ["podIPs", "hostIPs"] {
        if let Some(items) = status.list_at_mut(&[list]) {
            items.push(value!({ "$patch": "replace" }));
        }
    }
    for condition in status.list_at_mut(&["conditions"]).into_iter().flatten() {
        name_absent(condition, &["reason", "message"]);
    }
    if let Some(conditions) = status.list_at_mut(&["conditions"]) {
        let is_there = |conditions: &[Value], kind: &str| {
            conditions.iter().any(|one| one.at("type").as_str() == Some(kind))
        };
        for kind in CONDITIONS {
            if !is_there(conditions, kind) {
                conditions.push(value!({ "type": kind, "$patch": "delete" }));
            }
        }
    }
    value!({ "metadata": { "uid": uid }, "status": status })
}

fn name_absent(value: &mut Value, names: &[&str]) {
    let map = value.make_map();
    for name in names {
        map.set_default(*name, Value::Null);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_names_what_is_gone_and_replaces_addresses() {
        let status = value!({
            "phase": "Running",
            "conditions": [{ "type": "Ready", "status": "True" }],
            "podIP": "10.42.0.5",
            "podIPs": [{ "ip": "10.42.0.5" }],
        });
        let expected = value!({ "metadata": { "uid": "u1" }, "status": {
            "phase": "Running",
            "conditions": [
                { "type": "Ready", "status": "True", "reason": null, "message": null },
                { "type": "PodResizePending", "$patch": "delete" },
                { "type": "PodResizeInProgress", "$patch": "delete" },
            ],
            "podIP": "10.42.0.5",
            "podIPs": [{ "ip": "10.42.0.5" }, { "$patch": "replace" }],
            "reason": null,
            "message": null,
        } });
        assert_eq!(status_patch("u1", status), expected);
    }
}
