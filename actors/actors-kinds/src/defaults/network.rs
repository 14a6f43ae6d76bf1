//! Services, endpoints, endpoint slices.

use actors_object::{Map, Value};

use super::each;

/// A Service. Its address, node ports and families are allocated at the door.
pub(super) fn default_service(root: &mut Map) {
    let spec = root.entry_or_map("spec");
    spec.set_default("sessionAffinity", "None");
    if spec.get("sessionAffinity").and_then(Value::as_str) == Some("ClientIP") {
        let config = spec.entry_or_map("sessionAffinityConfig");
        // Three hours.
        config.entry_or_map("clientIP").set_default("timeoutSeconds", 10_800);
    }
    spec.set_default("type", "ClusterIP");
    for port in each(spec, "ports") {
        port.set_default("protocol", "TCP");
        let target = port.get("targetPort");
        if target.is_none_or(Value::is_empty_value) {
            let number = port.get("port").cloned().unwrap_or_default();
            port.insert("targetPort", number);
        }
    }
    let sort = spec.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    if matches!(sort.as_str(), "LoadBalancer" | "NodePort") {
        spec.set_default("externalTrafficPolicy", "Cluster");
    }
    if sort == "LoadBalancer" {
        spec.set_default("allocateLoadBalancerNodePorts", true);
    }
    if sort != "ExternalName" {
        spec.set_default("internalTrafficPolicy", "Cluster");
    }
    // The first of the addresses is also the one address that old clients know.
    let address = spec.get("clusterIP").and_then(Value::as_str).unwrap_or_default().to_owned();
    if !address.is_empty() {
        spec.set_default("clusterIPs", vec![Value::from(address)]);
    }
}

/// Endpoints: ports are TCP.
pub(super) fn default_endpoints(root: &mut Map) {
    for subset in each(root, "subsets") {
        for port in each(subset, "ports") {
            port.set_default("protocol", "TCP");
        }
    }
}

/// An endpoint slice: ports are TCP, and have the empty name.
pub(super) fn default_slice(root: &mut Map) {
    for port in each(root, "ports") {
        port.set_default("name", "");
        port.set_default("protocol", "TCP");
    }
}
