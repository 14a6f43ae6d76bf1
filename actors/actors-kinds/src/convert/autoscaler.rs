//! Horizontal autoscalers: what `autoscaling/v1` cannot say travels in annotations.
//!
//! Way in: [`to_v2`], [`to_v1`].
//! Spec: API reference of `autoscaling/v1` and `v2`; documentation, "horizontal pod autoscaling", "API object": the
//! fields that v1 lacks are kept as annotations when an object is read through it.

use actors_object::{Gvk, Object, Value, json, json::Limits, value};

use super::metric::{self, Side};

/// What a group of annotations holds, as JSON.
const METRICS: &str = "autoscaling.alpha.kubernetes.io/metrics";
const CURRENT_METRICS: &str = "autoscaling.alpha.kubernetes.io/current-metrics";
const CONDITIONS: &str = "autoscaling.alpha.kubernetes.io/conditions";
const BEHAVIOR: &str = "autoscaling.alpha.kubernetes.io/behavior";

/// How v1 names the one metric that it knows: in the spec, and in the status.
const TARGET: &str = "targetCPUUtilizationPercentage";
const CURRENT: &str = "currentCPUUtilizationPercentage";

/// From v1 to v2.
pub(crate) fn to_v2(object: &mut Object) {
    let mut metrics = list_from(object, METRICS, &metric::to_v2(Side::Spec)).unwrap_or_default();
    if let Some(target) = object.0.remove_path(&["spec", TARGET]) {
        metrics
            .push(cpu("target", value!({ "type": "Utilization", "averageUtilization": target })));
    }
    set_list(object, &["spec", "metrics"], metrics);
    if let Some(behavior) = take(object, BEHAVIOR).filter(|tree| tree.as_map().is_some()) {
        object.set_path(&["spec", "behavior"], behavior);
    }
    let simple = object.0.remove_path(&["status", CURRENT]);
    let simple =
        simple.map(|current| vec![cpu("current", value!({ "averageUtilization": current }))]);
    let current = list_from(object, CURRENT_METRICS, &metric::to_v2(Side::Status)).or(simple);
    set_list(object, &["status", "currentMetrics"], current.unwrap_or_default());
    let conditions = take(object, CONDITIONS);
    let conditions = conditions.and_then(|mut tree| tree.as_list_mut().map(std::mem::take));
    set_list(object, &["status", "conditions"], conditions.unwrap_or_default());
    object.set_gvk(&Gvk::new("autoscaling", "v2", "HorizontalPodAutoscaler"));
}

/// From v2 to v1.
pub(super) fn to_v1(object: &mut Object) {
    [METRICS, CURRENT_METRICS, CONDITIONS, BEHAVIOR].iter().for_each(|name| {
        take(object, name);
    });
    let mut others = Vec::new();
    for one in take_list(object, &["spec", "metrics"]) {
        match cpu_utilization(&one, "target") {
            Some(target) => object.set_path(&["spec", TARGET], target),
            None => others.push(metric::to_v1(Side::Spec)(&one)),
        }
    }
    annotate(object, METRICS, others.into());
    if let Some(behavior) = object.0.remove_path(&["spec", "behavior"]) {
        annotate(object, BEHAVIOR, behavior);
    }
    let current = take_list(object, &["status", "currentMetrics"]);
    if let Some(use_now) = current.iter().find_map(|one| cpu_utilization(one, "current")) {
        object.set_path(&["status", CURRENT], use_now);
    }
    // All of them are kept, the processor's too: v1 has no place for its raw value.
    let current: Vec<Value> = current.iter().map(metric::to_v1(Side::Status)).collect();
    annotate(object, CURRENT_METRICS, current.into());
    let conditions = take_list(object, &["status", "conditions"]);
    annotate(object, CONDITIONS, conditions.into());
    object.set_gvk(&Gvk::new("autoscaling", "v1", "HorizontalPodAutoscaler"));
}

fn cpu(field: &str, inner: Value) -> Value {
    let mut resource = value!({ "name": "cpu" });
    resource.set_path(&[field], inner);
    value!({ "type": "Resource", "resource": resource })
}

/// The share of the processor in a metric, if that is what it is about.
fn cpu_utilization(metric: &Value, field: &str) -> Option<Value> {
    let is_cpu = metric.str_at(&["type"]) == Some("Resource")
        && metric.str_at(&["resource", "name"]) == Some("cpu");
    let share = metric.path(&["resource", field, "averageUtilization"]);
    share.filter(|share| is_cpu && !share.is_null()).cloned()
}

fn take_list(object: &mut Object, path: &[&str]) -> Vec<Value> {
    let mut list = object.0.remove_path(path).unwrap_or_default();
    list.as_list_mut().map(std::mem::take).unwrap_or_default()
}

fn set_list(object: &mut Object, path: &[&str], list: Vec<Value>) {
    if !list.is_empty() {
        object.set_path(path, list);
    }
}

fn annotate(object: &mut Object, name: &str, tree: Value) {
    if !tree.is_empty_value() {
        object.set_annotation(name, &json::to_string(&tree));
    }
}

/// The JSON in an annotation, which is taken away; nothing if it is none.
fn take(object: &mut Object, name: &str) -> Option<Value> {
    let text = object.0.remove_path(&["metadata", "annotations", name])?;
    if object.0.path(&["metadata", "annotations"]).is_some_and(Value::is_empty_value) {
        object.0.remove_path(&["metadata", "annotations"]);
    }
    let parsed = json::parse(text.as_str()?.as_bytes(), Limits::default());
    parsed.ok().map(|parsed| parsed.value)
}

/// The list in an annotation, each item turned; nothing if there is none.
fn list_from(
    object: &mut Object,
    name: &str,
    turn: &dyn Fn(&Value) -> Value,
) -> Option<Vec<Value>> {
    let tree = take(object, name)?;
    Some(tree.as_list()?.iter().map(turn).collect())
}
