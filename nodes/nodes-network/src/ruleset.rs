//! Computes the rules of one node's table from what is desired: pure, so that its text can be
//! compared.
//!
//! Way in: [`ruleset`].  Never: a look at the kernel.
//! How a packet goes: `services` (from the hooks of arriving and of the node's own packets) finds
//! its destination in a verdict map; the chain of a Service's port draws an endpoint's chain, which
//! rewrites the destination. What comes from outside of the cluster, and what a pod sends to itself,
//! is marked and leaves under the node's address, so that the answer comes back through this node.
//! Between pods, and between pods and nodes that know the way back, no address is changed. What
//! still has a Service's address behind that has no endpoint, and is refused.
//! Spec: Kubernetes documentation, "Virtual IPs and Service Proxies".

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use actors_object::hash::fnv32a;

use crate::{
    Desired, Endpoint, ProxyConfig, Service, Traffic,
    desired::{HostPort, ServicePort},
};

/// The mark of packets that leave under the node's address.
const MARK: &str = "0x00004000";

/// The rules of one table, by part, each part in the order in which it is written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ruleset {
    /// The table's name.
    pub table: String,
    /// Sets that the kernel fills: name to definition. They outlive a change of the rules.
    pub sets: BTreeMap<String, String>,
    /// Verdict maps: name to key type and elements.
    pub maps: BTreeMap<String, (String, BTreeMap<String, String>)>,
    /// Chains: name to hook line (empty for plain chains) and rules.
    pub chains: BTreeMap<String, (String, Vec<String>)>,
}

/// The rules for what is desired on a node.
#[must_use]
pub fn ruleset(config: &ProxyConfig, desired: &Desired) -> Ruleset {
    let mut rules = Ruleset { table: config.table.clone(), ..Ruleset::default() };
    rules.maps.insert(
        "services".into(),
        ("ipv4_addr . inet_proto . inet_service".into(), BTreeMap::new()),
    );
    rules.maps.insert("node-ports".into(), ("inet_proto . inet_service".into(), BTreeMap::new()));
    rules
        .maps
        .insert("refused-ports".into(), ("inet_proto . inet_service".into(), BTreeMap::new()));
    add_base_chains(&mut rules, config);
    rules.chains.insert("leaving".into(), leaving(config, &desired.nodes));
    for service in &desired.services {
        for port in &service.ports {
            add_port(&mut rules, service, port);
        }
    }
    for port in &desired.host_ports {
        add_host_port(&mut rules, port);
    }
    rules
}

fn add_base_chains(rules: &mut Ruleset, config: &ProxyConfig) {
    let (services, cluster) = (&config.service_range, &config.cluster_range);
    let dispatch = [
        // Another machine's answer would go past this node, which alone can translate it back.
        format!(
            "ip daddr {services} ip saddr != {cluster} fib saddr type != local \
             meta mark set meta mark or {MARK}"
        ),
        "ip daddr . meta l4proto . th dport vmap @services".to_owned(),
        "fib daddr type local ip daddr != 127.0.0.0/8 meta l4proto . th dport vmap @node-ports"
            .to_owned(),
    ];
    let refuse = [
        format!("ct state new ip daddr {services} goto refuse"),
        "ct state new fib daddr type local meta l4proto . th dport vmap @refused-ports".to_owned(),
    ];
    let reject = vec!["meta l4proto tcp reject with tcp reset".to_owned(), "reject".to_owned()];
    let chains = [
        ("services", "", dispatch.to_vec()),
        ("refuse", "", reject),
        (
            "arriving",
            "type nat hook prerouting priority dstnat; policy accept;",
            vec!["jump services".into()],
        ),
        ("own", "type nat hook output priority -100; policy accept;", vec!["jump services".into()]),
        (
            "refuse-forwarded",
            "type filter hook forward priority filter; policy accept;",
            vec![refuse[0].clone()],
        ),
        ("refuse-own", "type filter hook output priority filter; policy accept;", refuse.to_vec()),
        (
            "refuse-arriving",
            "type filter hook input priority filter; policy accept;",
            vec![refuse[1].clone()],
        ),
    ];
    for (name, hook, lines) in chains {
        rules.chains.insert(name.into(), (hook.into(), lines));
    }
}

/// What leaves under the node's address.
fn leaving(config: &ProxyConfig, nodes: &BTreeSet<Ipv4Addr>) -> (String, Vec<String>) {
    let ProxyConfig { pod_range: pods, cluster_range: cluster, bridge, .. } = config;
    let mut lines = vec![
        format!("meta mark & {MARK} == 0 ip saddr != {pods} return"),
        format!(
            "meta mark & {MARK} == {MARK} meta mark set meta mark xor {MARK} \
             masquerade fully-random"
        ),
        format!("ip daddr {cluster} return"),
    ];
    if !nodes.is_empty() {
        let all: Vec<String> = nodes.iter().map(Ipv4Addr::to_string).collect();
        lines.push(format!("ip daddr {{ {} }} return", all.join(", ")));
    }
    lines.push(format!(
        "ip saddr {pods} oifname != \"{bridge}\" oifname != \"lo\" masquerade fully-random"
    ));
    ("type nat hook postrouting priority srcnat; policy accept;".to_owned(), lines)
}

