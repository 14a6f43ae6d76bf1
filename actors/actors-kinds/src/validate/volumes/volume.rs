//! `PersistentVolume`: a piece of storage, and who may have it.

use actors_object::{FieldError, FieldPath};

use super::{
    source, validate_attributes_change, validate_classes, validate_mode_change, validate_modes,
    validate_volume_mode,
};
use crate::validate::{Errors, PLAIN, Rules, Spot, amount, errors::is_same, pod};

const POLICIES: [&str; 3] = ["Delete", "Recycle", "Retain"];

pub(super) const RULES: Rules =
    Rules { kind: "PersistentVolume", object: validate, change: validate_change, ..PLAIN };

fn validate(root: &Spot<'_>, out: &mut Errors) {
    let spec = root.field("spec");
    validate_spec(&spec, out);
    out.one_of(&spec.field("persistentVolumeReclaimPolicy"), &POLICIES);
}

/// The spec of a volume that exists inside of an attachment only: no size, no class, no claim.
pub(in crate::validate) fn validate_inline(spec: &Spot<'_>, out: &mut Errors) {
    const WHERE: &str = "in the context of inline volumes";
    for name in ["claimRef", "capacity", "storageClassName"] {
        let field = spec.field(name);
        if !field.is_empty() {
            out.forbidden(&field, &format!("may not be specified {WHERE}"));
        }
    }
    if !spec.field("csi").is_set() {
        out.required(&spec.field("csi"), &format!("has to be specified {WHERE}"));
    }
    validate_content(spec, out);
    let (policy, mode) = (spec.field("persistentVolumeReclaimPolicy"), spec.field("volumeMode"));
    if !matches!(policy.text(), "" | "Retain") {
        out.forbidden(&policy, &format!("may only be Retain {WHERE}"));
    }
    if !matches!(mode.text(), "" | "Filesystem") {
        out.forbidden(&mode, &format!("may not specify volumeMode other than Filesystem {WHERE}"));
    }
}

fn validate_spec(spec: &Spot<'_>, out: &mut Errors) {
    validate_content(spec, out);
    validate_capacity(spec, out);
    validate_volume_mode(spec, out);
    validate_classes(spec, out);
    let attributes = spec.field("volumeAttributesClassName");
    if attributes.is_set() && attributes.is_empty() {
        out.required(&attributes, "an empty string is disallowed");
    }
    if attributes.is_set() && !spec.field("csi").is_set() {
        let detail = "has to be specified when using volumeAttributesClassName";
        out.required(&spec.field("csi"), detail);
    }
}

/// How it is mounted, what it consists of, and where it is.
fn validate_content(spec: &Spot<'_>, out: &mut Errors) {
    validate_modes(spec, "", out);
    source::validate(spec, out);
    let affinity = spec.field("nodeAffinity");
    let required = affinity.field("required");
    if required.is_set() {
        pod::validate_node_selector(&required, out);
    } else if affinity.is_set() {
        out.required(&required, "must specify required node constraints");
    }
}

/// The capacity is an amount of storage, and nothing else.
fn validate_capacity(spec: &Spot<'_>, out: &mut Errors) {
    let capacity = spec.field("capacity");
    if capacity.is_empty() {
        out.required(&capacity, "");
    } else if capacity.len() > 1 || capacity.value.get("storage").is_none() {
        let error =
            FieldError::not_supported(&capacity.path(), capacity.value.clone(), &["storage"]);
        out.push(error);
    }
    for (_, size) in spec.entries("capacity") {
        amount::check_positive(&size, out);
    }
}

/// What a volume consists of never changes.
fn validate_change(new: &Spot<'_>, old: &Spot<'_>, out: &mut Errors) {
    let (new, old) = (new.field("spec"), old.field("spec"));
    if !source::is_kept(&new, &old) {
        let detail = "spec.persistentvolumesource is immutable after creation";
        out.forbidden(&new.field("persistentvolumesource"), detail);
    }
    validate_mode_change(&new, &old, out);
    let (affinity, before) = (new.field("nodeAffinity"), old.field("nodeAffinity"));
    if before.is_set() && !is_same(affinity.value, before.value) {
        let path = FieldPath::root().push_field("nodeAffinity");
        out.push(FieldError::invalid(&path, affinity.value.clone(), "field is immutable"));
    }
    validate_attributes_change(&new, &old, out);
}
