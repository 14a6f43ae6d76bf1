//! `VolumeAttributesClass`: attributes of a volume that can change while it is used.

use super::{GROUP, forbid_changes, validate_driver_name, validate_parameters};
use crate::validate::{Errors, PLAIN, Rules, Spot};

pub(super) const RULES: Rules = Rules {
    group: GROUP,
    kind: "VolumeAttributesClass",
    object: validate,
    change: |new, old, out| forbid_changes(new, old, &["driverName", "parameters"], out),
    ..PLAIN
};

fn validate(root: &Spot<'_>, out: &mut Errors) {
    validate_driver_name(&root.field("driverName"), out);
    validate_parameters(root, out);
    let parameters = root.field("parameters");
    if parameters.is_empty() {
        out.required(&parameters, "needs a parameter");
    }
}
