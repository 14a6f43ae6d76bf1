//! `ServiceCIDR`: ranges that the addresses of Services are taken from.

use super::GROUP;
use crate::validate::{Errors, PLAIN, Rules, Spot, domain};

pub(super) const RULES: Rules = Rules {
    group: GROUP,
    kind: "ServiceCIDR",
    object: validate,
    change: |new, old, out| {
        let (new, old) = (new.field("spec"), old.field("spec"));
        out.immutable(&new.field("cidrs"), &old.field("cidrs"));
    },
    ..PLAIN
};

fn validate(root: &Spot<'_>, out: &mut Errors) {
    let spec = root.field("spec");
    let ranges = spec.field("cidrs");
    let families = spec.each("cidrs").filter_map(|range| domain::range(range.text()));
    let families: Vec<bool> = families.map(|(address, _)| address.is_ipv4()).collect();
    match ranges.len() {
        0 => out.required(&ranges, "at least one CIDR required"),
        2 if families.len() != 2 || families.first() == families.last() => {
            let detail = "may specify no more than one range for each IP family";
            out.invalid_value(&ranges, spec.value.clone(), detail);
        }
        1 | 2 => {
            for range in spec.each("cidrs") {
                out.invalid_each(&range, &domain::canonical_cidr(range.text()));
            }
        }
        _ => out.invalid_value(&ranges, spec.value.clone(), "may only hold up to 2 values"),
    }
}
