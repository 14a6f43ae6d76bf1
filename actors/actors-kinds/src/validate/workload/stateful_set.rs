//! `StatefulSet`s.
//!
//! Spec: documentation, "StatefulSets"; API reference of `StatefulSetSpec`; KEP-961, KEP-1847, KEP-3335.

use actors_object::IntOrPercent;

use super::{is_zero, not_more_than, validate_counts, validate_share, validate_template};
use crate::validate::{Errors, Spot, is_same, selector, text};

/// What of the spec may change; everything else is part of the pods' identity.
const MUTABLE: [&str; 7] = [
    "minReadySeconds",
    "ordinals",
    "persistentVolumeClaimRetentionPolicy",
    "replicas",
    "revisionHistoryLimit",
    "template",
    "updateStrategy",
];

/// A `StatefulSet`.
pub(super) fn validate(root: &Spot<'_>, out: &mut Errors) {
    let spec = root.field("spec");
    out.one_of_required(&spec.field("podManagementPolicy"), &["OrderedReady", "Parallel"]);
    validate_update(&spec.field("updateStrategy"), out);
    let retention = spec.field("persistentVolumeClaimRetentionPolicy");
    for name in ["whenDeleted", "whenScaled"] {
        out.one_of(&retention.field(name), &["Delete", "Retain"]);
    }
    out.at_least(&spec.field("replicas"), 0);
    out.at_least(&spec.field("minReadySeconds"), 0);
    out.at_least(&spec.field("revisionHistoryLimit"), 0);
    let ordinals = spec.field("ordinals");
    out.at_least(&ordinals.field("start"), 0);
    selector::validate_workload(&spec, out);
    validate_template(&spec, out);
}

/// A new one: its service's name is a name. Old ones with others are left alone.
pub(super) fn validate_new(root: &Spot<'_>, out: &mut Errors) {
    let spec = root.field("spec");
    out.check(&spec.field("serviceName"), text::dns_label);
}

/// How pods are replaced: by hand, or one after the other from the highest ordinal down to the partition.
fn validate_update(update: &Spot<'_>, out: &mut Errors) {
    let (sort, rolling) = (update.field("type"), update.field("rollingUpdate"));
    match sort.text() {
        "" => out.required(&sort, ""),
        "OnDelete" if rolling.is_set() => {
            out.invalid(&rolling, "belongs to the type RollingUpdate");
        }
        "RollingUpdate" => {
            out.at_least(&rolling.field("partition"), 0);
            let unavailable = rolling.field("maxUnavailable");
            if unavailable.is_set() {
                validate_share(&unavailable, out);
                if is_zero(&unavailable) {
                    out.invalid(&unavailable, "must not be 0: nothing could move");
                }
                let share = IntOrPercent::from_value(unavailable.value);
                if matches!(share, Some(IntOrPercent::Percent(percent)) if percent > 100) {
                    out.invalid(&unavailable, "must not exceed 100%");
                }
            }
        }
        "OnDelete" => {}
        _ => out.invalid(update, "must have the type RollingUpdate or OnDelete"),
    }
}

/// Most of the spec stays what it was.
pub(super) fn validate_change(new: &Spot<'_>, old: &Spot<'_>, out: &mut Errors) {
    let (spec, before) = (new.field("spec"), old.field("spec"));
    let fields = [spec.value, before.value].into_iter().filter_map(|value| value.as_map());
    let is_other = fields.flat_map(|map| map.keys()).any(|name| {
        !MUTABLE.contains(&&**name) && !is_same(spec.value.at(name), before.value.at(name))
    });
    if is_other {
        let detail = "of the spec of a StatefulSet only 'replicas', 'ordinals', 'template', 'updateStrategy', \
             'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' may change";
        out.forbidden(&spec, detail);
    }
}

