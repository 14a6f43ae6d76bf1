//! Claims on devices.

use actors_object::{Map, Value};

use super::{Row, each, inner};

const GROUP: &str = "resource.k8s.io";

/// The defaults of this group.
pub(super) const DEFAULTS: &[Row] = &[
    (GROUP, "ResourceClaim", |root| {
        if let Some(spec) = inner(root, "spec") {
            default_claim(spec);
        }
    }),
    (GROUP, "ResourceClaimTemplate", |root| {
        if let Some(spec) = inner(root, "spec").and_then(|spec| inner(spec, "spec")) {
            default_claim(spec);
        }
    }),
];

fn default_claim(spec: &mut Map) {
    let Some(devices) = inner(spec, "devices") else { return };
    for request in each(devices, "requests") {
        if let Some(exactly) = inner(request, "exactly") {
            default_request(exactly);
        }
        each(request, "firstAvailable").for_each(default_request);
    }
}

/// One device, unless another number is asked for.
fn default_request(request: &mut Map) {
    request.set_default("allocationMode", "ExactCount");
    let is_counted = request.get("allocationMode").and_then(Value::as_str) == Some("ExactCount");
    if is_counted && request.get("count").is_none_or(Value::is_empty_value) {
        request.insert("count", 1);
    }
    for toleration in each(request, "tolerations") {
        toleration.set_default("operator", "Equal");
    }
}
