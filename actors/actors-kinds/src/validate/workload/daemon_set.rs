//! `DaemonSet`s.
//!
//! Spec: documentation, "DaemonSet", "perform a rolling update on a DaemonSet"; KEP-1591 (surge).

use actors_object::IntOrPercent;

use super::{is_zero, validate_share, validate_template};
use crate::validate::{Errors, Spot, selector};

/// A `DaemonSet`.
pub(super) fn validate(root: &Spot<'_>, out: &mut Errors) {
    let spec = root.field("spec");
    selector::validate_workload(&spec, out);
    validate_template(&spec, out);
    out.at_least(&spec.field("minReadySeconds"), 0);
    validate_update(&spec.field("updateStrategy"), out);
    out.at_least(&spec.field("revisionHistoryLimit"), 0);
}

/// How pods are replaced: by hand, or with some fewer or some more on each machine, but not both.
fn validate_update(update: &Spot<'_>, out: &mut Errors) {
    let (sort, rolling) = (update.field("type"), update.field("rollingUpdate"));
    out.one_of_required(&sort, &["OnDelete", "RollingUpdate"]);
    if sort.text() != "RollingUpdate" {
        return;
    }
    if !rolling.is_set() {
        out.required(&rolling, "");
        return;
    }
    let (unavailable, surge) = (rolling.field("maxUnavailable"), rolling.field("maxSurge"));
    for share in [&unavailable, &surge] {
        validate_share(share, out);
        let read = IntOrPercent::from_value(share.value);
        if matches!(read, Some(IntOrPercent::Percent(percent)) if percent > 100) {
            out.invalid(share, "must not exceed 100%");
        }
    }
    match (is_zero(&unavailable), is_zero(&surge)) {
        (false, false) => out.invalid(&surge, "must not be set while `maxUnavailable` is not 0"),
        (true, true) => {
            out.required(&unavailable, "must not be 0 while `maxSurge` is 0: nothing could move");
        }
        _ => {}
    }
}

/// Counts are counts, and collisions are only added to.
pub(super) fn validate_status(new: &Spot<'_>, old: &Spot<'_>, out: &mut Errors) {
    let (status, before) = (new.field("status"), old.field("status"));
    const COUNTS: [&str; 8] = [
        "currentNumberScheduled",
        "numberMisscheduled",
        "desiredNumberScheduled",
        "numberReady",
        "observedGeneration",
        "updatedNumberScheduled",
        "numberAvailable",
        "numberUnavailable",
    ];
    COUNTS.iter().for_each(|name| out.at_least(&status.field(name), 0));
    super::never_shrinks(&status, &before, "collisionCount", out);
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use crate::validate::testing::{check_create, check_status_change, check_update};

    fn set(more: &str) -> String {
        format!(
            "{{apiVersion: apps/v1, kind: DaemonSet, metadata: {{name: web, namespace: d}}, spec: {{\
             selector: {{matchLabels: {{a: b}}}}, {more} \
             template: {{metadata: {{labels: {{a: b}}}}, spec: {{containers: [{{name: c, image: i}}]}}}}}}}}"
        )
    }

    #[test]
    fn an_update_takes_fewer_or_more_pods_but_not_both() {
        let update = |strategy: &str| set(&format!("updateStrategy: {strategy},"));
        check_create(
            &update("{type: Never}"),
            &expect![[r#"
            spec.updateStrategy.type: Unsupported value: "Never": supported values: "OnDelete", "RollingUpdate"
        "#]],
        );
        check_create(
            &update("{rollingUpdate: {maxUnavailable: 1, maxSurge: 1}}"),
            &expect![[r#"
            spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: 1: must not be set while `maxUnavailable` is not 0
        "#]],
        );
        check_create(
            &update("{rollingUpdate: {maxUnavailable: 0, maxSurge: 0}}"),
            &expect![[r#"
            spec.updateStrategy.rollingUpdate.maxUnavailable: Required value: must not be 0 while `maxSurge` is 0: nothing could move
        "#]],
        );
        check_create(
            &update("{rollingUpdate: {maxUnavailable: 101%}}"),
            &expect![[r#"
            spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value: "101%": must not exceed 100%
        "#]],
        );
        check_create(&update("{rollingUpdate: {maxUnavailable: 0, maxSurge: 10%}}"), &expect![""]);
    }

    #[test]
    fn counts_are_not_negative_and_pods_restart_always() {
        check_create(
            &set("minReadySeconds: -1, revisionHistoryLimit: -1,"),
            &expect![[r#"
            spec.minReadySeconds: Invalid value: -1: must be greater than or equal to 0
            spec.revisionHistoryLimit: Invalid value: -1: must be greater than or equal to 0
        "#]],
        );
        let once = set("").replace("containers", "restartPolicy: OnFailure, containers");
        check_create(
            &once,
            &expect![[r#"
            spec.template.spec.restartPolicy: Unsupported value: "OnFailure": supported values: "Always"
        "#]],
        );
    }

    #[test]
    fn the_selector_stays() {
        let new = set("").replace("{a: b}", "{a: c}");
        check_update(
            &set(""),
            &new,
            &expect![[r#"
            spec.selector: Invalid value: {"matchLabels":{"a":"c"}}: field is immutable
        "#]],
        );
    }

    #[test]
    fn the_status_counts_upwards() {
        let after = "{numberReady: -1, desiredNumberScheduled: -2, collisionCount: 1}";
        check_status_change(
            &set(""),
            "{collisionCount: 2}",
            after,
            &expect![[r#"
            status.desiredNumberScheduled: Invalid value: -2: must be greater than or equal to 0
            status.numberReady: Invalid value: -1: must be greater than or equal to 0
            status.collisionCount: Invalid value: 1: must not shrink
        "#]],
        );
    }
}
