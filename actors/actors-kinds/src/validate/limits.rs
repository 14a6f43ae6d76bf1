//! What a namespace may have: limits of one object, and of all of them together.
//!
//! Spec: documentation, "limit ranges", "resource quotas".

mod limit_range;
mod pod_template;
mod resource_quota;

use super::Rules;

/// The rules of these kinds.
pub(super) const RULES: &[Rules] =
    &[limit_range::RULES, pod_template::RULES, resource_quota::RULES];
