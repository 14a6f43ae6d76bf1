//! What an autoscaler looks at, in one cell: what is, and what is aimed at.
//!
//! Spec: documentation, "HorizontalPodAutoscaler walkthrough", as `kubectl get hpa` shows it.

use actors_object::{Object, Value};

use super::string;

/// How many metrics are shown; of the others only their number.
const SHOWN: usize = 2;

/// The cell: `cpu: 40%/80%, 3/7 + 1 more...`.
pub(super) fn targets(object: &Object) -> String {
    let specs = object.list_at(&["spec", "metrics"]);
    if specs.is_empty() {
        return "<none>".to_owned();
    }
    let statuses = object.list_at(&["status", "currentMetrics"]);
    let shown: Vec<String> = specs
        .iter()
        .take(SHOWN)
        .enumerate()
        .map(|(at, spec)| target(spec, statuses.get(at).unwrap_or(&Value::Null)))
        .collect();
    let shown = shown.join(", ");
    match specs.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} + {more} more..."),
    }
}

fn target(spec: &Value, status: &Value) -> String {
    let field = match string(spec, &["type"]) {
        "External" => "external",
        "Object" => "object",
        "Pods" => "pods",
        "Resource" => "resource",
        "ContainerResource" => "containerResource",
        _ => return "<unknown type>".to_owned(),
    };
    let (aim, now) = (spec.at(field).at("target"), status.at(field).at("current"));
    let average = text(aim.at("averageValue"));
    let is = |name: &str| text(now.at(name)).unwrap_or_else(|| "<unknown>".to_owned());
    match (field, average) {
        ("resource" | "containerResource", average) => {
            let name = string(spec, &[field, "name"]);
            match average {
                Some(average) => format!("{name}: {}/{average}", is("averageValue")),
                None => {
                    let share = |value: &Value| value.as_i64().map(|share| format!("{share}%"));
                    let is = share(now.at("averageUtilization"));
                    let wanted = share(aim.at("averageUtilization"));
                    let is = is.unwrap_or_else(|| "<unknown>".to_owned());
                    format!("{name}: {is}/{}", wanted.unwrap_or_else(|| "<auto>".to_owned()))
                }
            }
        }
        ("pods", average) => format!("{}/{}", is("averageValue"), average.unwrap_or_default()),
        (_, Some(average)) => format!("{}/{average} (avg)", is("averageValue")),
        (_, None) => format!("{}/{}", is("value"), text(aim.at("value")).unwrap_or_default()),
    }
}

/// A quantity as it is written.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.to_string()),
        Value::Int(number) => Some(number.to_string()),
        _ => None,
    }
}
