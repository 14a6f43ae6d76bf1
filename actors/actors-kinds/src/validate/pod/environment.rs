//! The environment of a container: literal values, and values from elsewhere.
//!
//! Spec: documentation, "define environment variables", "downward API".

use crate::validate::{Errors, Spot, text};

const SOURCES: [&str; 5] =
    ["configMapKeyRef", "fieldRef", "fileKeyRef", "resourceFieldRef", "secretKeyRef"];
/// Fields of the pod that can be in the environment.
const FIELDS: [&str; 9] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];
const RESOURCES: [&str; 6] = [
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
];

/// `env` and `envFrom`.
pub(super) fn validate(container: &Spot<'_>, out: &mut Errors) {
    for variable in container.each("env") {
        out.check_required(&variable.field("name"), text::env_name);
        let from = variable.field("valueFrom");
        if from.is_set() {
            validate_source(&variable, &from, out);
        }
    }
    for source in container.each("envFrom") {
        out.check(&source.field("prefix"), text::env_name);
        let set =
            ["configMapRef", "secretRef"].into_iter().filter(|name| source.field(name).is_set());
        let set: Vec<&str> = set.collect();
        match set.as_slice() {
            [] => out.invalid(&source, "must have `configMapRef` or `secretRef`"),
            [one] => out.check_required(&source.field(one).field("name"), text::dns_subdomain),
            _ => out.invalid(&source, "must have one source only"),
        }
    }
}

fn validate_source(variable: &Spot<'_>, from: &Spot<'_>, out: &mut Errors) {
    let set: Vec<&str> = SOURCES.into_iter().filter(|name| from.field(name).is_set()).collect();
    if set.is_empty() {
        out.invalid(from, "must have a source, such as `fieldRef` or `secretKeyRef`");
    } else if set.len() > 1 {
        out.invalid(from, "must have one source only");
    } else if !variable.field("value").is_empty() {
        out.invalid(from, "cannot stand beside a `value`");
    }
    for name in set {
        let source = from.field(name);
        match name {
            "fieldRef" => validate_field(&source, &FIELDS, out),
            "resourceFieldRef" => validate_resource(&source, out),
            "fileKeyRef" => {
                out.check_required(&source.field("volumeName"), text::dns_label);
                out.check_required(&source.field("path"), text::local_path);
                out.check_required(&source.field("key"), text::env_name);
            }
            _ => {
                out.check_required(&source.field("name"), text::dns_subdomain);
                out.check_required(&source.field("key"), text::config_key);
            }
        }
    }
}

/// A field of the pod; single labels and annotations are written `metadata.labels['key']`.
pub(super) fn validate_field(source: &Spot<'_>, allowed: &[&str], out: &mut Errors) {
    let version = source.field("apiVersion");
    if !matches!(version.text(), "" | "v1") {
        out.one_of(&version, &["v1"]);
    }
    let path = source.field("fieldPath");
    if path.is_empty() {
        out.required(&path, "");
    } else if let Some((map, key)) = subscript(path.text()) {
        if !matches!(map, "metadata.annotations" | "metadata.labels") {
            out.invalid(&path, "has no parts to choose from");
        } else {
            out.invalid_each(&path, &text::qualified_name(&key.to_ascii_lowercase()));
        }
    } else {
        out.one_of(&path, allowed);
    }
}

/// `metadata.labels['app']` is `metadata.labels` and `app`.
fn subscript(path: &str) -> Option<(&str, &str)> {
    path.strip_suffix("']")?.split_once("['")
}

/// A resource of a container.
pub(super) fn validate_resource(source: &Spot<'_>, out: &mut Errors) {
    let resource = source.field("resource");
    let name = resource.text();
    let is_huge = name.starts_with("limits.hugepages-") || name.starts_with("requests.hugepages-");
    if !is_huge {
        out.one_of_required(&resource, &RESOURCES);
    }
}