/// Counts fit each other.
pub(super) fn validate_status(new: &Spot<'_>, _old: &Spot<'_>, out: &mut Errors) {
    let status = new.field("status");
    const COUNTS: [&str; 6] = [
        "replicas",
        "readyReplicas",
        "currentReplicas",
        "updatedReplicas",
        "availableReplicas",
        "collisionCount",
    ];
    validate_counts(&status, &COUNTS, out);
    for name in ["readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas"] {
        not_more_than(&status, name, "replicas", out);
    }
    not_more_than(&status, "availableReplicas", "readyReplicas", out);
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use crate::validate::testing::{check_create, check_status, check_update};

    /// A good one, with some lines of a spec added.
    fn set(more: &str) -> String {
        format!(
            "{{apiVersion: apps/v1, kind: StatefulSet, metadata: {{name: web, namespace: d}}, spec: {{\
             selector: {{matchLabels: {{a: b}}}}, serviceName: web, {more} \
             template: {{metadata: {{labels: {{a: b}}}}, spec: {{containers: [{{name: c, image: i}}]}}}}}}}}"
        )
    }

    #[test]
    fn policies_are_words_and_counts_are_not_negative() {
        check_create(
            &set(
                "replicas: -1, minReadySeconds: -1, revisionHistoryLimit: -1, ordinals: {start: -1}, \
                 podManagementPolicy: Chaos, persistentVolumeClaimRetentionPolicy: {whenScaled: Burn},",
            ),
            &expect![[r#"
                spec.podManagementPolicy: Unsupported value: "Chaos": supported values: "OrderedReady", "Parallel"
                spec.persistentVolumeClaimRetentionPolicy.whenScaled: Unsupported value: "Burn": supported values: "Delete", "Retain"
                spec.replicas: Invalid value: -1: must be greater than or equal to 0
                spec.minReadySeconds: Invalid value: -1: must be greater than or equal to 0
                spec.revisionHistoryLimit: Invalid value: -1: must be greater than or equal to 0
                spec.ordinals.start: Invalid value: -1: must be greater than or equal to 0
            "#]],
        );
        check_create(&set(""), &expect![""]);
    }

    #[test]
    fn a_rolling_update_moves_and_another_has_no_numbers() {
        let update = |strategy: &str| set(&format!("updateStrategy: {strategy},"));
        check_create(
            &update("{type: OnDelete, rollingUpdate: {partition: 1}}"),
            &expect![[r#"
            spec.updateStrategy.rollingUpdate: Invalid value: {"partition":1}: belongs to the type RollingUpdate
        "#]],
        );
        check_create(
            &update("{rollingUpdate: {partition: -1, maxUnavailable: 0}}"),
            &expect![[r#"
            spec.updateStrategy.rollingUpdate.partition: Invalid value: -1: must be greater than or equal to 0
            spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value: 0: must not be 0: nothing could move
        "#]],
        );
        check_create(
            &update("{rollingUpdate: {maxUnavailable: 101%}}"),
            &expect![[r#"
            spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value: "101%": must not exceed 100%
        "#]],
        );
        check_create(
            &update("{type: Never}"),
            &expect![[r#"
            spec.updateStrategy: Invalid value: {"type":"Never"}: must have the type RollingUpdate or OnDelete
        "#]],
        );
    }

    #[test]
    fn the_service_of_a_new_one_has_a_name_and_its_selector_selects_its_pods() {
        let bad = set("").replace("serviceName: web", "serviceName: Web!");
        check_create(
            &bad,
            &expect![[r#"
            spec.serviceName: Invalid value: "Web!": must be a DNS label (RFC 1123): lower-case letters, digits and '-', with a letter or digit at both ends, for example 'my-name' or '123-abc' (pattern: [a-z0-9]([-a-z0-9]*[a-z0-9])?)
        "#]],
        );
        check_create(
            &set("").replace("matchLabels: {a: b}", "matchLabels: {}"),
            &expect![[r#"
            spec.selector: Invalid value: {}: an empty selector is not allowed: it would select every pod
        "#]],
        );
        check_create(
            &set("").replace("labels: {a: b}}, spec", "labels: {a: c}}, spec"),
            &expect![[r#"
            spec.template.metadata.labels: Invalid value: {"a":"c"}: the selector does not select these labels
        "#]],
        );
    }

    #[test]
    fn identity_stays_and_the_rest_may_change() {
        let new = set("replicas: 3, minReadySeconds: 4, revisionHistoryLimit: 2,");
        check_update(&set(""), &new, &expect![""]);
        check_update(
            &set(""),
            &set("podManagementPolicy: Parallel,"),
            &expect![[r#"
            spec: Forbidden: of the spec of a StatefulSet only 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' may change
        "#]],
        );
        let other = set("").replace("serviceName: web", "serviceName: other");
        check_update(
            &set(""),
            &other,
            &expect![[r#"
            spec: Forbidden: of the spec of a StatefulSet only 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' may change
        "#]],
        );
    }

    #[test]
    fn counts_of_the_status_fit_each_other() {
        let status = "{replicas: 1, readyReplicas: 2, availableReplicas: 3, currentReplicas: -1}";
        check_status(
            &set(""),
            status,
            &expect![[r#"
            status.currentReplicas: Invalid value: -1: must be greater than or equal to 0
            status.readyReplicas: Invalid value: 2: cannot be greater than replicas
            status.availableReplicas: Invalid value: 3: cannot be greater than replicas
            status.availableReplicas: Invalid value: 3: cannot be greater than readyReplicas
        "#]],
        );
    }
}
