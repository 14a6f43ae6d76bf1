//! `VolumeAttributesClass`: attributes of a volume that can change while it is used.

use super::{GROUP, forbid_changes, provisioner, validate_parameters};
use crate::validate::{Errors, PLAIN, Rules, Spot};

pub(super) const RULES: Rules = Rules {
    group: GROUP,
    kind: "VolumeAttributesClass",
    object: validate,
    change: |new, old, out| forbid_changes(new, old, &["driverName", "parameters"], out),
    ..PLAIN
};

fn validate(root: &Spot<'_>, out: &mut Errors) {
    out.check_required(&root.field("driverName"), provisioner);
    validate_parameters(root, out);
    let parameters = root.field("parameters");
    if parameters.is_empty() {
        out.required(&parameters, "must contain at least one key/value pair");
    }
}
