//! `LimitRange`: how small and how large the objects of a namespace are, each by itself.

use actors_object::{FieldError, Quantity};

use crate::validate::{Errors, PLAIN, Rules, Spot, amount, text};

pub(super) const RULES: Rules = Rules { kind: "LimitRange", object: validate, ..PLAIN };

/// What can be limited without a domain before its name.
const TYPES: [&str; 3] = ["Container", "PersistentVolumeClaim", "Pod"];
/// The lists of amounts of one limit.
const LISTS: [&str; 5] = ["max", "min", "default", "defaultRequest", "maxLimitRequestRatio"];
/// The lists that must not grow from left to right, in pairs: what the first holds is at most what the second
/// holds.
const ORDERED: [(&str, &str); 6] = [
    ("min", "max"),
    ("min", "defaultRequest"),
    ("defaultRequest", "max"),
    ("defaultRequest", "default"),
    ("min", "default"),
    ("default", "max"),
];

fn validate(root: &Spot<'_>, out: &mut Errors) {
    let spec = root.field("spec");
    for limit in spec.each("limits") {
        validate_type(&limit, out);
        for list in LISTS {
            for (name, amount) in limit.entries(list) {
                for detail in text::qualified_name(name) {
                    out.push(FieldError::invalid(&limit.field(list).path(), name, detail));
                }
                amount::check_not_negative(&amount, out);
            }
        }
        for (small, large) in ORDERED {
            validate_order(&limit, small, large, out);
        }
        for (name, ratio) in limit.entries("maxLimitRequestRatio") {
            validate_ratio(&limit, name, &ratio, out);
        }
    }
    out.unique(&spec, "limits", "type");
}

fn validate_type(limit: &Spot<'_>, out: &mut Errors) {
    let sort = limit.field("type");
    out.check_required(&sort, text::qualified_name);
    match sort.text() {
        "Pod" => {
            for name in ["default", "defaultRequest"] {
                let list = limit.field(name);
                if !list.is_empty() {
                    out.forbidden(&list, "may not be specified when `type` is 'Pod'");
                }
            }
        }
        "PersistentVolumeClaim" => {
            let has = |list: &str| limit.value.at(list).get("storage").is_some();
            if !has("min") && !has("max") {
                out.required(limit, "a minimum or maximum of storage is required");
            }
        }
        "" => {}
        other if !other.contains('/') && !TYPES.contains(&other) => {
            out.invalid(&sort, "must be a standard limit type or fully qualified");
        }
        _ => {}
    }
}

fn amount_in(limit: &Spot<'_>, list: &str, name: &str) -> Option<Quantity> {
    limit.value.at(list).get(name).and_then(|value| Quantity::from_value(value).ok())
}

fn validate_order(limit: &Spot<'_>, small: &str, large: &str, out: &mut Errors) {
    for (name, low) in limit.entries(small) {
        let (Some(at), Some(most)) = (amount::read(&low), amount_in(limit, large, name)) else {
            continue;
        };
        if at.nanos() > most.nanos() {
            let detail = format!(
                "{} value {at} is greater than {} value {most}",
                words(small),
                words(large)
            );
            out.invalid(&low, &detail);
        }
    }
}

/// What people call a list.
fn words(list: &str) -> &str {
    match list {
        "default" => "default limit",
        "defaultRequest" => "default request",
        other => other,
    }
}

/// A ratio is 1 or more, and not above what the bounds allow anyway.
fn validate_ratio(limit: &Spot<'_>, name: &str, ratio: &Spot<'_>, out: &mut Errors) {
    let Some(most) = amount::read(ratio) else { return };
    if most.nanos() < 1_000_000_000 {
        out.invalid(ratio, &format!("ratio {most} is less than 1"));
    }
    let (min, max) = (amount_in(limit, "min", name), amount_in(limit, "max", name));
    if let (Some(min), Some(max)) = (min, max)
        && min.nanos() > 0
        && most.nanos().saturating_mul(min.nanos()) / 1_000_000_000 > max.nanos()
    {
        out.invalid(ratio, &format!("ratio {most} is greater than max/min: {max}/{min}"));
    }
}
