//! `ResourceQuota`: how much all objects of a namespace may have together.

use actors_object::{FieldError, Value};

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
    validate_selector(&spec, out);
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

/// What a pod has that a quota can be about, and what a claim has.
const OF_PODS: [&str; 7] =
    ["cpu", "limits.cpu", "limits.memory", "memory", "pods", "requests.cpu", "requests.memory"];
const OF_CLAIMS: [&str; 2] = ["persistentvolumeclaims", "requests.storage"];

/// Whether everything that is limited, and that has no domain, exists in a scope.
fn fits(spec: &Spot<'_>, scope: &str) -> bool {
    let is_standard = |name: &str| COUNTED.contains(&name) || MEASURED.contains(&name);
    let exists = |name: &str| match scope {
        // A pod without any request has only its number to be limited.
        "BestEffort" => name == "pods",
        "VolumeAttributesClass" => OF_CLAIMS.contains(&name),
        _ => OF_PODS.contains(&name),
    };
    spec.entries("hard").all(|(name, _)| !is_standard(name) || exists(name))
}

/// Scopes that exist, fit each other, and fit what is limited.
fn validate_scopes(spec: &Spot<'_>, out: &mut Errors) {
    let scopes = spec.field("scopes");
    for scope in spec.each("scopes") {
        if !SCOPES.contains(&scope.text()) {
            out.invalid(&scopes, "unsupported scope");
        } else if !fits(spec, scope.text()) {
            out.invalid(&scopes, "unsupported scope applied to resource");
        }
    }
    validate_conflicts(spec, "scopes", |scope| scope, out);
}

/// Scopes of which nothing can be in both.
fn validate_conflicts(
    above: &Spot<'_>,
    list: &str,
    name: for<'a> fn(&'a Value) -> &'a Value,
    out: &mut Errors,
) {
    let has = |scope: &str| above.each(list).any(|it| name(it.value).as_str() == Some(scope));
    for (one, other) in [("BestEffort", "NotBestEffort"), ("NotTerminating", "Terminating")] {
        if has(one) && has(other) {
            out.invalid(&above.field(list), "conflicting scopes");
        }
    }
}

/// Scopes with values; errors name the list, not the item.
fn validate_selector(spec: &Spot<'_>, out: &mut Errors) {
    let selector = spec.field("scopeSelector");
    let list = selector.field("matchExpressions");
    for term in selector.each("matchExpressions") {
        let (scope, operator) = (term.field("scopeName"), term.field("operator"));
        if !SCOPES.contains(&scope.text()) {
            out.invalid_value(&list.field("scopeName"), scope.text(), "unsupported scope");
        } else if !fits(spec, scope.text()) {
            let detail = "unsupported scope applied to resource";
            out.invalid_value(&list, selector.value.clone(), detail);
        }
        let takes_values = ["PriorityClass", "VolumeAttributesClass"].contains(&scope.text());
        if SCOPES.contains(&scope.text()) && !takes_values && operator.text() != "Exists" {
            let detail = "must be 'Exists', since this scope has no values";
            out.invalid_value(&list.field("operator"), operator.text(), detail);
        }
        validate_operator(&list, &operator, &term.field("values"), out);
    }
    validate_conflicts(&selector, "matchExpressions", |term| term.at("scopeName"), out);
}

fn validate_operator(list: &Spot<'_>, operator: &Spot<'_>, values: &Spot<'_>, out: &mut Errors) {
    match operator.text() {
        "In" | "NotIn" if values.is_empty() => {
            let detail = "must be at least one value when `operator` is 'In' or 'NotIn'";
            out.required(&list.field("values"), detail);
        }
        "Exists" | "DoesNotExist" if !values.is_empty() => {
            let detail = "must be no value when `operator` is 'Exists' or 'DoesNotExist'";
            out.invalid_value(&list.field("values"), values.value.clone(), detail);
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
        _ => {
            let detail = "not a valid selector operator";
            out.invalid_value(&list.field("operator"), operator.text(), detail);
        }
    }
}
