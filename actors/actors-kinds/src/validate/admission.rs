//! Who else is asked before an object is stored: webhooks, policies and their bindings. Structure only: expressions
//! are compiled where they are run.
//!
//! Spec: documentation, "dynamic admission control", "validating admission policy"; API reference of
//! admissionregistration.k8s.io/v1.

mod binding;
mod matching;
mod policy;
mod webhook;

use super::{Errors, Rules, Spot};

const GROUP: &str = "admissionregistration.k8s.io";

/// The rules of this group.
pub(super) const RULES: &[Rules] =
    &[binding::RULES, policy::RULES, webhook::MUTATING, webhook::VALIDATING];

/// An expression that must be there.
fn validate_expression(expression: &Spot<'_>, detail: &str, out: &mut Errors) {
    if expression.text().trim().is_empty() {
        out.required(expression, detail);
    }
}
