//! Which requests a webhook, policy or binding is about: rules, selectors, conditions.

use super::validate_expression;
use crate::validate::{Errors, Spot, selector, text};

/// The most conditions of one webhook or policy.
const CONDITIONS_MAX: usize = 64;
const OPERATIONS: [&str; 5] = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];

/// Which operations on which resources.
pub(super) fn validate_rule(rule: &Spot<'_>, allows_names: bool, out: &mut Errors) {
    validate_words(rule, "apiGroups", out);
    validate_words(rule, "apiVersions", out);
    for version in rule.each("apiVersions") {
        out.filled(&version);
    }
    validate_resources(rule, out);
    out.one_of(&rule.field("scope"), &["*", "Cluster", "Namespaced"]);
    validate_words(rule, "operations", out);
    for operation in rule.each("operations") {
        out.one_of_required(&operation, &OPERATIONS);
    }
    if allows_names {
        for name in rule.each("resourceNames") {
            out.check_required(&name, text::path_segment);
        }
        out.distinct(rule, "resourceNames");
    }
}

/// A list that must not be empty, and of which `*` stands alone.
fn validate_words(rule: &Spot<'_>, list: &str, out: &mut Errors) {
    let words = rule.field(list);
    if words.is_empty() {
        out.required(&words, "");
    } else if words.len() > 1 && rule.each(list).any(|word| word.text() == "*") {
        out.invalid(&words, &format!("if '*' is present, must not specify other {}", plain(list)));
    }
}

/// What an error calls the items of a list.
fn plain(list: &str) -> &str {
    match list {
        "apiGroups" => "API groups",
        "apiVersions" => "API versions",
        other => other,
    }
}

/// Resources and parts of them; one that covers another stands alone.
fn validate_resources(rule: &Spot<'_>, out: &mut Errors) {
    let list = rule.field("resources");
    if list.is_empty() {
        out.required(&list, "");
        return;
    }
    let names: Vec<String> = rule.each("resources").map(|it| it.text().to_owned()).collect();
    let has = |name: &str| names.iter().any(|known| known == name);
    if has("*/*") && names.len() > 1 {
        out.invalid(&list, "if '*/*' is present, must not specify other resources");
    }
    for resource in rule.each("resources") {
        let name = resource.text();
        match name.split_once('/') {
            None if name.is_empty() => out.required(&resource, ""),
            None if name != "*" && has("*") => {
                out.invalid(
                    &resource,
                    "if '*' is present, must not specify other resources without subresources",
                );
            }
            Some((whole, part)) if name != "*/*" => {
                if part != "*" && has(&format!("{whole}/*")) {
                    let detail = format!("if '{whole}/*' is present, must not specify {name}");
                    out.invalid(&resource, &detail);
                }
                if whole != "*" && has(&format!("*/{part}")) {
                    let detail = format!("if '*/{part}' is present, must not specify {name}");
                    out.invalid(&resource, &detail);
                }
            }
            _ => {}
        }
    }
}

/// Rules, what they leave out, and selectors; `needs_rules` if nothing is matched without.
pub(super) fn validate_match(matching: &Spot<'_>, needs_rules: bool, out: &mut Errors) {
    out.one_of_required(&matching.field("matchPolicy"), &["Equivalent", "Exact"]);
    validate_selectors(matching, out);
    if needs_rules {
        out.filled(&matching.field("resourceRules"));
    }
    for list in ["excludeResourceRules", "resourceRules"] {
        for rule in matching.each(list) {
            validate_rule(&rule, true, out);
        }
    }
}

/// The selectors of namespaces and objects.
pub(super) fn validate_selectors(above: &Spot<'_>, out: &mut Errors) {
    for name in ["namespaceSelector", "objectSelector"] {
        let field = above.field(name);
        if field.is_set() {
            selector::validate(&field, out);
        } else {
            out.required(&field, "");
        }
    }
}

/// Conditions with names of their own.
pub(super) fn validate_conditions(above: &Spot<'_>, out: &mut Errors) {
    out.too_many(&above.field("matchConditions"), CONDITIONS_MAX);
    for condition in above.each("matchConditions") {
        validate_expression(&condition.field("expression"), "", out);
        out.check_required(&condition.field("name"), text::qualified_name);
    }
    out.unique(above, "matchConditions", "name");
}
