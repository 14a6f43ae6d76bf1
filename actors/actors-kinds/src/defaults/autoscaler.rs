//! Horizontal autoscalers, in both forms.

use actors_object::{Map, Value, value};

use super::{Row, inner};

/// The defaults of this kind.
pub(super) const DEFAULTS: &[Row] =
    &[("autoscaling", "HorizontalPodAutoscaler", default_autoscaler)];

/// The share of the processor that is aimed at where no metric is named, in percent.
const CPU_PERCENT: i64 = 80;

/// An autoscaler: at least one pod, and the processor as its metric.
fn default_autoscaler(root: &mut Map) {
    let is_old = root.get("apiVersion").and_then(Value::as_str) == Some("autoscaling/v1");
    let others = root.get("metadata").is_some_and(|metadata| {
        metadata.path(&["annotations", "autoscaling.alpha.kubernetes.io/metrics"]).is_some()
    });
    let spec = root.entry_or_map("spec");
    spec.set_default("minReplicas", 1);
    if is_old {
        if !others {
            spec.set_default("targetCPUUtilizationPercentage", CPU_PERCENT);
        }
        return;
    }
    if spec.get("metrics").is_none_or(Value::is_empty_value) {
        let target = value!({ "type": "Utilization", "averageUtilization": CPU_PERCENT });
        let cpu = value!({ "name": "cpu", "target": target });
        spec.insert("metrics", vec![value!({ "type": "Resource", "resource": cpu })]);
    }
    let Some(behavior) = inner(spec, "behavior") else { return };
    // Upwards at once, to the double or by four pods in 15 s; downwards as far as it goes.
    // Spec: documentation, "horizontal pod autoscaling", "default behavior".
    let by_percent = value!({ "type": "Percent", "value": 100, "periodSeconds": 15 });
    let by_pods = value!({ "type": "Pods", "value": 4, "periodSeconds": 15 });
    let up = behavior.entry_or_map("scaleUp");
    up.set_default("stabilizationWindowSeconds", 0);
    default_rules(up, vec![by_pods, by_percent.clone()]);
    default_rules(behavior.entry_or_map("scaleDown"), vec![by_percent]);
}

fn default_rules(rules: &mut Map, policies: Vec<Value>) {
    rules.set_default("selectPolicy", "Max");
    if rules.get("policies").is_none_or(Value::is_empty_value) {
        rules.insert("policies", policies);
    }
}
