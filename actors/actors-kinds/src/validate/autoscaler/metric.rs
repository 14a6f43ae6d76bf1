//! One metric that an autoscaler looks at: its source, and its target.

use actors_object::Quantity;

use super::validate_reference;
use crate::validate::{Errors, Spot, selector, text};

/// The sorts of metrics, and the field of each.
const SORTS: [(&str, &str); 5] = [
    ("ContainerResource", "containerResource"),
    ("External", "external"),
    ("Object", "object"),
    ("Pods", "pods"),
    ("Resource", "resource"),
];

/// A metric: one source, of the sort that its type says.
pub(super) fn validate(metric: &Spot<'_>, out: &mut Errors) {
    let sort = metric.field("type");
    out.one_of_required(&sort, &SORTS.map(|(name, _)| name));
    let set: Vec<&str> =
        SORTS.iter().map(|(_, field)| *field).filter(|name| metric.field(name).is_set()).collect();
    if let [_, more @ ..] = set.as_slice() {
        for name in more {
            out.forbidden(&metric.field(name), "a metric has one source, and there is one already");
        }
    }
    let Some((_, field)) = SORTS.iter().find(|(name, _)| *name == sort.text()) else { return };
    let source = metric.field(field);
    if !source.is_set() {
        out.required(&source, "must be set, as the type says");
        return;
    }
    let target = source.field("target");
    out.one_of_required(&target.field("type"), &["AverageValue", "Utilization", "Value"]);
    validate_amounts(&target, out);
    match *field {
        "object" => {
            validate_reference(&source.field("describedObject"), out);
            validate_identifier(&source.field("metric"), out);
            needs_one(&target, &["value", "averageValue"], out);
        }
        "pods" => {
            validate_identifier(&source.field("metric"), out);
            needs_one(&target, &["averageValue"], out);
        }
        "external" => {
            validate_identifier(&source.field("metric"), out);
            needs_one(&target, &["value", "averageValue"], out);
            takes_one(&target, &["value", "averageValue"], out);
        }
        _ => {
            out.filled(&source.field("name"));
            if *field == "containerResource" {
                out.filled(&source.field("container"));
            }
            needs_one(&target, &["averageUtilization", "averageValue"], out);
            takes_one(&target, &["averageUtilization", "averageValue"], out);
        }
    }
}

/// A metric's name, and which of its series are meant.
fn validate_identifier(metric: &Spot<'_>, out: &mut Errors) {
    let name = metric.field("name");
    if name.is_empty() {
        out.required(&name, "must name a metric");
    } else {
        out.check(&name, text::path_segment);
    }
    selector::validate(&metric.field("selector"), out);
}

/// What is aimed at is above zero.
fn validate_amounts(target: &Spot<'_>, out: &mut Errors) {
    let share = target.field("averageUtilization");
    if share.int().is_some_and(|share| share < 1) {
        out.invalid(&share, "must be greater than 0");
    }
    for name in ["value", "averageValue"] {
        let amount = target.field(name);
        let read = Quantity::from_value(amount.value).ok();
        let is_positive = read.is_some_and(|read| !read.is_zero() && !read.is_negative());
        if amount.is_set() && !is_positive {
            out.invalid(&amount, "must be positive");
        }
    }
}

fn needs_one(target: &Spot<'_>, names: &[&str], out: &mut Errors) {
    if !names.iter().any(|name| target.field(name).is_set()) {
        out.required(&target.field(names[0]), &format!("must set {}", names.join(" or ")));
    }
}

fn takes_one(target: &Spot<'_>, names: &[&str], out: &mut Errors) {
    if names.iter().all(|name| target.field(name).is_set()) {
        out.forbidden(&target.field(names[1]), &format!("cannot stand beside {}", names[0]));
    }
}
