//! What a changed Service keeps of what it had, and what goes with its old type.
//!
//! Way in: [`keep`].  Spec: Kubernetes documentation, "Service", "Publishing Services": a client
//! that reads a Service, changes it and sends it back need not know which fields the server had
//! filled in.

use actors_object::{Object, Value};

/// Whether a type of Service has some property.
type Fits = fn(&str) -> bool;

/// Fills in what the client left out, and drops what the new type does not have.
pub(super) fn keep(new: &mut Object, old: &Object) {
    let sort = |object: &Object| object.str_at(&["spec", "type"]).unwrap_or_default().to_owned();
    let (was, is) = (sort(old), sort(new));
    drop_fields(new, old, (&was, &is));
    if has_address(&was) && has_address(&is) {
        let spec = new.0.make_map().entry_or_map("spec");
        for field in ADDRESS_FIELDS {
            if spec.get(field).is_none_or(Value::is_empty_value)
                && let Some(value) = old.spec().get(field)
            {
                spec.insert(field, value);
            }
        }
    }
    match (has_ports(&was), has_ports(&is)) {
        (true, true) => keep_ports(new, old),
        (true, false) => drop_ports(new, old),
        (false, _) => {}
    }
}

/// The fields that go with an address.
const ADDRESS_FIELDS: [&str; 4] = ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"];

/// The fields that go with other properties of a type.
const TYPE_FIELDS: [(&str, Fits); 6] = [
    ("externalTrafficPolicy", has_ports),
    ("internalTrafficPolicy", has_address),
    ("allocateLoadBalancerNodePorts", is_balanced),
    ("healthCheckNodePort", is_balanced),
    ("loadBalancerClass", is_balanced),
    ("externalName", |sort| !has_address(sort)),
];

/// A client that changes the type sends back what it had read of the old one: fields that only the
/// old type has, and that the client did not touch, go.
fn drop_fields(new: &mut Object, old: &Object, (was, is): (&str, &str)) {
    let spec = new.0.make_map().entry_or_map("spec");
    let mut drop = |field: &str, fits: Fits| {
        if fits(was) && !fits(is) && spec.get(field) == old.spec().get(field) {
            spec.remove(field);
        }
    };
    ADDRESS_FIELDS.into_iter().for_each(|field| drop(field, has_address));
    TYPE_FIELDS.into_iter().for_each(|(field, fits)| drop(field, fits));
}

fn has_address(sort: &str) -> bool {
    sort != "ExternalName"
}

fn is_balanced(sort: &str) -> bool {
    sort == "LoadBalancer"
}

pub(super) fn has_ports(sort: &str) -> bool {
    matches!(sort, "NodePort" | "LoadBalancer")
}

/// Ports that say nothing keep the node port that the same port had.
fn keep_ports(new: &mut Object, old: &Object) {
    let before = old.list_at(&["spec", "ports"]);
    for port in new.list_at_mut(&["spec", "ports"]).into_iter().flatten() {
        let same = |was: &&Value| {
            was.at("port") == port.at("port") && was.at("protocol") == port.at("protocol")
        };
        let known = before.iter().find(same).and_then(|was| was.get("nodePort")).cloned();
        if let (Value::Null | Value::Int(0), Some(known)) = (port.at("nodePort"), known) {
            port.make_map().insert("nodePort", known);
        }
    }
}

/// Ports lose the node port that they had, now that the type has none.
fn drop_ports(new: &mut Object, old: &Object) {
    let before: Vec<&Value> =
        old.list_at(&["spec", "ports"]).iter().map(|port| port.at("nodePort")).collect();
    for port in new.list_at_mut(&["spec", "ports"]).into_iter().flatten() {
        if before.contains(&port.at("nodePort")) {
            port.make_map().remove("nodePort");
        }
    }
}
