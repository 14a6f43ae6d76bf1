//! Taints of nodes and tolerations of pods.
//!
//! Way in: [`tolerates`].  Spec: Kubernetes documentation, "Taints and Tolerations".

use actors_object::Value;

/// The effect that evicts.
pub(crate) const NO_EXECUTE: &str = "NoExecute";
/// The effect that keeps new pods away.
pub(crate) const NO_SCHEDULE: &str = "NoSchedule";

/// Whether `toleration` bears `taint`. Without a key and with `Exists` it bears all; without an
/// effect, each.
pub(crate) fn tolerates(toleration: &Value, taint: &Value) -> bool {
    let text = |value: &Value, field: &str| value.at(field).as_str().unwrap_or_default().to_owned();
    let effect = text(toleration, "effect");
    if !effect.is_empty() && effect != text(taint, "effect") {
        return false;
    }
    let key = text(toleration, "key");
    let exists = text(toleration, "operator") == "Exists";
    if key.is_empty() {
        return exists;
    }
    key == text(taint, "key") && (exists || text(toleration, "value") == text(taint, "value"))
}
