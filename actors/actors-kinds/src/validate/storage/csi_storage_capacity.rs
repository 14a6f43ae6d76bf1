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
    let class = root.field("storageClassName");
    out.invalid_each(&class, &text::dns_subdomain(class.text()));
    selector::validate(&root.field("nodeTopology"), out);
    amount::check_not_negative(&root.field("capacity"), out);
}

fn validate_change(new: &Spot<'_>, old: &Spot<'_>, out: &mut Errors) {
    for name in ["nodeTopology", "storageClassName"] {
        out.immutable(&new.field(name), &old.field(name));
    }
}
