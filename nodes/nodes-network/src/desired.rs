//! What the proxy should do, as plain data, and how it follows from Services and their
//! EndpointSlices.
//!
//! Way in: [`desired_services`].
//! Spec: Kubernetes documentation, "Virtual IPs and Service Proxies", "EndpointSlices", "Service
//! Internal Traffic Policy": ready endpoints take traffic; if there is none, those that still serve
//! while they terminate do.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use actors_object::{Object, Value};

/// Everything that is to be translated on this node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Desired {
    /// Services, in the order of their names.
    pub services: Vec<Service>,
    /// Ports of the node that belong to pods.
    pub host_ports: Vec<HostPort>,
    /// Addresses of nodes that know the way back to this node's pods.
    pub nodes: BTreeSet<Ipv4Addr>,
}

/// One Service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// `namespace/name`.
    pub name: String,
    /// Its address within the cluster.
    pub cluster_ip: Ipv4Addr,
    /// Addresses of the outside that are routed to this node: external IPs, load balancers.
    pub external_ips: Vec<Ipv4Addr>,
    /// For how many seconds a client stays with its endpoint; `None` without affinity.
    pub affinity_s: Option<u32>,
    /// Who may be chosen for clients of the cluster.
    pub internal: Traffic,
    /// Who may be chosen for clients of the outside.
    pub external: Traffic,
    /// Its ports.
    pub ports: Vec<ServicePort>,
}

/// Which endpoints a client may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Traffic {
    /// All of the cluster.
    #[default]
    Cluster,
    /// Those on this node.
    Local,
}

/// One port of a Service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServicePort {
    /// Its name, empty if it has none.
    pub name: String,
    /// Its protocol.
    pub protocol: Protocol,
    /// Its number.
    pub port: u16,
    /// The node's port that leads to it.
    pub node_port: Option<u16>,
    /// Where it leads, ready ones, or those that still serve if none is ready. Sorted.
    pub endpoints: Vec<Endpoint>,
}

/// A transport protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

/// Where a Service's port leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint {
    /// A pod's address.
    pub address: Ipv4Addr,
    /// A pod's port.
    pub port: u16,
    /// Whether it is on this node.
    pub local: bool,
}

/// A port of the node that belongs to a pod.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostPort {
    /// Its protocol.
    pub protocol: Protocol,
    /// Its number on the node.
    pub host_port: u16,
    /// The pod's address.
    pub address: Ipv4Addr,
    /// Its number in the pod.
    pub port: u16,
}

impl Protocol {
    /// From Kubernetes' word; TCP if there is none.
    #[must_use]
    pub fn from_word(word: Option<&str>) -> Self {
        match word {
            Some("UDP") => Self::Udp,
            Some("SCTP") => Self::Sctp,
            _ => Self::Tcp,
        }
    }

    /// The word that `nft` has for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        }
    }
}

/// Services that have an IPv4 cluster address, with the endpoints that their slices give on node
/// `node`.
#[must_use]
pub fn desired_services<'a>(
    services: impl Iterator<Item = &'a Object>,
    slices: impl Iterator<Item = &'a Object>,
    node: &str,
) -> Vec<Service> {
    let mut by_service: BTreeMap<String, Vec<&Object>> = BTreeMap::new();
    for slice in slices.filter(|slice| slice.0.at("addressType").as_str() == Some("IPv4")) {
        if let Some(service) = slice.label("kubernetes.io/service-name") {
            by_service.entry(format!("{}/{service}", slice.namespace())).or_default().push(slice);
        }
    }
    let mut all: Vec<Service> = services
        .filter_map(|service| {
            let name = format!("{}/{}", service.namespace(), service.name());
            read_service(service, by_service.get(&name).map_or(&[][..], Vec::as_slice), node)
        })
        .collect();
    all.sort_by(|one, other| one.name.cmp(&other.name));
    all
}

