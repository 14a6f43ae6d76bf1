//! `VolumeAttachment`: the wish that a driver attaches a volume to a node, and what became of it.

use actors_object::FieldError;

use super::{GROUP, driver_name};
use crate::validate::{Errors, PLAIN, Rules, Spot, text, volumes};

/// The longest message about an attachment, in bytes.
const MESSAGE_LEN_MAX: usize = 1_024;
/// The most bytes of what a driver says about an attachment.
const METADATA_LEN_MAX: usize = 256 * 1024;

pub(super) const RULES: Rules = Rules {
    group: GROUP,
    kind: "VolumeAttachment",
    object: validate,
    change: |new, old, out| out.immutable(&new.field("spec"), &old.field("spec")),
    status: |new, _, out| validate_status(&new.field("status"), out),
    ..PLAIN
};

fn validate(root: &Spot<'_>, out: &mut Errors) {
    let spec = root.field("spec");
    out.check_required(&spec.field("attacher"), driver_name);
    validate_source(&spec, out);
    let node = spec.field("nodeName");
    out.invalid_each(&node, &text::dns_subdomain(node.text()));
    validate_status(&root.field("status"), out);
}

/// A volume that exists, or the spec of one: one of both.
fn validate_source(spec: &Spot<'_>, out: &mut Errors) {
    let source = spec.field("source");
    let (inline, name) = (source.field("inlineVolumeSpec"), source.field("persistentVolumeName"));
    let detail = "must specify exactly one of inlineVolumeSpec and persistentVolumeName";
    match (inline.is_set(), name.is_set()) {
        (true, true) => out.forbidden(&source, detail),
        (false, false) => out.required(&source, detail),
        (true, false) => volumes::validate_inline(&inline, out),
        (false, true) if name.is_empty() => {
            out.required(&name, "must specify non empty persistentVolumeName");
        }
        (false, true) => out.check(&name, text::dns_subdomain),
    }
}

fn validate_status(status: &Spot<'_>, out: &mut Errors) {
    let entries = status.entries("attachmentMetadata");
    let len: usize = entries.map(|(name, value)| name.len() + value.text().len()).sum();
    if len > METADATA_LEN_MAX {
        let path = status.field("attachmentMetadata").path();
        out.push(FieldError::too_long(&path, METADATA_LEN_MAX));
    }
    for name in ["attachError", "detachError"] {
        let error = status.field(name);
        out.too_long(&error.field("message"), MESSAGE_LEN_MAX);
        out.between(&error.field("errorCode"), 0, i64::from(i32::MAX));
    }
}
