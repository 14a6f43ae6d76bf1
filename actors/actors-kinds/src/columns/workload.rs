//! Workloads that keep pods, and controller revisions.

use actors_core::Now;
use actors_object::{FieldPath, LabelSelector, Object, Value};

use super::{AGE, ColumnDefinition, Layout, NAME, age, column, joined, number, string, text, wide};

/// What sets and replication controllers show alike.
const COUNTED: &[ColumnDefinition] = &[
    NAME,
    column("Desired", "integer", 0),
    column("Current", "integer", 0),
    column("Ready", "integer", 0),
    AGE,
    wide("Containers"),
    wide("Images"),
    wide("Selector"),
];

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
    Layout { group: "apps", kind: "ReplicaSet", columns: COUNTED, cells: replica_set },
    Layout {
        group: "autoscaling",
        kind: "Scale",
        columns: &[NAME, column("Desired", "integer", 0), column("Available", "integer", 0), AGE],
        cells: scale,
    },
    Layout { group: "", kind: "ReplicationController", columns: COUNTED, cells: controller },
    Layout {
        group: "apps",
        kind: "StatefulSet",
        columns: &[NAME, text("Ready"), AGE, wide("Containers"), wide("Images")],
        cells: stateful_set,
    },
    Layout {
        group: "apps",
        kind: "DaemonSet",
        columns: &[
            NAME,
            column("Desired", "integer", 0),
            column("Current", "integer", 0),
            column("Ready", "integer", 0),
            column("Up-to-date", "integer", 0),
            column("Available", "integer", 0),
            text("Node Selector"),
            AGE,
            wide("Containers"),
            wide("Images"),
            wide("Selector"),
        ],
        cells: daemon_set,
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

/// What the `scale` subresource of a workload answers.
fn scale(object: &Object, now: Now) -> Vec<Value> {
    let count = |path: &[&str]| number(object, path).into();
    let (desired, there) = (count(&["spec", "replicas"]), count(&["status", "replicas"]));
    vec![object.name().into(), desired, there, age(object, now)]
}

fn replica_set(object: &Object, now: Now) -> Vec<Value> {
    let mut cells = counted(object, now);
    cells.extend(template(object));
    cells
}

fn controller(object: &Object, now: Now) -> Vec<Value> {
    let mut cells = counted(object, now);
    let [containers, images, _] = template(object);
    cells.extend([containers, images, labels(object.spec().at("selector")).into()]);
    cells
}

/// How many pods are wanted, there, and ready.
fn counted(object: &Object, now: Now) -> Vec<Value> {
    vec![
        object.name().into(),
        number(object, &["spec", "replicas"]).into(),
        number(object, &["status", "replicas"]).into(),
        number(object, &["status", "readyReplicas"]).into(),
        age(object, now),
    ]
}

fn stateful_set(object: &Object, now: Now) -> Vec<Value> {
    let ready = number(object, &["status", "readyReplicas"]);
    let wanted = number(object, &["spec", "replicas"]);
    let ready = format!("{ready}/{wanted}");
    let [containers, images, _] = template(object);
    vec![object.name().into(), ready.into(), age(object, now), containers, images]
}

fn daemon_set(object: &Object, now: Now) -> Vec<Value> {
    let count = |name: &str| number(object, &["status", name]).into();
    let nodes = object.path(&["spec", "template", "spec", "nodeSelector"]);
    let mut cells = vec![
        object.name().into(),
        count("desiredNumberScheduled"),
        count("currentNumberScheduled"),
        count("numberReady"),
        count("updatedNumberScheduled"),
        count("numberAvailable"),
        labels(nodes.unwrap_or(&Value::Null)).into(),
        age(object, now),
    ];
    cells.extend(template(object));
    cells
}

/// A map of labels in one text, in order of their keys.
fn labels(map: &Value) -> String {
    let entries = map.as_map().into_iter().flat_map(|map| map.iter());
    let mut pairs: Vec<String> = entries
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    pairs.sort();
    if pairs.is_empty() { "<none>".to_owned() } else { pairs.join(",") }
}

/// What a workload runs, and how it finds its pods.
pub(super) fn template(object: &Object) -> [Value; 3] {
    let containers = object.list_at(&["spec", "template", "spec", "containers"]);
    let selector = selector(object.spec().at("selector"));
    [joined(containers, "name").into(), joined(containers, "image").into(), selector.into()]
}

/// A selector in one text.
pub(super) fn selector(selector: &Value) -> String {
    let selector = LabelSelector::from_value(selector, &FieldPath::root());
    let selector = selector.map_or_else(|_| String::new(), |selector| selector.to_string());
    if selector.is_empty() { "<none>".to_owned() } else { selector }
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