fn read_service(service: &Object, slices: &[&Object], node: &str) -> Option<Service> {
    let spec = service.0.at("spec");
    let addresses = |path: &[&str]| {
        let texts = spec.list_at(path).iter().filter_map(Value::as_str);
        texts.filter_map(|text| text.parse::<Ipv4Addr>().ok()).collect::<Vec<_>>()
    };
    let first = spec.at("clusterIP").as_str().and_then(|text| text.parse().ok());
    let cluster_ip = first.or_else(|| addresses(&["clusterIPs"]).first().copied())?;
    let mut external_ips = addresses(&["externalIPs"]);
    let ingress = service.0.list_at(&["status", "loadBalancer", "ingress"]).iter();
    external_ips.extend(ingress.filter_map(|one| one.at("ip").as_str()?.parse::<Ipv4Addr>().ok()));
    let policy = |field: &str| match spec.at(field).as_str() {
        Some("Local") => Traffic::Local,
        _ => Traffic::Cluster,
    };
    let affinity = (spec.at("sessionAffinity").as_str() == Some("ClientIP")).then(|| {
        let given = spec.i64_at(&["sessionAffinityConfig", "clientIP", "timeoutSeconds"]);
        given.and_then(|given| u32::try_from(given).ok()).unwrap_or(10_800)
    });
    let ports = spec.list_at(&["ports"]).iter();
    Some(Service {
        name: format!("{}/{}", service.namespace(), service.name()),
        cluster_ip,
        external_ips,
        affinity_s: affinity,
        internal: policy("internalTrafficPolicy"),
        external: policy("externalTrafficPolicy"),
        ports: ports.filter_map(|port| read_port(port, slices, node)).collect(),
    })
}

fn read_port(port: &Value, slices: &[&Object], node: &str) -> Option<ServicePort> {
    let number = |value: &Value| {
        value.as_i64().and_then(|number| u16::try_from(number).ok()).filter(|n| *n > 0)
    };
    let name = port.at("name").as_str().unwrap_or_default().to_owned();
    let protocol = Protocol::from_word(port.at("protocol").as_str());
    Some(ServicePort {
        port: number(port.at("port"))?,
        node_port: number(port.at("nodePort")),
        endpoints: endpoints(slices, (&name, protocol), node),
        name,
        protocol,
    })
}

/// Ready endpoints of one port; if there is none, those that serve although they terminate.
fn endpoints(slices: &[&Object], (name, protocol): (&str, Protocol), node: &str) -> Vec<Endpoint> {
    let (mut ready, mut serving) = (Vec::new(), Vec::new());
    for slice in slices {
        let ports = slice.0.list_at(&["ports"]).iter();
        let mut matching = ports.filter(|port| {
            port.at("name").as_str().unwrap_or_default() == name
                && Protocol::from_word(port.at("protocol").as_str()) == protocol
        });
        let number = matching.next().and_then(|port| port.at("port").as_i64());
        let Some(port) = number.and_then(|number| u16::try_from(number).ok()) else { continue };
        for endpoint in slice.0.list_at(&["endpoints"]) {
            let local = endpoint.at("nodeName").as_str() == Some(node);
            let conditions = endpoint.at("conditions");
            let is = |name: &str| conditions.at(name).as_bool();
            let first = endpoint.list_at(&["addresses"]).first().and_then(Value::as_str);
            let Some(address) = first.and_then(|text| text.parse().ok()) else { continue };
            let found = Endpoint { address, port, local };
            // A condition that is not given counts as true, as the API says.
            if is("ready").unwrap_or(true) {
                ready.push(found);
            } else if is("serving").unwrap_or(false) && is("terminating").unwrap_or(false) {
                serving.push(found);
            }
        }
    }
    let mut chosen = if ready.is_empty() { serving } else { ready };
    chosen.sort_unstable();
    chosen.dedup();
    chosen
}

#[cfg(test)]
mod tests;
