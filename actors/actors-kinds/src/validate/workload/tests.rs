//! The rules of Deployments and `ReplicaSet`s, one test each.

use actors_object::{Object, value};
use expect_test::{Expect, expect};

use crate::{
    Registry, validate,
    validate::testing::{check_create, check_update},
};

const TEMPLATE: &str =
    "template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: i}]}}";

fn deployment(spec: &str) -> String {
    format!(
        "{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: d, namespace: a}}, spec: {{{spec}}}}}"
    )
}

fn good(more: &str) -> String {
    deployment(&format!("selector: {{matchLabels: {{app: web}}}}, {TEMPLATE}, {more}"))
}

fn check(more: &str, expected: &Expect) {
    check_create(&good(more), expected);
}

#[test]
fn a_selector_and_a_template_are_needed() {
    check_create(
        &deployment(""),
        &expect![[r#"
        spec.selector: Required value
        spec.template: Required value
    "#]],
    );
    check_create(
        &deployment(&format!("selector: {{}}, {TEMPLATE}")),
        &expect![[r#"
        spec.selector: Invalid value: {}: an empty selector is not allowed: it would select every pod
    "#]],
    );
}

#[test]
fn the_selector_selects_the_template() {
    check_create(
        &deployment(&format!("selector: {{matchLabels: {{app: db}}}}, {TEMPLATE}")),
        &expect![[r#"
            spec.template.metadata.labels: Invalid value: {"app":"web"}: the selector does not select these labels
        "#]],
    );
    check_create(
        &deployment(&format!(
            "selector: {{matchExpressions: [{{key: app, operator: In}}]}}, {TEMPLATE}"
        )),
        &expect![[r#"
            spec.selector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'
        "#]],
    );
}

#[test]
fn the_selector_never_changes() {
    let other = deployment(
        "selector: {matchLabels: {app: db}}, \
         template: {metadata: {labels: {app: db}}, spec: {containers: [{name: c, image: i}]}}",
    );
    check_update(
        &good(""),
        &other,
        &expect![[r#"
        spec.selector: Invalid value: {"matchLabels":{"app":"db"}}: field is immutable
    "#]],
    );
}

#[test]
fn numbers_are_not_negative() {
    check(
        "replicas: -1, minReadySeconds: -1, revisionHistoryLimit: -1",
        &expect![[r#"
        spec.replicas: Invalid value: -1: must be greater than or equal to 0
        spec.minReadySeconds: Invalid value: -1: must be greater than or equal to 0
        spec.revisionHistoryLimit: Invalid value: -1: must be greater than or equal to 0
    "#]],
    );
}

#[test]
fn progress_takes_longer_than_readiness() {
    check(
        "minReadySeconds: 600",
        &expect![[r#"
        spec.progressDeadlineSeconds: Invalid value: 600: must be greater than minReadySeconds
    "#]],
    );
}

#[test]
fn recreation_has_no_rolling_parameters() {
    check(
        "strategy: {type: Recreate, rollingUpdate: {maxSurge: 1}}",
        &expect![[r#"
            spec.strategy.rollingUpdate: Forbidden: belongs to the strategy RollingUpdate
        "#]],
    );
    check(
        "strategy: {type: Sideways}",
        &expect![[r#"
        spec.strategy.type: Unsupported value: "Sideways": supported values: "Recreate", "RollingUpdate"
    "#]],
    );
}

#[test]
fn a_rollout_must_be_able_to_move() {
    check(
        "strategy: {rollingUpdate: {maxSurge: 0, maxUnavailable: 0%}}",
        &expect![[r#"
            spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "0%": must not be 0 while `maxSurge` is 0: nothing could move
        "#]],
    );
    check(
        "strategy: {rollingUpdate: {maxSurge: -1, maxUnavailable: 101%}}",
        &expect![[r#"
            spec.strategy.rollingUpdate.maxSurge: Invalid value: -1: must be greater than or equal to 0
            spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "101%": must not exceed 100%
        "#]],
    );
    check(
        "strategy: {rollingUpdate: {maxSurge: many}}",
        &expect![[r#"
            spec.strategy.rollingUpdate.maxSurge: Invalid value: "many": must be a whole number or a percentage, such as 25%
        "#]],
    );
    check("strategy: {rollingUpdate: {maxSurge: 200%, maxUnavailable: 0}}", &expect![""]);
}

#[test]
fn pods_of_a_template_restart_always() {
    check_create(
        &deployment(
            "selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, \
             spec: {restartPolicy: Never, activeDeadlineSeconds: 5, containers: [{name: C, image: i}]}}",
        ),
        &expect![[r#"
            spec.template.spec.containers[0].name: Invalid value: "C": must be a DNS label (RFC 1123): lower-case letters, digits and '-', with a letter or digit at both ends, for example 'my-name' or '123-abc' (pattern: [a-z0-9]([-a-z0-9]*[a-z0-9])?)
            spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"
            spec.template.spec.activeDeadlineSeconds: Forbidden: pods that restart always have no deadline
        "#]],
    );
}

#[test]
fn replica_sets_follow_the_same_rules() {
    let text = good("replicas: -1").replace("Deployment", "ReplicaSet");
    check_create(
        &text,
        &expect![[r#"
        spec.replicas: Invalid value: -1: must be greater than or equal to 0
    "#]],
    );
}

#[test]
fn counts_in_the_status_fit_each_other() {
    let registry = Registry::builtin().expect("the tables are good");
    let kind = registry.by_short_name("deploy").expect("served");
    let object = |status| {
        let mut object = Object(value!({ "metadata": { "name": "d", "namespace": "a" } }));
        object.set_status(status);
        object
    };
    let old = object(value!({ "collisionCount": 2 }));
    let new = object(value!({ "replicas": 1, "readyReplicas": 2, "availableReplicas": -1 }));
    let errors = validate::validate_status_update(kind, &new, &old);
    let lines: String = errors.iter().map(|error| format!("{error}\n")).collect();
    expect![[r#"
        status.availableReplicas: Invalid value: -1: must be greater than or equal to 0
        status.readyReplicas: Invalid value: 2: cannot be greater than replicas
        status.collisionCount: Invalid value: null: must not shrink
    "#]]
    .assert_eq(&lines);
}
