//! Objects in two forms.

use actors_object::{json, value};
use expect_test::{Expect, expect};

use super::*;
use crate::{Registry, default_object, validate::testing::plain as tree};

fn registry() -> Registry {
    Registry::builtin().expect("the tables are good")
}

#[test]
fn an_event_survives_both_ways() {
    let registry = registry();
    let kind = registry.resource("events.k8s.io", "v1", "events").expect("served");
    let event = value!({
        "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": { "name": "e" },
        "regarding": { "kind": "Pod" }, "note": "hello", "deprecatedCount": 2,
    });
    let mut object = Object(event.clone());
    to_storage(kind, &mut object);
    assert_eq!(object.api_version(), "v1");
    assert_eq!(object.str_at(&["involvedObject", "kind"]), Some("Pod"));
    assert_eq!((object.str_at(&["message"]), object.i64_at(&["count"])), (Some("hello"), Some(2)));
    from_storage(kind, &mut object);
    assert_eq!(object.0, event);
}

const V2: &str = r#"
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web, annotations: {mine: stays}}
spec:
  scaleTargetRef: {kind: Deployment, name: web, apiVersion: apps/v1}
  minReplicas: 2
  maxReplicas: 9
  metrics:
  - {type: Pods, pods: {metric: {name: hits, selector: {matchLabels: {a: b}}}, target: {type: AverageValue, averageValue: 1k}}}
  - {type: Object, object: {describedObject: {kind: Service, name: web}, target: {type: Value, value: "7"}, metric: {name: queue}}}
  - {type: Object, object: {describedObject: {kind: Service, name: web}, target: {type: AverageValue, averageValue: "3"}, metric: {name: depth}}}
  - {type: External, external: {metric: {name: mail}, target: {type: Value, value: "30"}}}
  - {type: ContainerResource, containerResource: {name: memory, container: app, target: {type: Utilization, averageUtilization: 60}}}
  - {type: Resource, resource: {name: memory, target: {type: AverageValue, averageValue: 1Gi}}}
  - {type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 70}}}
  behavior: {scaleDown: {stabilizationWindowSeconds: 60}}
status:
  desiredReplicas: 3
  currentMetrics:
  - {type: Resource, resource: {name: cpu, current: {averageUtilization: 40, averageValue: 100m}}}
  conditions:
  - {type: AbleToScale, status: "True"}
"#;

fn sorted(object: &Object) -> String {
    let mut object = object.clone();
    let registry = registry();
    let kind = registry.kind_of(&object).expect("served");
    registry.canonical_order(kind, &mut object.0);
    json::to_string(&object.0)
}

#[test]
fn what_v1_cannot_say_of_an_autoscaler_travels_in_annotations() {
    let registry = registry();
    let v1 = registry.resource("autoscaling", "v1", "horizontalpodautoscalers").expect("served");
    let v2 = registry.resource("autoscaling", "v2", "horizontalpodautoscalers").expect("served");
    assert_eq!(v1.storage, v2.storage);
    assert!(is_converted(v1) && !is_converted(v2));
    let stored = tree(V2);
    let mut object = stored.clone();
    from_storage(v1, &mut object);
    let shown = |path: &[&str], expected: Expect| {
        expected.assert_eq(&json::to_string(object.path(path).expect("set")));
    };
    shown(&["apiVersion"], expect![[r#""autoscaling/v1""#]]);
    shown(
        &["spec"],
        expect![[
            r#"{"scaleTargetRef":{"kind":"Deployment","name":"web","apiVersion":"apps/v1"},"minReplicas":2,"maxReplicas":9,"targetCPUUtilizationPercentage":70}"#
        ]],
    );
    shown(&["status"], expect![[r#"{"desiredReplicas":3,"currentCPUUtilizationPercentage":40}"#]]);
    let annotations: String =
        object.annotations().map(|(name, text)| format!("{name} {text}\n")).collect();
    expect![[r#"
        mine stays
        autoscaling.alpha.kubernetes.io/metrics [{"type":"Pods","pods":{"metricName":"hits","targetAverageValue":"1k","selector":{"matchLabels":{"a":"b"}}}},{"type":"Object","object":{"target":{"kind":"Service","name":"web"},"metricName":"queue","targetValue":"7"}},{"type":"Object","object":{"target":{"kind":"Service","name":"web"},"metricName":"depth","targetValue":"0","averageValue":"3"}},{"type":"External","external":{"metricName":"mail","targetValue":"30"}},{"type":"ContainerResource","containerResource":{"name":"memory","targetAverageUtilization":60,"container":"app"}},{"type":"Resource","resource":{"name":"memory","targetAverageValue":"1Gi"}}]
        autoscaling.alpha.kubernetes.io/behavior {"scaleDown":{"stabilizationWindowSeconds":60}}
        autoscaling.alpha.kubernetes.io/current-metrics [{"type":"Resource","resource":{"name":"cpu","currentAverageUtilization":40,"currentAverageValue":"100m"}}]
        autoscaling.alpha.kubernetes.io/conditions [{"type":"AbleToScale","status":"True"}]
    "#]].assert_eq(&annotations);
    to_storage(v1, &mut object);
    assert_eq!(sorted(&object), sorted(&stored));
}

#[test]
fn an_autoscaler_of_v1_is_stored_as_v2_with_its_defaults() {
    let registry = registry();
    let v1 = registry.resource("autoscaling", "v1", "horizontalpodautoscalers").expect("served");
    let mut object = tree(
        "{apiVersion: autoscaling/v1, kind: HorizontalPodAutoscaler, metadata: {name: web}, \
         spec: {maxReplicas: 3, scaleTargetRef: {kind: Deployment, name: web}}}",
    );
    default_object(v1, &mut object);
    to_storage(v1, &mut object);
    expect![[r#"{"kind":"HorizontalPodAutoscaler","apiVersion":"autoscaling/v2","metadata":{"name":"web"},"spec":{"scaleTargetRef":{"kind":"Deployment","name":"web"},"minReplicas":1,"maxReplicas":3,"metrics":[{"type":"Resource","resource":{"name":"cpu","target":{"type":"Utilization","averageUtilization":80}}}]}}"#]].assert_eq(&sorted(&object));
    from_storage(v1, &mut object);
    expect![[r#"{"kind":"HorizontalPodAutoscaler","apiVersion":"autoscaling/v1","metadata":{"name":"web"},"spec":{"scaleTargetRef":{"kind":"Deployment","name":"web"},"minReplicas":1,"maxReplicas":3,"targetCPUUtilizationPercentage":80}}"#]].assert_eq(&sorted(&object));
}

#[test]
fn annotations_that_are_no_metrics_are_dropped() {
    let registry = registry();
    let v1 = registry.resource("autoscaling", "v1", "horizontalpodautoscalers").expect("served");
    let mut object = tree(
        "{apiVersion: autoscaling/v1, kind: HorizontalPodAutoscaler, metadata: {name: web, annotations: \
         {autoscaling.alpha.kubernetes.io/metrics: '{', autoscaling.alpha.kubernetes.io/behavior: '7'}}, \
         spec: {maxReplicas: 3, targetCPUUtilizationPercentage: 5}}",
    );
    to_storage(v1, &mut object);
    expect![[r#"{"kind":"HorizontalPodAutoscaler","apiVersion":"autoscaling/v2","metadata":{"name":"web"},"spec":{"maxReplicas":3,"metrics":[{"type":"Resource","resource":{"name":"cpu","target":{"type":"Utilization","averageUtilization":5}}}]}}"#]].assert_eq(&sorted(&object));
}
