//! Disruption budgets of pods.
//!
//! Spec: documentation, "specifying a disruption budget"; API reference of `PodDisruptionBudget`; KEP-3017.

use actors_object::IntOrPercent;

use super::{Errors, PLAIN, Rules, Spot, selector, text};

/// The rules of this kind.
pub(super) const RULES: &[Rules] = &[Rules {
    group: "policy",
    kind: "PodDisruptionBudget",
    object: validate,
    status: validate_status,
    ..PLAIN
}];

/// A budget: how many must stay or how many may go, not both.
fn validate(root: &Spot<'_>, out: &mut Errors) {
    let spec = root.field("spec");
    let (least, most) = (spec.field("minAvailable"), spec.field("maxUnavailable"));
    if least.is_set() && most.is_set() {
        out.invalid(&spec, "takes minAvailable or maxUnavailable, not both");
    }
    for share in [&least, &most] {
        if !share.is_set() {
            continue;
        }
        match IntOrPercent::from_value(share.value) {
            None => out.invalid(share, "must be a whole number or a percentage, such as 25%"),
            Some(IntOrPercent::Int(_)) => out.at_least(share, 0),
            Some(IntOrPercent::Percent(percent)) if percent > 100 => {
                out.invalid(share, "must not exceed 100%");
            }
            Some(IntOrPercent::Percent(_)) => {}
        }
    }
    selector::validate(&spec.field("selector"), out);
    out.one_of(&spec.field("unhealthyPodEvictionPolicy"), &["AlwaysAllow", "IfHealthyBudget"]);
}

/// Counts are counts, and conditions have a type and a reason.
fn validate_status(new: &Spot<'_>, _old: &Spot<'_>, out: &mut Errors) {
    let status = new.field("status");
    for name in ["disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"] {
        out.at_least(&status.field(name), 0);
    }
    for condition in status.each("conditions") {
        out.check_required(&condition.field("type"), text::qualified_name);
        out.one_of_required(&condition.field("status"), &["False", "True", "Unknown"]);
        out.filled(&condition.field("reason"));
        out.filled(&condition.field("lastTransitionTime"));
    }
    out.unique(&status, "conditions", "type");
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use crate::validate::testing::{check_create, check_status};

    fn budget(spec: &str) -> String {
        format!(
            "{{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {{name: b, namespace: d}}, \
             spec: {{{spec}}}}}"
        )
    }

    #[test]
    fn a_budget_says_one_number() {
        check_create(&budget("minAvailable: 50%, selector: {}"), &expect![""]);
        check_create(
            &budget("minAvailable: 1, maxUnavailable: 1"),
            &expect![[r#"
            spec: Invalid value: {"minAvailable":1,"maxUnavailable":1}: takes minAvailable or maxUnavailable, not both
        "#]],
        );
        check_create(
            &budget("minAvailable: -1"),
            &expect![[r#"
            spec.minAvailable: Invalid value: -1: must be greater than or equal to 0
        "#]],
        );
        check_create(
            &budget("maxUnavailable: 101%"),
            &expect![[r#"
            spec.maxUnavailable: Invalid value: "101%": must not exceed 100%
        "#]],
        );
        check_create(
            &budget("maxUnavailable: some"),
            &expect![[r#"
            spec.maxUnavailable: Invalid value: "some": must be a whole number or a percentage, such as 25%
        "#]],
        );
    }

    #[test]
    fn its_selector_and_policy_are_known() {
        let spec = "unhealthyPodEvictionPolicy: Never, selector: {matchExpressions: [{key: a, operator: Is}]}";
        check_create(
            &budget(spec),
            &expect![[r#"
            spec.selector.matchExpressions[0].operator: Invalid value: "Is": not a valid selector operator
            spec.unhealthyPodEvictionPolicy: Unsupported value: "Never": supported values: "AlwaysAllow", "IfHealthyBudget"
        "#]],
        );
    }

    #[test]
    fn its_status_counts() {
        let status =
            "{disruptionsAllowed: -1, expectedPods: -1, conditions: [{type: A, status: Maybe}]}";
        check_status(
            &budget(""),
            status,
            &expect![[r#"
            status.disruptionsAllowed: Invalid value: -1: must be greater than or equal to 0
            status.expectedPods: Invalid value: -1: must be greater than or equal to 0
            status.conditions[0].status: Unsupported value: "Maybe": supported values: "False", "True", "Unknown"
            status.conditions[0].reason: Required value
            status.conditions[0].lastTransitionTime: Required value
        "#]],
        );
    }
}
