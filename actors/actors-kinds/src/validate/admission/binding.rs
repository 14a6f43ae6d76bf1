//! `ValidatingAdmissionPolicyBinding`: where a policy is enforced, with which parameters, and how.

use super::{GROUP, matching};
use crate::validate::{Errors, PLAIN, Rules, Spot, selector, text};

pub(super) const RULES: Rules =
    Rules { group: GROUP, kind: "ValidatingAdmissionPolicyBinding", object: validate, ..PLAIN };

fn validate(root: &Spot<'_>, out: &mut Errors) {
    let spec = root.field("spec");
    out.check_required(&spec.field("policyName"), text::path_segment);
    let parameters = spec.field("paramRef");
    if parameters.is_set() {
        validate_parameters(&parameters, out);
    }
    let matching = spec.field("matchResources");
    if matching.is_set() {
        matching::validate_match(&matching, false, out);
    }
    validate_actions(&spec, out);
}

/// One object by its name, or those with some labels.
fn validate_parameters(parameters: &Spot<'_>, out: &mut Errors) {
    let (name, labels) = (parameters.field("name"), parameters.field("selector"));
    let detail = "name and selector are mutually exclusive, and one of them must be set";
    match (name.is_empty(), labels.is_set()) {
        (false, true) => out.forbidden(&name, detail),
        (true, false) => out.required(parameters, detail),
        (false, false) => out.check(&name, text::path_segment),
        (true, true) => selector::validate(&labels, out),
    }
    out.check(&parameters.field("namespace"), text::dns_label);
    out.one_of_required(&parameters.field("parameterNotFoundAction"), &["Allow", "Deny"]);
}

/// What follows from a failure: something, each thing once, and not the same thing in two ways.
fn validate_actions(spec: &Spot<'_>, out: &mut Errors) {
    let actions = spec.field("validationActions");
    if actions.is_empty() {
        out.required(&actions, "at least one validation action is required");
    }
    for action in spec.each("validationActions") {
        out.one_of_required(&action, &["Audit", "Deny", "Warn"]);
    }
    out.distinct(spec, "validationActions");
    let has = |name: &str| spec.each("validationActions").any(|action| action.text() == name);
    if has("Deny") && has("Warn") {
        out.invalid(&actions, "must not contain both Deny and Warn: a failure is told once");
    }
}
