//! Services.
//!
//! Spec: documentation, "service", "virtual IPs and service proxies", "IPv4/IPv6 dual-stack"; KEP-1880.

use super::{Errors, Spot, errors::is_same, networking, selector, text};

/// The ports that node ports are taken from, unless the cluster says otherwise.
const NODE_PORT_MIN: i64 = 30_000;
const NODE_PORT_MAX: i64 = 32_767;
/// The longest affinity of a client to an endpoint: one day.
const AFFINITY_SECONDS_MAX: i64 = 86_400;

/// A Service.
pub(super) fn validate(root: &Spot<'_>, out: &mut Errors) {
    let spec = root.field("spec");
    let sort = spec.field("type");
    out.one_of_required(&sort, &["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"]);
    validate_ports(&spec, out);
    selector::validate_labels(&spec, "selector", out);
    validate_affinity(&spec, out);
    validate_addresses(&spec, out);
    validate_policies(&spec, out);
    if sort.text() == "ExternalName" {
        validate_external_name(&spec, out);
    }
    let headless = is_headless(&spec);
    if headless && matches!(sort.text(), "LoadBalancer" | "NodePort") {
        let address = spec.field("clusterIP");
        out.invalid(&address, &format!("must not be None for a Service of type {}", sort.text()));
    }
}

fn is_headless(spec: &Spot<'_>) -> bool {
    spec.field("clusterIP").text() == "None"
}

/// Ports: named when there are several, each number and protocol once.
fn validate_ports(spec: &Spot<'_>, out: &mut Errors) {
    let (ports, sort) = (spec.field("ports"), spec.field("type"));
    if ports.is_empty() && !is_headless(spec) && sort.text() != "ExternalName" {
        out.required(&ports, "");
    }
    let mut seen: Vec<(i64, String)> = Vec::new();
    for port in spec.each("ports") {
        let name = port.field("name");
        if name.is_empty() && ports.len() > 1 {
            out.required(&name, "");
        }
        out.check(&name, text::dns_label);
        let number = port.field("port");
        out.port(&number);
        let protocol = port.field("protocol");
        out.one_of_required(&protocol, &["SCTP", "TCP", "UDP"]);
        if port.field("targetPort").is_set() {
            out.port_or_name(&port.field("targetPort"));
        }
        out.check(&port.field("appProtocol"), text::qualified_name);
        validate_node_port(&port, sort.text(), out);
        let place = (number.int().unwrap_or(0), protocol.text().to_owned());
        if seen.contains(&place) {
            out.duplicate(&port, port.value);
        }
        seen.push(place);
    }
    out.unique(spec, "ports", "name");
    validate_unique_node_ports(spec, out);
}

fn validate_node_port(port: &Spot<'_>, sort: &str, out: &mut Errors) {
    let node_port = port.field("nodePort");
    if node_port.int().unwrap_or(0) == 0 {
        return;
    }
    if sort == "ClusterIP" {
        out.forbidden(&node_port, "is not for Services of type ClusterIP");
    } else if !node_port.int().is_some_and(|it| (NODE_PORT_MIN..=NODE_PORT_MAX).contains(&it)) {
        let detail = format!("must be a node port: {NODE_PORT_MIN} to {NODE_PORT_MAX}");
        out.invalid(&node_port, &detail);
    }
}

fn validate_unique_node_ports(spec: &Spot<'_>, out: &mut Errors) {
    let mut seen: Vec<(i64, String)> = Vec::new();
    for port in spec.each("ports") {
        let node_port = port.field("nodePort");
        let place = (node_port.int().unwrap_or(0), port.field("protocol").text().to_owned());
        if place.0 != 0 && seen.contains(&place) {
            out.duplicate(&node_port, node_port.value);
        }
        seen.push(place);
    }
}

fn validate_affinity(spec: &Spot<'_>, out: &mut Errors) {
    let affinity = spec.field("sessionAffinity");
    out.one_of_required(&affinity, &["ClientIP", "None"]);
    let config = spec.field("sessionAffinityConfig");
    match affinity.text() {
        "None" if config.is_set() => {
            out.forbidden(&config, "belongs to the session affinity ClientIP");
        }
        "ClientIP" => {
            let client = config.field("clientIP");
            let seconds = client.field("timeoutSeconds");
            out.between(&seconds, 1, AFFINITY_SECONDS_MAX);
            if !seconds.is_set() {
                out.required(&seconds, "is needed for the session affinity ClientIP");
            }
        }
        _ => {}
    }
}

