//! Volumes that outlive pods, and the claims on them.
//!
//! Spec: documentation, "persistent volumes", "volume attributes classes"; KEP-1790 (claims that shrink again).

mod claim;
mod source;
mod volume;

use super::{Errors, Rules, Spot, text};

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
    let attributes = spec.field("volumeAttributesClassName");
    if attributes.is_set() && attributes.is_empty() {
        out.required(&attributes, "an empty string is not allowed");
    }
    out.check(&attributes, text::dns_subdomain);
}
