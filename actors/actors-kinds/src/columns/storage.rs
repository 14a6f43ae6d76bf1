//! Volumes, claims, classes and drivers of volumes; limits, templates and parts of the control plane beside them.

use actors_core::Now;
use actors_object::{LabelSelector, Object, Value};

use super::{
    AGE, ColumnDefinition, Layout, NAME, age, column, joined, or_none, string, text, wide,
};

const GROUP: &str = "storage.k8s.io";

const fn layout(
    group: &'static str,
    kind: &'static str,
    columns: &'static [ColumnDefinition],
    cells: super::Cells,
) -> Layout {
    Layout { group, kind, columns, cells }
}

pub(super) const LAYOUTS: &[Layout] = &[
    layout("", "PersistentVolume", VOLUME, volume),
    layout("", "PersistentVolumeClaim", CLAIM, claim),
    layout("", "ResourceQuota", &[NAME, text("Request"), text("Limit"), AGE], quota),
    layout("", "LimitRange", &[NAME, column("Created At", "date", 0)], |it, _| {
        vec![it.name().into(), it.creation_timestamp().into()]
    }),
    layout("", "PodTemplate", TEMPLATE, template),
    layout("", "ComponentStatus", &[NAME, text("Status"), text("Message"), text("Error")], part),
    layout(GROUP, "StorageClass", CLASS, class),
    layout(GROUP, "VolumeAttributesClass", &[NAME, text("DriverName"), AGE], |it, now| {
        let name = marked(it, &["volumeattributesclass.alpha.kubernetes.io/is-default-class"]);
        vec![name.into(), string(it, &["driverName"]).into(), age(it, now)]
    }),
    layout(GROUP, "VolumeAttachment", ATTACHMENT, attachment),
    layout(GROUP, "CSIDriver", DRIVER, driver),
    layout(GROUP, "CSINode", &[NAME, column("Drivers", "integer", 0), AGE], |it, now| {
        let count = it.list_at(&["spec", "drivers"]).len();
        vec![it.name().into(), count.into(), age(it, now)]
    }),
    layout(
        GROUP,
        "CSIStorageCapacity",
        &[NAME, text("StorageClassName"), text("Capacity")],
        |it, _| {
            let class = string(it, &["storageClassName"]);
            vec![it.name().into(), class.into(), or_unset(it.at("capacity"))]
        },
    ),
];

const VOLUME: &[ColumnDefinition] = &[
    NAME,
    text("Capacity"),
    text("Access Modes"),
    text("Reclaim Policy"),
    text("Status"),
    text("Claim"),
    text("StorageClass"),
    text("VolumeAttributesClass"),
    text("Reason"),
    AGE,
    wide("VolumeMode"),
];
const CLAIM: &[ColumnDefinition] = &[
    NAME,
    text("Status"),
    text("Volume"),
    text("Capacity"),
    text("Access Modes"),
    text("StorageClass"),
    text("VolumeAttributesClass"),
    AGE,
    wide("VolumeMode"),
];
const TEMPLATE: &[ColumnDefinition] =
    &[NAME, text("Containers"), text("Images"), text("Pod Labels")];
const CLASS: &[ColumnDefinition] = &[
    NAME,
    text("Provisioner"),
    text("ReclaimPolicy"),
    text("VolumeBindingMode"),
    text("AllowVolumeExpansion"),
    AGE,
];
const ATTACHMENT: &[ColumnDefinition] = &[
    NAME,
    ColumnDefinition { name: "Attacher", sort: "string", format: "name", priority: 0 },
    text("PV"),
    text("Node"),
    column("Attached", "boolean", 0),
    AGE,
];
const DRIVER: &[ColumnDefinition] = &[
    NAME,
    column("AttachRequired", "boolean", 0),
    column("PodInfoOnMount", "boolean", 0),
    column("StorageCapacity", "boolean", 0),
    text("TokenRequests"),
    column("RequiresRepublish", "boolean", 0),
    text("Modes"),
    AGE,
];

/// A value as it is, `<unset>` if there is none.
fn or_unset(value: &Value) -> Value {
    if value.is_null() { "<unset>".into() } else { value.clone() }
}

/// An amount as text; `0` if there is none.
fn amount(value: &Value) -> Value {
    if value.is_null() { "0".into() } else { value.clone() }
}

/// The short words for ways to mount, in a fixed order.
fn modes(list: &[Value]) -> Value {
    const WORDS: [(&str, &str); 4] = [
        ("ReadWriteOnce", "RWO"),
        ("ReadOnlyMany", "ROX"),
        ("ReadWriteMany", "RWX"),
        ("ReadWriteOncePod", "RWOP"),
    ];
    let has = |mode: &str| list.iter().any(|one| one.as_str() == Some(mode));
    let words = WORDS.iter().filter(|(mode, _)| has(mode)).map(|(_, word)| *word);
    words.collect::<Vec<_>>().join(",").into()
}

/// `Terminating` while an object is being deleted, else its phase.
fn phase(object: &Object) -> Value {
    let is_going = !object.at("metadata").at("deletionTimestamp").is_null();
    if is_going { "Terminating".into() } else { string(object, &["status", "phase"]).into() }
}

/// The class of a volume or claim; an annotation of old comes first.
fn class_of(object: &Object) -> Value {
    let old = object.annotation("volume.beta.kubernetes.io/storage-class");
    old.unwrap_or_else(|| string(object, &["spec", "storageClassName"])).into()
}