fn add_port(rules: &mut Ruleset, service: &Service, port: &ServicePort) {
    let id = port_id(service, port);
    let protocol = port.protocol.as_str();
    let locals: Vec<Endpoint> = port.endpoints.iter().filter(|one| one.local).copied().collect();
    let pick = |traffic: Traffic| match traffic {
        Traffic::Cluster => &port.endpoints,
        Traffic::Local => &locals,
    };
    let (internal, external) = (pick(service.internal), pick(service.external));
    for endpoint in &port.endpoints {
        add_endpoint(rules, service, (&id, protocol), endpoint);
    }
    if !internal.is_empty() {
        let name = format!("svc-{id}");
        rules.chains.insert(name.clone(), (String::new(), choice(service, &id, internal)));
        element(
            rules,
            "services",
            format!("{} . {protocol} . {}", service.cluster_ip, port.port),
            &name,
        );
    }
    if external.is_empty() {
        if let Some(node_port) = port.node_port {
            element(rules, "refused-ports", format!("{protocol} . {node_port}"), "refuse");
        }
        return;
    }
    if port.node_port.is_none() && service.external_ips.is_empty() {
        return;
    }
    let name = format!("ext-{id}");
    let mut lines = choice(service, &id, external);
    if service.external == Traffic::Cluster {
        // The answer must come back through this node, wherever the endpoint is.
        lines.insert(0, format!("meta mark set meta mark or {MARK}"));
    }
    rules.chains.insert(name.clone(), (String::new(), lines));
    for address in &service.external_ips {
        element(rules, "services", format!("{address} . {protocol} . {}", port.port), &name);
    }
    if let Some(node_port) = port.node_port {
        element(rules, "node-ports", format!("{protocol} . {node_port}"), &name);
    }
}

/// Remembered clients first, then chance.
fn choice(service: &Service, id: &str, endpoints: &[Endpoint]) -> Vec<String> {
    let mut lines = Vec::new();
    if service.affinity_s.is_some() {
        for endpoint in endpoints {
            let chain = endpoint_id(id, endpoint);
            lines.push(format!("ip saddr @aff-{chain} goto ep-{chain}"));
        }
    }
    let draws: Vec<String> = endpoints
        .iter()
        .enumerate()
        .map(|(index, endpoint)| format!("{index} : goto ep-{}", endpoint_id(id, endpoint)))
        .collect();
    lines.push(format!("numgen random mod {} vmap {{ {} }}", endpoints.len(), draws.join(", ")));
    lines
}

fn add_endpoint(
    rules: &mut Ruleset,
    service: &Service,
    (id, protocol): (&str, &str),
    endpoint: &Endpoint,
) {
    let name = endpoint_id(id, endpoint);
    let mut lines =
        vec![format!("ip saddr {} meta mark set meta mark or {MARK}", endpoint.address)];
    if let Some(seconds) = service.affinity_s {
        let set = format!("type ipv4_addr; size 65535; flags dynamic,timeout; timeout {seconds}s;");
        rules.sets.insert(format!("aff-{name}"), set);
        lines.push(format!("update @aff-{name} {{ ip saddr }}"));
    }
    lines.push(format!("meta l4proto {protocol} dnat to {}:{}", endpoint.address, endpoint.port));
    rules.chains.insert(format!("ep-{name}"), (String::new(), lines));
}

fn add_host_port(rules: &mut Ruleset, port: &HostPort) {
    let protocol = port.protocol.as_str();
    let name = format!("host-{protocol}-{}", port.host_port);
    let lines = vec![
        format!("ip saddr {} meta mark set meta mark or {MARK}", port.address),
        format!("meta l4proto {protocol} dnat to {}:{}", port.address, port.port),
    ];
    rules.chains.insert(name.clone(), (String::new(), lines));
    element(rules, "node-ports", format!("{protocol} . {}", port.host_port), &name);
}

fn element(rules: &mut Ruleset, map: &str, key: String, chain: &str) {
    if let Some((_, elements)) = rules.maps.get_mut(map) {
        elements.insert(key, format!("goto {chain}"));
    }
}

/// Short, and the same for the same port however the rest changes.
fn port_id(service: &Service, port: &ServicePort) -> String {
    let text = format!("{}:{}/{}/{}", service.name, port.name, port.protocol.as_str(), port.port);
    let back: Vec<u8> = text.bytes().rev().collect();
    format!("{:08x}{:08x}", fnv32a(text.as_bytes()), fnv32a(&back))
}

fn endpoint_id(port: &str, endpoint: &Endpoint) -> String {
    format!("{port}-{}-{}", endpoint.address, endpoint.port)
}

#[cfg(test)]
mod tests;
