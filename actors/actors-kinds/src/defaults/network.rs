//! Services, endpoints, endpoint slices, network policies, ingress classes.

use actors_object::{Map, Value};

use super::{each, inner};

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

/// A network policy: it is about what comes in, and about what goes out if it says something of that.
pub(super) fn default_policy(root: &mut Map) {
    let spec = root.entry_or_map("spec");
    let has_egress = spec.get("egress").is_some_and(|rules| !rules.is_empty_value());
    for list in ["egress", "ingress"] {
        for rule in each(spec, list) {
            for port in each(rule, "ports") {
                port.set_default("protocol", "TCP");
            }
        }
    }
    if spec.get("policyTypes").is_none_or(Value::is_empty_value) {
        let mut types = vec![Value::from("Ingress")];
        types.extend(has_egress.then(|| Value::from("Egress")));
        spec.insert("policyTypes", types);
    }
}

/// An ingress class: its parameters are in no namespace.
pub(super) fn default_ingress_class(root: &mut Map) {
    let parameters = inner(root, "spec").and_then(|spec| inner(spec, "parameters"));
    if let Some(parameters) = parameters {
        parameters.set_default("scope", "Cluster");
    }
}
