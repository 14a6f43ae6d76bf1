//! Rules of autoscalers, one by one.

use expect_test::expect;

use crate::validate::testing::{check_create, check_status};

fn scaler(spec: &str) -> String {
    format!(
        "{{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {{name: h, namespace: d}}, \
         spec: {{scaleTargetRef: {{kind: Deployment, name: web}}, {spec}}}}}"
    )
}

#[test]
fn bounds_are_in_order() {
    check_create(&scaler("maxReplicas: 2"), &expect![""]);
    check_create(
        &scaler("maxReplicas: 0"),
        &expect![[r#"
        spec.maxReplicas: Invalid value: 0: must be greater than 0
    "#]],
    );
    check_create(
        &scaler("minReplicas: 0, maxReplicas: 2"),
        &expect![[r#"
        spec.minReplicas: Invalid value: 0: must be greater than or equal to 1
    "#]],
    );
    check_create(
        &scaler("minReplicas: 3, maxReplicas: 2"),
        &expect![[r#"
        spec.maxReplicas: Invalid value: 2: must be greater than or equal to `minReplicas`
    "#]],
    );
}

#[test]
fn what_is_scaled_has_a_kind_and_a_name() {
    let bad = scaler("maxReplicas: 2")
        .replace("kind: Deployment, name: web", "name: a/b, apiVersion: a/b/c");
    check_create(
        &bad,
        &expect![[r#"
        spec.scaleTargetRef.kind: Required value
        spec.scaleTargetRef.name: Invalid value: "a/b": may not contain '/'
        spec.scaleTargetRef.apiVersion: Invalid value: "a/b/c": must be a group and a version, or a version
    "#]],
    );
}

#[test]
fn a_metric_has_the_source_of_its_type() {
    let metrics = |list: &str| scaler(&format!("maxReplicas: 2, metrics: [{list}]"));
    check_create(
        &metrics("{type: Weather}, {type: Pods}"),
        &expect![[r#"
        spec.metrics[0].type: Unsupported value: "Weather": supported values: "ContainerResource", "External", "Object", "Pods", "Resource"
        spec.metrics[1].pods: Required value: must be set, as the type says
    "#]],
    );
    let cpu = "resource: {name: cpu, target: {type: Utilization, averageUtilization: 0}}";
    check_create(
        &metrics(&format!("{{type: Resource, {cpu}}}")),
        &expect![[r#"
        spec.metrics[0].resource.target.averageUtilization: Invalid value: 0: must be greater than 0
    "#]],
    );
    let both =
        "{type: Resource, resource: {target: {type: Any, averageUtilization: 5, averageValue: 0}}}";
    check_create(
        &metrics(both),
        &expect![[r#"
        spec.metrics[0].resource.target.type: Unsupported value: "Any": supported values: "AverageValue", "Utilization", "Value"
        spec.metrics[0].resource.target.averageValue: Invalid value: "0": must be positive
        spec.metrics[0].resource.name: Required value
        spec.metrics[0].resource.target.averageValue: Forbidden: cannot stand beside averageUtilization
    "#]],
    );
    let container =
        "{type: ContainerResource, containerResource: {name: cpu, target: {type: Value}}}";
    check_create(
        &metrics(container),
        &expect![[r#"
        spec.metrics[0].containerResource.container: Required value
        spec.metrics[0].containerResource.target.averageUtilization: Required value: must set averageUtilization or averageValue
    "#]],
    );
}

#[test]
fn metrics_of_objects_pods_and_other_systems_have_names_and_targets() {
    let metrics = |list: &str| scaler(&format!("maxReplicas: 2, metrics: [{list}]"));
    let object = "{type: Object, object: {describedObject: {}, metric: {}, target: {type: Value}}}";
    check_create(
        &metrics(object),
        &expect![[r#"
        spec.metrics[0].object.describedObject.kind: Required value
        spec.metrics[0].object.describedObject.name: Required value
        spec.metrics[0].object.metric.name: Required value: must name a metric
        spec.metrics[0].object.target.value: Required value: must set value or averageValue
    "#]],
    );
    let pods = "{type: Pods, pods: {metric: {name: a/b}, target: {type: Value, value: 1}}}";
    check_create(
        &metrics(pods),
        &expect![[r#"
        spec.metrics[0].pods.metric.name: Invalid value: "a/b": may not contain '/'
        spec.metrics[0].pods.target.averageValue: Required value: must set averageValue
    "#]],
    );
    let external = "{type: External, external: {metric: {name: q, selector: {matchExpressions: [{key: a, \
         operator: Is}]}}, target: {type: Value, value: -1, averageValue: 1}}}";
    check_create(
        &metrics(external),
        &expect![[r#"
        spec.metrics[0].external.target.value: Invalid value: "-1": must be positive
        spec.metrics[0].external.metric.selector.matchExpressions[0].operator: Invalid value: "Is": not a valid selector operator
        spec.metrics[0].external.target.averageValue: Forbidden: cannot stand beside value
    "#]],
    );
}

#[test]
fn a_metric_has_one_source() {
    let metrics = |list: &str| scaler(&format!("maxReplicas: 2, metrics: [{list}]"));
    let cpu = "resource: {name: cpu, target: {type: Utilization, averageUtilization: 0}}";
    let two = format!(
        "{{type: Pods, {cpu}, pods: {{metric: {{name: a}}, target: {{type: AverageValue, averageValue: 1}}}}}}"
    );
    check_create(
        &metrics(&two),
        &expect![[r#"
        spec.metrics[0].resource: Forbidden: a metric has one source, and there is one already
    "#]],
    );
}

#[test]
fn behavior_has_bounds() {
    let rules = "behavior: {scaleUp: {stabilizationWindowSeconds: 3601, selectPolicy: Most, tolerance: -1, policies: \
         [{type: Shares, value: 0, periodSeconds: 1801}]}, scaleDown: {stabilizationWindowSeconds: -1}}";
    check_create(
        &scaler(&format!("maxReplicas: 2, {rules}")),
        &expect![[r#"
        spec.behavior.scaleUp.stabilizationWindowSeconds: Invalid value: 3601: must be less than or equal to 3600
        spec.behavior.scaleUp.selectPolicy: Unsupported value: "Most": supported values: "Disabled", "Max", "Min"
        spec.behavior.scaleUp.policies[0].type: Unsupported value: "Shares": supported values: "Percent", "Pods"
        spec.behavior.scaleUp.policies[0].value: Invalid value: 0: must be greater than zero
        spec.behavior.scaleUp.policies[0].periodSeconds: Invalid value: 1801: must be less than or equal to 1800
        spec.behavior.scaleUp.tolerance: Invalid value: "-1": must be a quantity that is not negative
        spec.behavior.scaleDown.stabilizationWindowSeconds: Invalid value: -1: must be greater than or equal to 0
    "#]],
    );
}

#[test]
fn the_older_form_is_held_to_the_same_rules() {
    let old = "{apiVersion: autoscaling/v1, kind: HorizontalPodAutoscaler, metadata: {name: h, namespace: d}, \
         spec: {scaleTargetRef: {kind: Deployment, name: web}, maxReplicas: 2, targetCPUUtilizationPercentage: 0}}";
    check_create(
        old,
        &expect![[r#"
        spec.metrics[0].resource.target.averageUtilization: Invalid value: 0: must be greater than 0
    "#]],
    );
}

#[test]
fn the_status_counts() {
    check_status(
        &scaler("maxReplicas: 2"),
        "{currentReplicas: -1, desiredReplicas: -1}",
        &expect![[r#"
        status.currentReplicas: Invalid value: -1: must be greater than or equal to 0
        status.desiredReplicas: Invalid value: -1: must be greater than or equal to 0
    "#]],
    );
}
