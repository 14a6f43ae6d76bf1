//! Amounts of resources: whether they can be read, and how far they may go.
//!
//! Spec: API reference of `Quantity`; documentation, "resource management for pods and containers".

use actors_object::Quantity;

use super::{Errors, Spot};

/// The amount here; nothing if there is none, or none that can be read.
pub(super) fn read(spot: &Spot<'_>) -> Option<Quantity> {
    if spot.is_set() { Quantity::from_value(spot.value).ok() } else { None }
}

/// An amount that is set is not below zero.
pub(super) fn check_not_negative(spot: &Spot<'_>, out: &mut Errors) {
    check(spot, |amount| !amount.is_negative(), "must be greater than or equal to 0", out);
}

/// An amount that is set is above zero.
pub(super) fn check_positive(spot: &Spot<'_>, out: &mut Errors) {
    check(spot, |amount| amount.nanos() > 0, "must be greater than zero", out);
}

/// An amount that is set is a whole number.
pub(super) fn check_whole(spot: &Spot<'_>, out: &mut Errors) {
    check(spot, |amount| amount.nanos() % 1_000_000_000 == 0, "must be an integer", out);
}

fn check(spot: &Spot<'_>, is_good: fn(&Quantity) -> bool, detail: &str, out: &mut Errors) {
    if !spot.is_set() {
        return;
    }
    match read(spot) {
        None => out.invalid(spot, "must be a quantity, such as 500m, 2, 128Mi or 1G"),
        Some(amount) if !is_good(&amount) => out.invalid(spot, detail),
        Some(_) => {}
    }
}
