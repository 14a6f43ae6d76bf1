//! When a job has failed, and when it has succeeded.
//!
//! Spec: documentation, "Jobs", "pod failure policy", "success policy"; KEP-3329, KEP-3998.

use super::{Errors, Spot, indexes};
use crate::validate::text;

/// The most rules of a policy, patterns of a rule, values of exit codes, and bytes of a list of indexes.
const RULES_MAX: usize = 20;
const PATTERNS_MAX: usize = 20;
const CODES_MAX: usize = 255;
const INDEXES_LEN_MAX: usize = 65_536;

/// What is done with pods that fail.
pub(super) fn validate_failure(spec: &Spot<'_>, out: &mut Errors) {
    let policy = spec.field("podFailurePolicy");
    if !policy.is_set() {
        return;
    }
    out.too_many(&policy.field("rules"), RULES_MAX);
    for rule in policy.each("rules") {
        let action = rule.field("action");
        out.one_of_required(&action, &["Count", "FailIndex", "FailJob", "Ignore"]);
        if action.text() == "FailIndex" && !spec.field("backoffLimitPerIndex").is_set() {
            out.invalid(&action, "needs the `backoffLimitPerIndex`");
        }
        let (codes, patterns) = (rule.field("onExitCodes"), rule.field("onPodConditions"));
        if codes.is_set() {
            validate_codes(spec, &codes, out);
        }
        out.too_many(&patterns, PATTERNS_MAX);
        for pattern in rule.each("onPodConditions") {
            out.check_required(&pattern.field("type"), text::qualified_name);
            out.one_of_required(&pattern.field("status"), &["False", "True", "Unknown"]);
        }
        match (codes.is_set(), !patterns.is_empty()) {
            (true, true) => out.invalid(&rule, "takes onExitCodes or onPodConditions, not both"),
            (false, false) => out.invalid(&rule, "needs one of onExitCodes and onPodConditions"),
            _ => {}
        }
    }
}

fn validate_codes(spec: &Spot<'_>, codes: &Spot<'_>, out: &mut Errors) {
    let operator = codes.field("operator");
    out.one_of_required(&operator, &["In", "NotIn"]);
    let container = codes.field("containerName");
    let is_there = ["containers", "initContainers"].iter().any(|list| {
        let path = ["template", "spec", list];
        let containers = spec.value.path(&path).and_then(|value| value.as_list());
        containers.unwrap_or_default().iter().any(|one| one.at("name") == container.value)
    });
    if container.is_set() && !is_there {
        out.invalid(&container, "must be one of the containers or init containers of the template");
    }
    let values = codes.field("values");
    if values.is_empty() {
        out.invalid(&values, "needs a value");
    }
    out.too_many(&values, CODES_MAX);
    out.distinct(codes, "values");
    let numbers: Vec<i64> = codes.each("values").filter_map(|value| value.int()).collect();
    if !numbers.is_sorted() {
        out.invalid(&values, "must be in order");
    }
    for value in codes.each("values") {
        if value.int() == Some(0) && operator.text() == "In" {
            out.invalid(&value, "must not be 0 for the operator In");
        }
    }
}

/// Which indexes, or how many of them, are enough.
pub(super) fn validate_success(spec: &Spot<'_>, out: &mut Errors) {
    let policy = spec.field("successPolicy");
    if !policy.is_set() {
        return;
    }
    let rules = policy.field("rules");
    if rules.is_empty() {
        out.required(&rules, "needs a rule");
    }
    out.too_many(&rules, RULES_MAX);
    let completions = spec.field("completions").int().unwrap_or(0);
    for rule in policy.each("rules") {
        let (enough, which) = (rule.field("succeededCount"), rule.field("succeededIndexes"));
        if !enough.is_set() && !which.is_set() {
            out.required(&rule, "needs succeededCount or succeededIndexes");
        }
        let mut most = completions;
        if which.is_set() {
            out.too_long(&which, INDEXES_LEN_MAX);
            match indexes::count(which.text(), completions) {
                Ok(count) => most = count,
                Err(detail) => out.invalid(&which, &detail),
            }
        }
        out.at_least(&enough, 0);
        if enough.int().is_some_and(|enough| enough > most) {
            out.invalid(
                &enough,
                &format!("must be at most {most}, the number of indexes it counts"),
            );
        }
    }
}
