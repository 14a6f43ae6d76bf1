//! Definitions of resources, and API servers behind this one.

use actors_core::Now;
use actors_object::{Object, Value};

use super::{AGE, Layout, NAME, age, column, string, text};

pub(super) const LAYOUTS: &[Layout] = &[
    Layout {
        group: "apiextensions.k8s.io",
        kind: "CustomResourceDefinition",
        columns: &[NAME, column("Created At", "date", 0)],
        cells: |object, _| vec![object.name().into(), object.creation_timestamp().into()],
    },
    Layout {
        group: "apiregistration.k8s.io",
        kind: "APIService",
        columns: &[NAME, text("Service"), text("Available"), AGE],
        cells: api_service,
    },
];

fn api_service(object: &Object, now: Now) -> Vec<Value> {
    let service = object.spec().at("service");
    let place = if service.is_null() {
        "Local".to_owned()
    } else {
        format!("{}/{}", string(service, &["namespace"]), string(service, &["name"]))
    };
    let mut conditions = object.list_at(&["status", "conditions"]).iter();
    let available = conditions.find(|one| string(one, &["type"]) == "Available");
    let word = available.map_or("Unknown", |one| string(one, &["status"]));
    let reason = available.map(|one| string(one, &["reason"])).unwrap_or_default();
    let available = match (word, reason) {
        ("True", _) | (_, "") => word.to_owned(),
        (word, reason) => format!("{word} ({reason})"),
    };
    vec![object.name().into(), place.into(), available.into(), age(object, now)]
}
