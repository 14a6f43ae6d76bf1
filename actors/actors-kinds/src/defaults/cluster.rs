//! Namespaces, nodes, Secrets, bindings, priority classes.

use actors_object::{Map, Value};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::each;

const RBAC: &str = "rbac.authorization.k8s.io";

/// A Namespace: selectable by its name, and emptied before it goes.
pub(super) fn default_namespace(root: &mut Map) {
    let metadata = root.entry_or_map("metadata");
    let name = metadata.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    if !name.is_empty() {
        metadata.entry_or_map("labels").insert("kubernetes.io/metadata.name", name);
    }
    let is_new = metadata.get("uid").is_none_or(Value::is_empty_value);
    let spec = root.entry_or_map("spec");
    // The namespace controller takes the finalizer away at the end, and it may not come back.
    if is_new {
        spec.set_default("finalizers", vec![Value::from("kubernetes")]);
    }
}

/// A Node: all it has can be used.
pub(super) fn default_node(root: &mut Map) {
    let Some(status) = root.get_mut("status").and_then(Value::as_map_mut) else { return };
    if let Some(capacity) = status.get("capacity").cloned() {
        status.set_default("allocatable", capacity);
    }
}

/// A Secret: `stringData` is a way to write `data`, and is never read back.
pub(super) fn default_secret(root: &mut Map) {
    root.set_default("type", "Opaque");
    let Some(plain) = root.remove("stringData") else { return };
    let Value::Map(plain) = plain else {
        return;
    };
    if plain.is_empty() {
        return;
    }
    let data = root.entry_or_map("data");
    for (key, text) in plain {
        data.insert(key, STANDARD.encode(text.as_str().unwrap_or_default()));
    }
}

/// A binding: users, groups and roles are RBAC's own.
pub(super) fn default_binding(root: &mut Map) {
    default_text(root.entry_or_map("roleRef"), "apiGroup", RBAC);
    for subject in each(root, "subjects") {
        if subject.get("kind").is_some_and(|kind| matches!(kind.as_str(), Some("Group" | "User"))) {
            default_text(subject, "apiGroup", RBAC);
        }
    }
}

/// A priority class: its pods may push others out.
pub(super) fn default_priority_class(root: &mut Map) {
    root.set_default("preemptionPolicy", "PreemptLowerPriority");
}

fn default_text(above: &mut Map, field: &str, text: &str) {
    if above.get(field).is_none_or(Value::is_empty_value) {
        above.insert(field, text);
    }
}
