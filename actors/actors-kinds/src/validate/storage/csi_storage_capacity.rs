//! `CSIStorageCapacity`: how much a driver has left for a class in some place.

use super::GROUP;
use crate::validate::{Errors, PLAIN, Rules, Spot, amount, selector, text};

pub(super) const RULES: Rules = Rules {
    group: GROUP,
    kind: "CSIStorageCapacity",
    object: validate,
    change: validate_change,
    ..PLAIN
};

fn validate(root: &Spot<'_>, out: &mut Errors) {
    out.check_required(&root.field("storageClassName"), text::dns_subdomain);
    selector::validate(&root.field("nodeTopology"), out);
    for name in ["capacity", "maximumVolumeSize"] {
        amount::check_not_negative(&root.field(name), out);
    }
}

fn validate_change(new: &Spot<'_>, old: &Spot<'_>, out: &mut Errors) {
    for name in ["nodeTopology", "storageClassName"] {
        out.immutable(&new.field(name), &old.field(name));
    }
}