fn volume(object: &Object, now: Now) -> Vec<Value> {
    let claim = object.spec().at("claimRef");
    let claim = if claim.is_null() {
        String::new()
    } else {
        format!("{}/{}", string(claim, &["namespace"]), string(claim, &["name"]))
    };
    vec![
        object.name().into(),
        amount(object.spec().at("capacity").at("storage")),
        modes(object.list_at(&["spec", "accessModes"])),
        string(object, &["spec", "persistentVolumeReclaimPolicy"]).into(),
        phase(object),
        claim.into(),
        class_of(object),
        or_unset(object.spec().at("volumeAttributesClassName")),
        string(object, &["status", "reason"]).into(),
        age(object, now),
        or_unset(object.spec().at("volumeMode")),
    ]
}

fn claim(object: &Object, now: Now) -> Vec<Value> {
    let volume = string(object, &["spec", "volumeName"]);
    let (capacity, modes) = if volume.is_empty() {
        ("".into(), "".into())
    } else {
        let status = object.at("status");
        (amount(status.at("capacity").at("storage")), modes(status.list_at(&["accessModes"])))
    };
    vec![
        object.name().into(),
        phase(object),
        volume.into(),
        capacity,
        modes,
        class_of(object),
        or_unset(object.spec().at("volumeAttributesClassName")),
        age(object, now),
        or_unset(object.spec().at("volumeMode")),
    ]
}

/// `cpu: 1/2, pods: 3/10`; limits in a column of their own.
fn quota(object: &Object, now: Now) -> Vec<Value> {
    let (hard, used) = (object.map_at(&["status", "hard"]), object.at("status").at("used"));
    let mut names: Vec<&str> = hard.iter().map(|(name, _)| &**name).collect();
    names.sort_unstable();
    let text = |value: &Value| {
        amount(value).as_str().map_or_else(|| actors_object::json::to_string(value), str::to_owned)
    };
    let cells = |is_limit: bool| {
        let names = names.iter().filter(|name| name.starts_with("limits.") == is_limit);
        let hard = object.at("status").at("hard");
        let cell = |name: &&str| format!("{name}: {}/{}", text(used.at(name)), text(hard.at(name)));
        names.map(cell).collect::<Vec<_>>().join(", ")
    };
    vec![object.name().into(), cells(false).into(), cells(true).into(), age(object, now)]
}

fn template(object: &Object, _now: Now) -> Vec<Value> {
    let containers = object.list_at(&["template", "spec", "containers"]);
    let labels = LabelSelector::from_map(object.map_at(&["template", "metadata", "labels"]));
    vec![
        object.name().into(),
        joined(containers, "name").into(),
        joined(containers, "image").into(),
        or_none(&labels.to_string()),
    ]
}

fn part(object: &Object, _now: Now) -> Vec<Value> {
    let mut conditions = object.list_at(&["conditions"]).iter();
    let healthy = conditions.find(|one| string(one, &["type"]) == "Healthy");
    let status = match healthy.map(|one| string(one, &["status"])) {
        Some("True") => "Healthy",
        Some(_) => "Unhealthy",
        None => "Unknown",
    };
    let of = |field: &str| healthy.map(|one| string(one, &[field])).unwrap_or_default();
    vec![object.name().into(), status.into(), of("message").into(), of("error").into()]
}

/// The name of an object, with a word behind it if it is the default of its kind.
fn marked(object: &Object, annotations: &[&str]) -> String {
    let is_default = annotations.iter().any(|name| object.annotation(name) == Some("true"));
    format!("{}{}", object.name(), if is_default { " (default)" } else { "" })
}

fn class(object: &Object, now: Now) -> Vec<Value> {
    let annotations = [
        "storageclass.kubernetes.io/is-default-class",
        "storageclass.beta.kubernetes.io/is-default-class",
    ];
    let or = |field: &str, default: &'static str| match string(object, &[field]) {
        "" => default.into(),
        text => text.into(),
    };
    vec![
        marked(object, &annotations).into(),
        string(object, &["provisioner"]).into(),
        or("reclaimPolicy", "Delete"),
        or("volumeBindingMode", "Immediate"),
        is_true(object, &["allowVolumeExpansion"]),
        age(object, now),
    ]
}

fn is_true(object: &Object, path: &[&str]) -> Value {
    (object.bool_at(path) == Some(true)).into()
}

fn attachment(object: &Object, now: Now) -> Vec<Value> {
    vec![
        object.name().into(),
        string(object, &["spec", "attacher"]).into(),
        string(object, &["spec", "source", "persistentVolumeName"]).into(),
        string(object, &["spec", "nodeName"]).into(),
        is_true(object, &["status", "attached"]),
        age(object, now),
    ]
}

fn driver(object: &Object, now: Now) -> Vec<Value> {
    let spec = object.spec();
    let modes: Vec<&str> =
        spec.list_at(&["volumeLifecycleModes"]).iter().filter_map(Value::as_str).collect();
    let requests = match spec.at("tokenRequests").as_list() {
        Some(requests) => joined(requests, "audience").into(),
        None => "<unset>".into(),
    };
    vec![
        object.name().into(),
        (spec.bool_at(&["attachRequired"]) != Some(false)).into(),
        is_true(object, &["spec", "podInfoOnMount"]),
        is_true(object, &["spec", "storageCapacity"]),
        requests,
        is_true(object, &["spec", "requiresRepublish"]),
        or_none(&modes.join(",")),
        age(object, now),
    ]
}
