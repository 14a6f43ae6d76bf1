//! Deployments, `ReplicaSet`s, controller revisions.

use actors_core::Now;
use actors_object::{FieldPath, LabelSelector, Object, Value};

use super::{AGE, Layout, NAME, age, column, joined, number, string, text, wide};

pub(super) const LAYOUTS: &[Layout] = &[
    Layout {
        group: "apps",
        kind: "Deployment",
        columns: &[
            NAME,
            text("Ready"),
            column("Up-to-date", "integer", 0),
            column("Available", "integer", 0),
            AGE,
            wide("Containers"),
            wide("Images"),
            wide("Selector"),
        ],
        cells: deployment,
    },
    Layout {
        group: "apps",
        kind: "ReplicaSet",
        columns: &[
            NAME,
            column("Desired", "integer", 0),
            column("Current", "integer", 0),
            column("Ready", "integer", 0),
            AGE,
            wide("Containers"),
            wide("Images"),
            wide("Selector"),
        ],
        cells: replica_set,
    },
    Layout {
        group: "apps",
        kind: "ControllerRevision",
        columns: &[NAME, text("Controller"), column("Revision", "integer", 0), AGE],
        cells: revision,
    },
];

fn deployment(object: &Object, now: Now) -> Vec<Value> {
    let ready = number(object, &["status", "readyReplicas"]);
    let wanted = number(object, &["spec", "replicas"]);
    let mut cells = vec![
        object.name().into(),
        format!("{ready}/{wanted}").into(),
        number(object, &["status", "updatedReplicas"]).into(),
        number(object, &["status", "availableReplicas"]).into(),
        age(object, now),
    ];
    cells.extend(template(object));
    cells
}

fn replica_set(object: &Object, now: Now) -> Vec<Value> {
    let mut cells = vec![
        object.name().into(),
        number(object, &["spec", "replicas"]).into(),
        number(object, &["status", "replicas"]).into(),
        number(object, &["status", "readyReplicas"]).into(),
        age(object, now),
    ];
    cells.extend(template(object));
    cells
}

/// What a workload runs, and how it finds its pods.
fn template(object: &Object) -> [Value; 3] {
    let containers = object.list_at(&["spec", "template", "spec", "containers"]);
    let selector = LabelSelector::from_value(object.spec().at("selector"), &FieldPath::root());
    let selector = selector.map_or_else(|_| String::new(), |selector| selector.to_string());
    let selector = if selector.is_empty() { "<none>".to_owned() } else { selector };
    [joined(containers, "name").into(), joined(containers, "image").into(), selector.into()]
}

fn revision(object: &Object, now: Now) -> Vec<Value> {
    let controller = object.controller_of().map_or_else(
        || "<none>".to_owned(),
        |owner| {
            let group = owner.api_version.split_once('/').map(|(group, _)| format!(".{group}"));
            let kind = owner.kind.to_ascii_lowercase();
            format!("{kind}{}/{}", group.unwrap_or_default(), owner.name)
        },
    );
    let revision = number(object, &["revision"]);
    vec![object.name().into(), controller.into(), revision.into(), age(object, now)]
}

/// An object as people name it: `pod/web-0`.
pub(super) fn reference(about: &Value) -> String {
    let (kind, name) = (string(about, &["kind"]), string(about, &["name"]));
    format!("{}/{name}", kind.to_ascii_lowercase())
}
