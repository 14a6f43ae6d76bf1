//! `PersistentVolumeClaim`: the wish for a volume.

use actors_object::FieldError;

use super::{
    validate_attributes_change, validate_classes, validate_mode_change, validate_modes,
    validate_volume_mode,
};
use crate::validate::{Errors, PLAIN, Rules, Spot, amount, errors::is_same, selector, text};

pub(super) const RULES: Rules = Rules {
    kind: "PersistentVolumeClaim",
    object: validate,
    change: validate_change,
    status: validate_status,
    ..PLAIN
};

/// What becomes of a claim's size while it grows.
const GROWTH: [&str; 5] = [
    "ControllerResizeInProgress",
    "ControllerResizeInfeasible",
    "NodeResizeInProgress",
    "NodeResizeInfeasible",
    "NodeResizePending",
];

fn validate(root: &Spot<'_>, out: &mut Errors) {
    validate_spec(&root.field("spec"), out);
}

/// The spec of a claim, also of one in a template.
pub(in crate::validate) fn validate_spec(spec: &Spot<'_>, out: &mut Errors) {
    validate_modes(spec, "at least 1 access mode is required", out);
    validate_volume_mode(spec, out);
    selector::validate(&spec.field("selector"), out);
    let resources = spec.field("resources");
    let requests = resources.field("requests");
    let size = requests.field("storage");
    // The path is the one that clients know.
    let path = resources.path().push_key("storage");
    match amount::read(&size) {
        Some(amount) if amount.nanos() <= 0 => {
            let value = size.value.clone();
            out.push(FieldError::invalid(&path, value, "must be greater than zero"));
        }
        None if !size.is_set() => out.push(FieldError::required(&path, "")),
        _ => {}
    }
    validate_classes(spec, out);
    for name in ["dataSource", "dataSourceRef"] {
        validate_source(&spec.field(name), out);
    }
    validate_same_source(spec, out);
}

/// What a new volume begins with: a claim, a snapshot, or something that a populator knows.
fn validate_source(source: &Spot<'_>, out: &mut Errors) {
    if !source.is_set() {
        return;
    }
    out.filled(&source.field("name"));
    let kind = source.field("kind");
    out.filled(&kind);
    let group = source.field("apiGroup");
    if group.is_empty() {
        if kind.text() != "PersistentVolumeClaim" {
            let detail = "must be 'PersistentVolumeClaim' when referencing the default apiGroup";
            out.invalid_value(source, kind.text(), detail);
        }
    } else {
        out.check(&group, text::dns_subdomain);
    }
    out.check(&source.field("namespace"), text::dns_label);
}

/// The two ways to name a source name the same one; one in another namespace has one way only.
fn validate_same_source(spec: &Spot<'_>, out: &mut Errors) {
    let (one, other) = (spec.field("dataSource"), spec.field("dataSourceRef"));
    if !one.is_set() || !other.is_set() {
        return;
    }
    if !other.field("namespace").is_empty() {
        let detail = "may not be specified when dataSourceRef.namespace is specified";
        out.invalid_value(spec, one.path().to_string(), detail);
    } else if ["apiGroup", "kind", "name"]
        .iter()
        .any(|name| !is_same(one.value.at(name), other.value.at(name)))
    {
        out.invalid_value(spec, one.path().to_string(), "must match dataSourceRef");
    }
}

/// A claim stays as it is, but for its size once it has a volume, its attributes, and what was left open.
fn validate_change(new: &Spot<'_>, old: &Spot<'_>, out: &mut Errors) {
    validate_annotation_change(new, old, out);
    let is_bound = old.field("status").field("phase").text() == "Bound";
    let (spec, before) = (new.field("spec"), old.field("spec"));
    let is_kept = |name: &str| {
        let (one, other) = (spec.value.at(name), before.value.at(name));
        match name {
            // The controller fills these in.
            "storageClassName" => other.is_null() || one == other,
            "volumeName" => is_same(one, other) || other.is_empty_value(),
            "resources" => {
                is_bound && is_same(one.at("limits"), other.at("limits")) || one == other
            }
            _ => is_same(one, other),
        }
    };
    let names = [
        "accessModes",
        "dataSource",
        "dataSourceRef",
        "resources",
        "selector",
        "storageClassName",
        "volumeMode",
        "volumeName",
    ];
    if !names.into_iter().all(is_kept) {
        let detail = "spec is immutable after creation except resources.requests and \
             volumeAttributesClassName for bound claims";
        out.forbidden(&spec, detail);
    }
    validate_size_change(&spec, &before, &old.field("status"), out);
    validate_mode_change(&spec, &before, out);
    validate_attributes_change(&spec, &before, out);
    let attributes = spec.field("volumeAttributesClassName");
    let had = !before.field("volumeAttributesClassName").is_empty();
    if had && attributes.is_set() && attributes.is_empty() {
        out.forbidden(&attributes, "update from non-nil value to an empty string is forbidden");
    }
}

/// The class that an old client names in an annotation stays.
fn validate_annotation_change(new: &Spot<'_>, old: &Spot<'_>, out: &mut Errors) {
    const CLASS: &str = "volume.beta.kubernetes.io/storage-class";
    let of = |root: &Spot<'_>| root.value.at("metadata").at("annotations").at(CLASS).clone();
    let (now, before) = (of(new), of(old));
    if !is_same(&now, &before) {
        let (metadata, value) = (new.field("metadata"), now.as_str().unwrap_or_default());
        let path = metadata.field("annotations").path().push_field(CLASS);
        out.push(FieldError::invalid(&path, value, "field is immutable"));
    }
}

/// A claim may take back a wish to grow, but not become smaller than its volume.
fn validate_size_change(new: &Spot<'_>, old: &Spot<'_>, status: &Spot<'_>, out: &mut Errors) {
    let capacity = status.field("capacity");
    let has = amount::read(&capacity.field("storage"));
    let (resources, before) = (new.field("resources"), old.field("resources"));
    let (requests, before) = (resources.field("requests"), before.field("requests"));
    let (size, before) = (requests.field("storage"), before.field("storage"));
    let (Some(new), Some(old)) = (amount::read(&size), amount::read(&before)) else { return };
    let shrinks = new.nanos() < old.nanos();
    if shrinks && has.is_some_and(|has| new.nanos() <= has.nanos()) {
        out.forbidden(&size, "field can not be less than status.capacity");
    }
}

fn validate_status(new: &Spot<'_>, _old: &Spot<'_>, out: &mut Errors) {
    let status = new.field("status");
    for list in ["allocatedResources", "capacity"] {
        for (_, size) in status.entries(list) {
            amount::check_not_negative(&size, out);
        }
    }
    for (name, growth) in status.entries("allocatedResourceStatuses") {
        if !GROWTH.contains(&growth.text()) {
            let path = status.field("allocatedResourceStatus").path();
            out.push(FieldError::not_supported(&path, name, &GROWTH));
        }
    }
}
