//! Definitions of resources, and API servers behind this one.

use actors_object::{Map, Object, Value, value};

use super::{Row, inner};

/// The defaults of both kinds.
pub(super) const DEFAULTS: &[Row] = &[
    ("apiextensions.k8s.io", "CustomResourceDefinition", default_definition),
    ("apiregistration.k8s.io", "APIService", |root| {
        if let Some(service) = inner(root, "spec").and_then(|spec| inner(spec, "service")) {
            service.set_default("port", 443);
        }
    }),
];

/// A definition: one object and a list are named after the kind, and versions differ by their name only.
fn default_definition(root: &mut Map) {
    let spec = root.entry_or_map("spec");
    let conversion = spec.entry_or_map("conversion");
    conversion.set_default("strategy", "None");
    let client = inner(conversion, "webhook").and_then(|webhook| inner(webhook, "clientConfig"));
    if let Some(service) = client.and_then(|client| inner(client, "service")) {
        service.set_default("port", 443);
    }
    let names = spec.entry_or_map("names");
    let kind = names.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
    if kind.is_empty() {
        return;
    }
    for (name, text) in
        [("singular", kind.to_ascii_lowercase()), ("listKind", format!("{kind}List"))]
    {
        if names.get(name).is_none_or(Value::is_empty_value) {
            names.insert(name, text);
        }
    }
}

/// A definition begins without accepted names, and with the version that its objects will be stored in.
pub(super) fn initial_status(definition: &Object) -> Value {
    let mut versions = definition.list_at(&["spec", "versions"]).iter();
    let stored = versions.find(|version| version.bool_at(&["storage"]) == Some(true));
    let stored: Vec<Value> = stored.map(|version| version.at("name").clone()).into_iter().collect();
    value!({
        "conditions": [],
        "acceptedNames": { "plural": "", "kind": "" },
        "storedVersions": Value::List(stored),
    })
}
