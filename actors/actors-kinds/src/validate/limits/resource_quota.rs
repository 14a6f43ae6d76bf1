//! `ResourceQuota`: how much all objects of a namespace may have together.

use actors_object::FieldError;

use crate::validate::{Errors, PLAIN, Rules, Spot, amount, text};

pub(super) const RULES: Rules = Rules {
    kind: "ResourceQuota",
    object: validate,
    change: |new, old, out| {
        let (new, old) = (new.field("spec"), old.field("spec"));
        out.immutable(&new.field("scopes"), &old.field("scopes"));
    },
    status: |new, _, out| {
        let status = new.field("status");
        validate_amounts(&status, "hard", out);
        validate_amounts(&status, "used", out);
    },
    ..PLAIN
};

/// What is counted without a domain before its name.
const COUNTED: [&str; 9] = [
    "configmaps",
    "persistentvolumeclaims",
    "pods",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "services",
    "services.loadbalancers",
    "services.nodeports",
];
/// What is measured.
const MEASURED: [&str; 10] = [
    "cpu",
    "ephemeral-storage",
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
    "requests.storage",
];
/// Which objects a quota can be about.
const SCOPES: [&str; 7] = [
    "BestEffort",
    "CrossNamespacePodAffinity",
    "NotBestEffort",
    "NotTerminating",
    "PriorityClass",
    "Terminating",
    "VolumeAttributesClass",
];

fn validate(root: &Spot<'_>, out: &mut Errors) {
    let spec = root.field("spec");
    validate_amounts(&spec, "hard", out);
    validate_scopes(&spec, out);
    for term in spec.field("scopeSelector").each("matchExpressions") {
        validate_term(&term, out);
    }
}

fn validate_amounts(above: &Spot<'_>, list: &str, out: &mut Errors) {
    for (name, amount) in above.entries(list) {
        for detail in text::qualified_name(name) {
            out.push(FieldError::invalid(&above.field(list).path().push_key(name), name, detail));
        }
        let is_huge = name.trim_start_matches("requests.").starts_with("hugepages-");
        let is_counted = COUNTED.contains(&name) || name.starts_with("count/");
        if !is_huge && !is_counted && !name.contains('/') && !MEASURED.contains(&name) {
            let path = above.field(list).path().push_key(name);
            out.push(FieldError::invalid(&path, name, "must be a standard resource for quota"));
        }
        amount::check_not_negative(&amount, out);
        if is_counted {
            amount::check_whole(&amount, out);
        }
    }
}

/// Scopes that exist, fit each other, and fit what is limited.
fn validate_scopes(spec: &Spot<'_>, out: &mut Errors) {
    let scopes = spec.field("scopes");
    let has = |name: &str| spec.each("scopes").any(|scope| scope.text() == name);
    if spec.each("scopes").any(|scope| !SCOPES.contains(&scope.text())) {
        out.invalid(&scopes, "unsupported scope");
    }
    // A pod without any request has only its number to be limited.
    let is_more = spec.entries("hard").any(|(name, _)| !matches!(name, "pods" | "count/pods"));
    if has("BestEffort") && is_more {
        out.invalid(&scopes, "unsupported scope applied to resource");
    }
    for (one, other) in [("BestEffort", "NotBestEffort"), ("NotTerminating", "Terminating")] {
        if has(one) && has(other) {
            out.invalid(&scopes, "conflicting scopes");
        }
    }
}

fn validate_term(term: &Spot<'_>, out: &mut Errors) {
    let (name, operator, values) =
        (term.field("scopeName"), term.field("operator"), term.field("values"));
    if !SCOPES.contains(&name.text()) {
        out.invalid(&name, "unsupported scope");
    }
    let takes_values = matches!(name.text(), "PriorityClass" | "VolumeAttributesClass");
    if SCOPES.contains(&name.text()) && !takes_values && operator.text() != "Exists" {
        out.invalid(&operator, "must be 'Exists', since this scope has no values");
    }
    match operator.text() {
        "In" | "NotIn" if values.is_empty() => {
            out.required(&values, "must be at least one value when `operator` is 'In' or 'NotIn'");
        }
        "Exists" | "DoesNotExist" if !values.is_empty() => {
            out.invalid(&values, "must be no value when `operator` is 'Exists' or 'DoesNotExist'");
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
        _ => out.invalid(&operator, "not a valid selector operator"),
    }
}
