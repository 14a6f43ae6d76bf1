//! DefaultTolerationSeconds: a pod stays five minutes on a node that is not ready or cannot be
//! reached.

use actors_object::{Object, Value, value};

const SECONDS: i64 = 300;
const KEYS: [&str; 2] = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"];

/// Adds the two tolerations to a pod that says nothing about them.
pub(super) fn admit(pod: &mut Object) {
    for key in KEYS {
        if !pod.list_at(&["spec", "tolerations"]).iter().any(|it| tolerates(it, key)) {
            let toleration = value!({
                "key": key,
                "operator": "Exists",
                "effect": "NoExecute",
                "tolerationSeconds": SECONDS,
            });
            let spec = pod.0.make_map().entry_or_map("spec");
            spec.entry("tolerations", || value!([])).make_list().push(toleration);
        }
    }
}

fn tolerates(toleration: &Value, key: &str) -> bool {
    let text = |field: &str| toleration.at(field).as_str().unwrap_or_default();
    matches!(text("key"), found if found == key || found.is_empty())
        && matches!(text("effect"), "NoExecute" | "")
}
