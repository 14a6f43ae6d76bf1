//! Requests and limits of containers, and other lists of amounts.
//!
//! Spec: documentation, "resource management for pods and containers", "extended resources", "huge pages".

use actors_object::{FieldError, Quantity};

use crate::validate::{Errors, Spot, text};

/// Resources without a prefix that a container can ask for.
const PLAIN: [&str; 3] = ["cpu", "ephemeral-storage", "memory"];

/// The resources of a container.
pub(super) fn validate(container: &Spot<'_>, out: &mut Errors) {
    let resources = container.field("resources");
    for list in ["limits", "requests"] {
        validate_list(&resources, list, out);
        for (name, amount) in resources.entries(list) {
            if !name.contains('/') && !PLAIN.contains(&name) && !name.starts_with("hugepages-") {
                let detail = "must be cpu, memory, ephemeral-storage, hugepages-SIZE, or have a domain before it";
                out.push(FieldError::invalid(&resources.field(list).path(), name, detail));
            }
            if is_counted(name)
                && quantity(&amount).is_some_and(|amount| amount.milli() % 1000 != 0)
            {
                out.invalid(&amount, "must be an integer");
            }
        }
    }
    for (name, request) in resources.entries("requests") {
        validate_request(&resources, name, &request, out);
    }
    for claim in resources.each("claims") {
        out.check_required(&claim.field("name"), text::dns_label);
    }
}

/// A request is at most its limit; what is counted has a limit, and it is the same.
fn validate_request(resources: &Spot<'_>, name: &str, request: &Spot<'_>, out: &mut Errors) {
    let Some(wanted) = quantity(request) else { return };
    let limits = resources.field("limits");
    let limit = limits.field(name);
    match quantity(&limit) {
        Some(most) if wanted.nanos() > most.nanos() => {
            let detail = format!("must not exceed the {name} limit of {most}");
            out.invalid(request, &detail);
        }
        Some(most) if is_counted(name) && wanted.nanos() != most.nanos() => {
            out.invalid(
                request,
                &format!("must equal the {name} limit of {most}: it is counted, not shared"),
            );
        }
        None if is_counted(name) => {
            let detail = "what is counted, not shared, needs a limit";
            out.push(FieldError::required(&limits.path().push_key(name), detail));
        }
        _ => {}
    }
}

/// Extended resources and huge pages are counted one by one, and never promised twice.
fn is_counted(name: &str) -> bool {
    name.contains('/') || name.starts_with("hugepages-")
}

/// A map of amounts: qualified names, and nothing below zero.
pub(in crate::validate) fn validate_list(above: &Spot<'_>, field: &str, out: &mut Errors) {
    for (name, amount) in above.entries(field) {
        for detail in text::qualified_name(name) {
            out.push(FieldError::invalid(&above.field(field).path(), name, detail));
        }
        match quantity(&amount) {
            None => out.invalid(&amount, "must be a quantity, such as 500m, 2, 128Mi or 1G"),
            Some(amount_read) if amount_read.is_negative() => {
                out.invalid(&amount, "must be greater than or equal to 0");
            }
            Some(_) => {}
        }
    }
}

fn quantity(spot: &Spot<'_>) -> Option<Quantity> {
    if spot.is_set() { Quantity::from_value(spot.value).ok() } else { None }
}