/// The addresses that a Service asks for or has.
fn validate_addresses(spec: &Spot<'_>, out: &mut Errors) {
    let (one, all) = (spec.field("clusterIP"), spec.field("clusterIPs"));
    if !matches!(one.text(), "" | "None") {
        out.check(&one, text::ip);
    }
    let first = spec.each("clusterIPs").next().map(|first| first.text().to_owned());
    if first.is_some_and(|first| first != one.text()) {
        out.invalid(&all, "its first address must be `clusterIP`");
    }
    if all.len() > 2 {
        out.invalid(&all, "holds one address of each family, 2 at most");
    }
    for address in spec.each("clusterIPs") {
        if address.text() != "None" {
            out.check_required(&address, text::ip);
        }
    }
    for address in spec.each("externalIPs") {
        out.check_required(&address, text::ip);
        let is_local = matches!(
            address.text().parse::<std::net::IpAddr>(),
            Ok(parsed) if parsed.is_unspecified() || parsed.is_loopback() || parsed.is_multicast()
        );
        if is_local {
            out.invalid(&address, "must be an address that others can reach");
        }
    }
    for range in spec.each("loadBalancerSourceRanges") {
        out.check_required(&range, text::cidr);
    }
    for family in spec.each("ipFamilies") {
        out.one_of_required(&family, &["IPv4", "IPv6"]);
    }
    let families = spec.field("ipFamilies");
    let mut distinct: Vec<_> = spec.each("ipFamilies").map(|it| it.text().to_owned()).collect();
    distinct.dedup();
    if families.len() > 2 || distinct.len() != families.len() {
        out.invalid(&families, "may hold each family once");
    }
    out.one_of(
        &spec.field("ipFamilyPolicy"),
        &["PreferDualStack", "RequireDualStack", "SingleStack"],
    );
}

fn validate_policies(spec: &Spot<'_>, out: &mut Errors) {
    let sort = spec.field("type");
    let external = spec.field("externalTrafficPolicy");
    out.one_of(&external, &["Cluster", "Local"]);
    let is_external =
        matches!(sort.text(), "LoadBalancer" | "NodePort") || !spec.field("externalIPs").is_empty();
    if !is_external && !external.is_empty() {
        out.invalid(&external, "is only for Services that are reached from outside");
    }
    out.one_of(&spec.field("internalTrafficPolicy"), &["Cluster", "Local"]);
    let health = spec.field("healthCheckNodePort");
    let is_checked = sort.text() == "LoadBalancer" && external.text() == "Local";
    if health.int().unwrap_or(0) != 0 && !is_checked {
        let detail = "is only for load balancers with `externalTrafficPolicy: Local`";
        out.invalid(&health, detail);
    }
    if sort.text() != "LoadBalancer" {
        for name in
            ["allocateLoadBalancerNodePorts", "loadBalancerClass", "loadBalancerSourceRanges"]
        {
            let field = spec.field(name);
            if !field.is_empty() {
                out.forbidden(&field, "is only for Services of type LoadBalancer");
            }
        }
    }
    out.check(&spec.field("loadBalancerClass"), text::qualified_name);
    out.one_of(
        &spec.field("trafficDistribution"),
        &["PreferClose", "PreferSameNode", "PreferSameZone"],
    );
}

fn validate_external_name(spec: &Spot<'_>, out: &mut Errors) {
    let name = spec.field("externalName");
    if name.is_empty() {
        out.required(&name, "");
    } else {
        out.invalid_each(&name, &text::dns_subdomain(name.text().trim_end_matches('.')));
    }
    for field in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
        let field = spec.field(field);
        if !field.is_empty() {
            out.forbidden(&field, "is not for Services of type ExternalName");
        }
    }
}

/// Addresses are kept for as long as the type needs them; the class of a load balancer for good.
pub(super) fn validate_change(new: &Spot<'_>, old: &Spot<'_>, out: &mut Errors) {
    let (new, old) = (new.field("spec"), old.field("spec"));
    let is_named = |spec: &Spot<'_>| spec.field("type").text() == "ExternalName";
    if is_named(&new) || is_named(&old) {
        return;
    }
    // An empty address asks for the one that the Service has; the door fills it in before this.
    let (address, before) = (new.field("clusterIP"), old.field("clusterIP"));
    if !before.is_empty() && !is_same(address.value, before.value) {
        out.invalid(&address, "field is immutable");
    }
    let (new_class, old_class) = (new.field("loadBalancerClass"), old.field("loadBalancerClass"));
    let stays = [&new, &old].into_iter().all(|spec| spec.field("type").text() == "LoadBalancer");
    if stays && !is_same(new_class.value, old_class.value) {
        out.invalid(&new_class, "cannot change once it is set");
    }
}

/// Where a load balancer is reached; no other Service has one.
pub(super) fn validate_status(new: &Spot<'_>, _old: &Spot<'_>, out: &mut Errors) {
    let (spec, status) = (new.field("spec"), new.field("status"));
    let balancer = status.field("loadBalancer");
    let points = balancer.field("ingress");
    if !points.is_empty() && spec.field("type").text() != "LoadBalancer" {
        out.forbidden(&points, "may only be used when `spec.type` is LoadBalancer");
        return;
    }
    networking::validate_points(&balancer, out);
    for point in balancer.each("ingress") {
        let mode = point.field("ipMode");
        out.one_of(&mode, &["Proxy", "VIP"]);
        if !mode.is_empty() && point.field("ip").is_empty() {
            out.forbidden(&mode, "may not be specified when `ip` is not set");
        }
    }
}

#[cfg(test)]
mod tests;
