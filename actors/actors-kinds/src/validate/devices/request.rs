//! One request of a claim: devices of a class, or the first choice that can be had.

use actors_object::Value;

use super::{attribute_name, validate_selectors};
use crate::validate::{Errors, Spot, amount, text};

/// The most choices and tolerations.
const CHOICES_MAX: usize = 8;
const TOLERATIONS_MAX: usize = 16;

pub(super) fn validate(request: &Spot<'_>, out: &mut Errors) {
    out.check_required(&request.field("name"), text::dns_label);
    let (exactly, choices) = (request.field("exactly"), request.field("firstAvailable"));
    let detail = "exactly one of `exactly` or `firstAvailable` is required";
    match (exactly.is_set(), choices.is_empty()) {
        (false, true) => out.required(request, detail),
        (true, false) => {
            let detail = format!("{detail}, but multiple fields are set");
            out.invalid_value(request, Value::Null, &detail);
        }
        (true, true) => validate_one(&exactly, out),
        (false, false) => {
            out.too_many(&choices, CHOICES_MAX);
            for choice in request.each("firstAvailable") {
                out.check_required(&choice.field("name"), text::dns_label);
                validate_one(&choice, out);
            }
            out.unique(request, "firstAvailable", "name");
        }
    }
}

/// How many devices of which class.
fn validate_one(request: &Spot<'_>, out: &mut Errors) {
    out.check_required(&request.field("deviceClassName"), text::dns_subdomain);
    validate_selectors(request, out);
    let (mode, count) = (request.field("allocationMode"), request.field("count"));
    match mode.text() {
        "All" if count.int().unwrap_or(0) != 0 => {
            out.invalid(&count, "must not be specified when allocationMode is 'All'");
        }
        "ExactCount" if count.int().unwrap_or(0) <= 0 => {
            out.invalid(&count, "must be greater than zero");
        }
        _ => out.one_of_required(&mode, &["All", "ExactCount"]),
    }
    out.too_many(&request.field("tolerations"), TOLERATIONS_MAX);
    for toleration in request.each("tolerations") {
        validate_toleration(&toleration, out);
    }
    let capacity = request.field("capacity");
    for (name, amount) in capacity.entries("requests") {
        for detail in attribute_name(name) {
            let path = capacity.field("requests").path();
            out.push(actors_object::FieldError::invalid(&path, name, detail));
        }
        amount::check_not_negative(&amount, out);
    }
}

/// A toleration of a taint of devices; none of them is only preferred.
fn validate_toleration(toleration: &Spot<'_>, out: &mut Errors) {
    let (key, operator) = (toleration.field("key"), toleration.field("operator"));
    let value = toleration.field("value");
    out.check(&key, text::qualified_name);
    match operator.text() {
        "Exists" if !value.is_empty() => {
            out.invalid(&value, "must be empty for operator `Exists`");
        }
        "Equal" if key.is_empty() => {
            out.invalid(&operator, "must be Exists, since the key is empty");
        }
        "Equal" => out.check(&value, text::label_value),
        _ => out.one_of_required(&operator, &["Equal", "Exists"]),
    }
    out.one_of(&toleration.field("effect"), &["NoExecute", "NoSchedule"]);
}
