//! Classes of volumes, drivers, volumes and the claims on them; limits and templates beside them.

use actors_object::{Map, Value};

use super::{Row, each, inner, pod};

const GROUP: &str = "storage.k8s.io";

/// The defaults of these kinds.
pub(super) const DEFAULTS: &[Row] = &[
    ("", "LimitRange", default_limit_range),
    ("", "PersistentVolume", default_volume),
    ("", "PersistentVolumeClaim", default_claim),
    ("", "PodTemplate", default_template),
    (GROUP, "CSIDriver", default_driver),
    (GROUP, "StorageClass", default_class),
];

/// A class: volumes go with their claims, and are made at once.
fn default_class(root: &mut Map) {
    root.set_default("reclaimPolicy", "Delete");
    root.set_default("volumeBindingMode", "Immediate");
}

/// A driver: it attaches, and does nothing that must be asked for.
fn default_driver(root: &mut Map) {
    let spec = root.entry_or_map("spec");
    spec.set_default("attachRequired", true);
    spec.set_default("fsGroupPolicy", "ReadWriteOnceWithFSType");
    for name in ["podInfoOnMount", "requiresRepublish", "seLinuxMount", "storageCapacity"] {
        spec.set_default(name, false);
    }
    if spec.get("volumeLifecycleModes").is_none_or(Value::is_empty_value) {
        spec.insert("volumeLifecycleModes", vec![Value::from("Persistent")]);
    }
}

/// A volume: kept when its claim goes, and mounted as a file system.
fn default_volume(root: &mut Map) {
    let spec = root.entry_or_map("spec");
    spec.set_default("persistentVolumeReclaimPolicy", "Retain");
    spec.set_default("volumeMode", "Filesystem");
    if let Some(path) = inner(spec, "hostPath") {
        path.set_default("type", "");
    }
    if let Some(target) = inner(spec, "iscsi") {
        target.set_default("iscsiInterface", "default");
    }
    if let Some(image) = inner(spec, "rbd") {
        for (name, value) in [("keyring", "/etc/ceph/keyring"), ("pool", "rbd"), ("user", "admin")]
        {
            image.set_default(name, value);
        }
    }
}

/// A claim: on a file system. The two ways to name what it begins with say the same.
fn default_claim(root: &mut Map) {
    let spec = root.entry_or_map("spec");
    spec.set_default("volumeMode", "Filesystem");
    let (one, other) = (spec.get("dataSource").cloned(), spec.get("dataSourceRef").cloned());
    match (one, other) {
        (Some(one), None) => {
            spec.set_default("dataSourceRef", one);
        }
        (None, Some(other)) if other.at("namespace").is_empty_value() => {
            spec.set_default("dataSource", other);
        }
        _ => {}
    }
}

/// A limit range: what a container gets where only a bound is said.
fn default_limit_range(root: &mut Map) {
    for limit in each(root.entry_or_map("spec"), "limits") {
        if limit.get("type").and_then(Value::as_str) != Some("Container") {
            continue;
        }
        for (from, to) in
            [("max", "default"), ("default", "defaultRequest"), ("min", "defaultRequest")]
        {
            let Some(known) = limit.get(from).and_then(Value::as_map).cloned() else { continue };
            let filled = limit.entry_or_map(to);
            for (name, amount) in known {
                filled.set_default(name, amount);
            }
        }
    }
}

/// A template: its pods' defaults.
fn default_template(root: &mut Map) {
    if let Some(spec) = inner(root, "template").and_then(|template| inner(template, "spec")) {
        pod::default_spec(spec);
    }
}
