//! Which fields of a kind can be selected on.
//!
//! Spec: documentation, "field selectors": `metadata.name` and `metadata.namespace` of every kind, and a few
//! more of some.

use actors_object::{Object, Value};

use crate::registry::KindFacts;

/// Pods: the last is written as `podIP`, and holds the first of the addresses.
const PODS: &[&str] = &[
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.schedulerName",
    "spec.serviceAccountName",
    "spec.hostNetwork",
    "status.phase",
    "status.podIP",
    "status.nominatedNodeName",
];
const EVENTS: &[&str] = &[
    "involvedObject.kind",
    "involvedObject.namespace",
    "involvedObject.name",
    "involvedObject.uid",
    "involvedObject.apiVersion",
    "involvedObject.resourceVersion",
    "involvedObject.fieldPath",
    "reason",
    "reportingComponent",
    "source",
    "type",
];
const NEW_EVENTS: &[&str] = &[
    "regarding.kind",
    "regarding.namespace",
    "regarding.name",
    "regarding.uid",
    "regarding.apiVersion",
    "regarding.resourceVersion",
    "regarding.fieldPath",
    "reason",
    "reportingController",
    "type",
];

fn labels(kind: &KindFacts) -> &'static [&'static str] {
    match (kind.gvk.group.as_str(), kind.gvk.kind.as_str()) {
        ("", "Pod") => PODS,
        ("", "Event") => EVENTS,
        ("events.k8s.io", "Event") => NEW_EVENTS,
        ("", "Secret") => &["type"],
        ("", "Node") => &["spec.unschedulable"],
        ("", "Namespace") => &["status.phase"],
        ("", "Service") => &["spec.clusterIP", "spec.type"],
        ("certificates.k8s.io", "CertificateSigningRequest") => &["spec.signerName"],
        ("resource.k8s.io", "ResourceSlice") => &["spec.driver", "spec.nodeName"],
        ("apps", "ReplicaSet") | ("", "ReplicationController") => &["status.replicas"],
        ("batch", "Job") => &["status.successful"],
        _ => &[],
    }
}

/// Whether objects of a kind can be selected by a field.
#[must_use]
pub fn is_selectable(kind: &KindFacts, field: &str) -> bool {
    match field {
        "metadata.name" => true,
        "metadata.namespace" => kind.namespaced,
        other => labels(kind).contains(&other),
    }
}

/// The fields that an object of a kind can be selected by, with their values; without metadata's, which is part
/// of its key.
#[must_use]
pub fn selectable_fields(kind: &KindFacts, object: &Object) -> Vec<(String, String)> {
    labels(kind).iter().map(|field| ((*field).to_owned(), text_of(field, object))).collect()
}

fn text_of(field: &str, object: &Object) -> String {
    let path: Vec<&str> = match field {
        "source" => vec!["source", "component"],
        "status.successful" => vec!["status", "succeeded"],
        other => other.split('.').collect(),
    };
    match object.path(&path) {
        Some(Value::String(text)) => text.to_string(),
        Some(Value::Bool(flag)) => flag.to_string(),
        Some(Value::Int(number)) => number.to_string(),
        _ if matches!(field, "spec.hostNetwork" | "spec.unschedulable") => "false".to_owned(),
        _ if matches!(field, "status.replicas" | "status.successful") => "0".to_owned(),
        _ if field == "source" => {
            object.str_at(&["reportingComponent"]).unwrap_or_default().to_owned()
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use actors_object::value;

    use super::*;
    use crate::Registry;

    #[test]
    fn pods_are_found_by_node_and_phase() {
        let registry = Registry::builtin().expect("the tables are good");
        let pods = registry.resource("", "v1", "pods").expect("pods are served");
        let pod =
            Object(value!({ "spec": { "nodeName": "n1" }, "status": { "phase": "Running" } }));
        let fields = selectable_fields(pods, &pod);
        assert!(fields.contains(&("spec.nodeName".to_owned(), "n1".to_owned())));
        assert!(fields.contains(&("spec.hostNetwork".to_owned(), "false".to_owned())));
        assert!(is_selectable(pods, "status.phase") && is_selectable(pods, "metadata.namespace"));
        assert!(!is_selectable(pods, "spec.containers"));
    }

    #[test]
    fn events_are_found_by_what_they_are_about() {
        let registry = Registry::builtin().expect("the tables are good");
        let events = registry.resource("", "v1", "events").expect("events are served");
        let event = Object(value!({
            "involvedObject": { "kind": "Pod", "name": "p" }, "reportingComponent": "scheduler",
        }));
        let fields = selectable_fields(events, &event);
        assert!(fields.contains(&("involvedObject.name".to_owned(), "p".to_owned())));
        assert!(fields.contains(&("source".to_owned(), "scheduler".to_owned())));
    }
}
