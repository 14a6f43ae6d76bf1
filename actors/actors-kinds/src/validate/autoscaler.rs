//! Horizontal autoscalers, in both versions: the older one is checked in the form of the newer.
//!
//! Spec: documentation, "horizontal pod autoscaling"; API reference of `autoscaling/v2`.

mod metric;

use actors_object::Object;

use super::{Errors, PLAIN, Rules, Spot, text};
use crate::convert;

/// The rules of this kind.
pub(super) const RULES: &[Rules] = &[Rules {
    group: "autoscaling",
    kind: "HorizontalPodAutoscaler",
    object: validate,
    status: validate_status,
    ..PLAIN
}];

/// The longest time to look back for stability, and the longest period of a policy, in seconds.
const WINDOW_MAX: i64 = 3_600;
const PERIOD_MAX: i64 = 1_800;

/// An autoscaler.
fn validate(root: &Spot<'_>, out: &mut Errors) {
    if root.value.str_at(&["apiVersion"]) == Some("autoscaling/v1") {
        let mut newer = Object(root.value.clone());
        convert::autoscaler_to_v2(&mut newer);
        validate_spec(&Spot::root(&newer), out);
    } else {
        validate_spec(root, out);
    }
}

fn validate_spec(root: &Spot<'_>, out: &mut Errors) {
    let spec = root.field("spec");
    let (least, most) = (spec.field("minReplicas"), spec.field("maxReplicas"));
    out.at_least(&least, 1);
    if most.int().is_none_or(|most| most < 1) {
        out.invalid(&most, "must be greater than 0");
    } else if least.int().is_some_and(|least| most.int().is_some_and(|most| most < least)) {
        out.invalid(&most, "must be greater than or equal to `minReplicas`");
    }
    validate_reference(&spec.field("scaleTargetRef"), out);
    for metric in spec.each("metrics") {
        metric::validate(&metric, out);
    }
    let behavior = spec.field("behavior");
    for name in ["scaleUp", "scaleDown"] {
        let rules = behavior.field(name);
        if rules.is_set() {
            validate_rules(&rules, out);
        }
    }
}

/// What is scaled, or looked at: a kind and a name.
pub(super) fn validate_reference(reference: &Spot<'_>, out: &mut Errors) {
    out.check_required(&reference.field("kind"), text::path_segment);
    out.check_required(&reference.field("name"), text::path_segment);
    let version = reference.field("apiVersion");
    if version.text().matches('/').count() > 1 {
        out.invalid(&version, "must be a group and a version, or a version");
    }
}

/// How fast it scales in one direction.
fn validate_rules(rules: &Spot<'_>, out: &mut Errors) {
    let window = rules.field("stabilizationWindowSeconds");
    out.at_least(&window, 0);
    if window.int().is_some_and(|seconds| seconds > WINDOW_MAX) {
        out.invalid(&window, &format!("must be less than or equal to {WINDOW_MAX}"));
    }
    out.one_of(&rules.field("selectPolicy"), &["Disabled", "Max", "Min"]);
    let policies = rules.field("policies");
    if policies.is_empty() {
        out.required(&policies, "needs a policy");
    }
    for policy in rules.each("policies") {
        out.one_of_required(&policy.field("type"), &["Percent", "Pods"]);
        for name in ["value", "periodSeconds"] {
            let number = policy.field(name);
            if number.int().is_none_or(|number| number < 1) {
                out.invalid(&number, "must be greater than zero");
            }
        }
        let period = policy.field("periodSeconds");
        if period.int().is_some_and(|seconds| seconds > PERIOD_MAX) {
            out.invalid(&period, &format!("must be less than or equal to {PERIOD_MAX}"));
        }
    }
    let tolerance = rules.field("tolerance");
    let read = actors_object::Quantity::from_value(tolerance.value).ok();
    if tolerance.is_set() && read.is_none_or(|read| read.is_negative()) {
        out.invalid(&tolerance, "must be a quantity that is not negative");
    }
}

fn validate_status(new: &Spot<'_>, _old: &Spot<'_>, out: &mut Errors) {
    let status = new.field("status");
    out.at_least(&status.field("currentReplicas"), 0);
    out.at_least(&status.field("desiredReplicas"), 0);
}

#[cfg(test)]
mod tests;
