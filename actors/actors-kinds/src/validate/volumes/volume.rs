//! `PersistentVolume`: a piece of storage, and who may have it.

use actors_object::FieldError;

use super::{source, validate_classes, validate_modes};
use crate::validate::{Errors, PLAIN, Rules, Spot, amount, errors::is_same, pod};

const POLICIES: [&str; 3] = ["Delete", "Recycle", "Retain"];

pub(super) const RULES: Rules =
    Rules { kind: "PersistentVolume", object: validate, change: validate_change, ..PLAIN };

fn validate(root: &Spot<'_>, out: &mut Errors) {
    let spec = root.field("spec");
    validate_spec(&spec, out);
    out.one_of(&spec.field("persistentVolumeReclaimPolicy"), &POLICIES);
}

/// The spec of a volume that exists inside of an attachment only: no class, no claim, no policy.
pub(in crate::validate) fn validate_inline(spec: &Spot<'_>, out: &mut Errors) {
    validate_spec(spec, out);
    for name in ["claimRef", "persistentVolumeReclaimPolicy", "storageClassName"] {
        let field = spec.field(name);
        if !field.is_empty() {
            out.forbidden(&field, "may not be set in an inline volume");
        }
    }
    if !spec.field("csi").is_set() {
        out.required(&spec.field("csi"), "an inline volume is a CSI volume");
    }
}

fn validate_spec(spec: &Spot<'_>, out: &mut Errors) {
    validate_modes(spec, out);
    validate_capacity(spec, out);
    source::validate(spec, out);
    let affinity = spec.field("nodeAffinity");
    let required = affinity.field("required");
    if required.is_set() {
        pod::validate_node_selector(&required, out);
    } else if affinity.is_set() {
        out.required(&required, "must specify required node constraints");
    }
    validate_classes(spec, out);
    if spec.field("volumeAttributesClassName").is_set() && !spec.field("csi").is_set() {
        out.required(&spec.field("csi"), "is needed beside volumeAttributesClassName");
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
    out.immutable(&new.field("volumeMode"), &old.field("volumeMode"));
    let (affinity, before) = (new.field("nodeAffinity"), old.field("nodeAffinity"));
    if before.is_set() && !is_same(affinity.value, before.value) {
        out.invalid(&affinity, "field is immutable");
    }
    let (class, before) =
        (new.field("volumeAttributesClassName"), old.field("volumeAttributesClassName"));
    if before.is_set() && !class.is_set() {
        out.forbidden(&class, "cannot be taken away");
    }
}
