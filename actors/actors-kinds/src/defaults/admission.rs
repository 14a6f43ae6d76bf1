//! Webhooks, policies and their bindings.

use actors_object::{Map, Value};

use super::{Row, each, inner};

const GROUP: &str = "admissionregistration.k8s.io";

/// The defaults of this group.
pub(super) const DEFAULTS: &[Row] = &[
    (GROUP, "MutatingWebhookConfiguration", default_mutating),
    (GROUP, "ValidatingAdmissionPolicy", default_policy),
    (GROUP, "ValidatingAdmissionPolicyBinding", default_binding),
    (GROUP, "ValidatingWebhookConfiguration", default_validating),
];

/// Webhooks that change objects are asked once.
fn default_mutating(root: &mut Map) {
    for hook in each(root, "webhooks") {
        default_hook(hook);
        hook.set_default("reinvocationPolicy", "Never");
    }
}

fn default_validating(root: &mut Map) {
    each(root, "webhooks").for_each(default_hook);
}

/// A webhook: what fails is refused, all versions are matched, and it is waited for ten seconds.
fn default_hook(hook: &mut Map) {
    hook.set_default("failurePolicy", "Fail");
    hook.set_default("matchPolicy", "Equivalent");
    default_selectors(hook);
    hook.set_default("timeoutSeconds", 10);
    if let Some(service) = inner(hook, "clientConfig").and_then(|it| inner(it, "service")) {
        service.set_default("port", 443);
    }
    default_scopes(hook, "rules");
}

fn default_selectors(above: &mut Map) {
    for name in ["namespaceSelector", "objectSelector"] {
        above.set_default(name, Value::Map(Map::default()));
    }
}

/// Rules are about objects in namespaces and others.
fn default_scopes(above: &mut Map, list: &str) {
    for rule in each(above, list) {
        rule.set_default("scope", "*");
    }
}

fn default_policy(root: &mut Map) {
    let spec = root.entry_or_map("spec");
    spec.set_default("failurePolicy", "Fail");
    if let Some(constraints) = inner(spec, "matchConstraints") {
        default_match(constraints);
    }
}

fn default_binding(root: &mut Map) {
    if let Some(matching) = inner(root, "spec").and_then(|spec| inner(spec, "matchResources")) {
        default_match(matching);
    }
}

fn default_match(matching: &mut Map) {
    matching.set_default("matchPolicy", "Equivalent");
    default_selectors(matching);
    default_scopes(matching, "excludeResourceRules");
    default_scopes(matching, "resourceRules");
}
