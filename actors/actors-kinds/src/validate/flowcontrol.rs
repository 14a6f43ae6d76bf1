//! Which requests of the API wait for which others.
//!
//! Spec: documentation, "API priority and fairness"; API reference of flowcontrol.apiserver.k8s.io/v1.

mod flow_schema;
mod mandatory;
mod priority_level;

use super::Rules;

const GROUP: &str = "flowcontrol.apiserver.k8s.io";
/// The level and the schema of what never waits.
const EXEMPT: &str = "exempt";

/// The rules of this group.
pub(super) const RULES: &[Rules] = &[flow_schema::RULES, priority_level::RULES];
