//! Volumes that outlive pods, and the claims on them.
//!
//! Spec: documentation, "persistent volumes", "volume attributes classes"; KEP-1790 (claims that shrink again).

mod claim;
mod source;
mod volume;

use actors_object::{FieldError, FieldPath};

use super::{Errors, Rules, Spot, errors::is_same, text};

pub(super) use claim::validate_spec as validate_claim_spec;
pub(super) use volume::validate_inline;

/// The rules of both kinds.
pub(super) const RULES: &[Rules] = &[claim::RULES, volume::RULES];

/// How a volume is mounted: at least one way, and alone if by one pod only.
fn validate_modes(spec: &Spot<'_>, detail: &str, out: &mut Errors) {
    const MODES: [&str; 4] = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];
    let modes = spec.field("accessModes");
    if modes.is_empty() {
        out.required(&modes, detail);
    }
    out.all_of(spec, "accessModes", &MODES);
    if modes.len() > 1 && spec.each("accessModes").any(|mode| mode.text() == "ReadWriteOncePod") {
        out.forbidden(&modes, "may not use ReadWriteOncePod with other access modes");
    }
}

/// Whether it is a file system or a device.
fn validate_volume_mode(spec: &Spot<'_>, out: &mut Errors) {
    out.one_of(&spec.field("volumeMode"), &["Block", "Filesystem"]);
}

/// The names of the classes that a volume or claim belongs to.
fn validate_classes(spec: &Spot<'_>, out: &mut Errors) {
    out.check(&spec.field("storageClassName"), text::dns_subdomain);
    out.check(&spec.field("volumeAttributesClassName"), text::dns_subdomain);
}

/// A class of attributes is changed, but not taken away.
fn validate_attributes_change(new: &Spot<'_>, old: &Spot<'_>, out: &mut Errors) {
    let class = new.field("volumeAttributesClassName");
    if old.field("volumeAttributesClassName").is_set() && !class.is_set() {
        out.forbidden(&class, "update from non-nil value to nil is forbidden");
    }
}

/// Changes of the mode are told at the root, where clients look for them.
fn validate_mode_change(new: &Spot<'_>, old: &Spot<'_>, out: &mut Errors) {
    let (mode, before) = (new.field("volumeMode"), old.field("volumeMode"));
    if !is_same(mode.value, before.value) {
        let path = FieldPath::root().push_field("volumeMode");
        out.push(FieldError::invalid(&path, mode.value.clone(), "field is immutable"));
    }
}
