//! Roles and bindings.
//!
//! Spec: documentation, "using RBAC authorization".

use super::{Errors, Spot, selector, text};

const GROUP: &str = "rbac.authorization.k8s.io";

/// A role in a namespace.
pub(super) fn validate_role(root: &Spot<'_>, out: &mut Errors) {
    for rule in root.each("rules") {
        validate_rule(&rule, out);
        let urls = rule.field("nonResourceURLs");
        if !urls.is_empty() {
            out.invalid(&urls, "URLs belong to no namespace: use a ClusterRole");
        }
    }
}

/// A role everywhere; its rules may be gathered from other roles by label.
pub(super) fn validate_cluster_role(root: &Spot<'_>, out: &mut Errors) {
    for rule in root.each("rules") {
        validate_rule(&rule, out);
    }
    let aggregation = root.field("aggregationRule");
    if aggregation.is_set() {
        let selectors = aggregation.field("clusterRoleSelectors");
        if selectors.is_empty() {
            out.required(&selectors, "an aggregation needs a selector");
        }
        for one in aggregation.each("clusterRoleSelectors") {
            selector::validate(&one, out);
        }
    }
}

/// A rule is about resources or about paths.
fn validate_rule(rule: &Spot<'_>, out: &mut Errors) {
    let (verbs, urls) = (rule.field("verbs"), rule.field("nonResourceURLs"));
    if verbs.is_empty() {
        out.required(&verbs, "a rule needs a verb");
    }
    let (groups, resources) = (rule.field("apiGroups"), rule.field("resources"));
    if !urls.is_empty() {
        let names = rule.field("resourceNames");
        if [&groups, &resources, &names].iter().any(|field| !field.is_empty()) {
            out.invalid(&urls, "a rule is about resources or about URLs, not both");
        }
        return;
    }
    if groups.is_empty() {
        out.required(&groups, "a rule about resources needs an API group; the core group is \"\"");
    }
    if resources.is_empty() {
        out.required(&resources, "a rule about resources needs a resource");
    }
}

/// A binding in a namespace.
pub(super) fn validate_role_binding(root: &Spot<'_>, out: &mut Errors) {
    validate_binding(root, &["ClusterRole", "Role"], out);
}

/// A binding everywhere.
pub(super) fn validate_cluster_role_binding(root: &Spot<'_>, out: &mut Errors) {
    validate_binding(root, &["ClusterRole"], out);
    for subject in root.each("subjects") {
        let namespace = subject.field("namespace");
        if subject.field("kind").text() == "ServiceAccount" && namespace.is_empty() {
            out.required(&namespace, "");
        }
    }
}

fn validate_binding(root: &Spot<'_>, kinds: &[&str], out: &mut Errors) {
    let role = root.field("roleRef");
    out.one_of_required(&role.field("apiGroup"), &[GROUP]);
    out.one_of_required(&role.field("kind"), kinds);
    out.check_required(&role.field("name"), text::path_segment);
    for subject in root.each("subjects") {
        validate_subject(&subject, out);
    }
}

fn validate_subject(subject: &Spot<'_>, out: &mut Errors) {
    let (name, group) = (subject.field("name"), subject.field("apiGroup"));
    if name.is_empty() {
        out.required(&name, "");
    }
    match subject.field("kind").text() {
        "ServiceAccount" => {
            out.check(&name, text::dns_subdomain);
            if !group.is_empty() {
                out.one_of(&group, &[""]);
            }
        }
        "User" | "Group" => out.one_of(&group, &[GROUP]),
        _ => out.one_of_required(&subject.field("kind"), &["Group", "ServiceAccount", "User"]),
    }
}

/// What is bound never changes; whom it is bound to may.
pub(super) fn validate_binding_change(new: &Spot<'_>, old: &Spot<'_>, out: &mut Errors) {
    let (role, before) = (new.field("roleRef"), old.field("roleRef"));
    if role.value != before.value {
        out.invalid(&role, "cannot change: delete the binding and create another");
    }
}

#[cfg(test)]
mod tests;
