//! Decides how this node reaches the pods of every other node: pure.
//!
//! Way in: [`machines`] reads Node objects, [`desired_routes`] decides.
//! A node whose address is on one of this machine's own networks is the next hop itself; packets to
//! any other node travel in UDP packets of their own (VXLAN). Neither changes a pod's address.
//! Never: a route for what is not a part of the cluster's pod range, whatever a Node object says.
//! Spec: Kubernetes documentation, "The Kubernetes network model"; RFC 7348.

use std::net::Ipv4Addr;

use actors_object::{Object, Value};

use crate::Cidr;

/// Another node, as its object describes it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Machine {
    /// The node's name.
    pub name: String,
    /// Its `InternalIP`.
    pub address: Ipv4Addr,
    /// The addresses of its pods, its `podCIDR`.
    pub pod_range: Cidr,
}

/// An address of this machine, and the network behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// The interface's index.
    pub interface: u32,
    /// The machine's address there.
    pub address: Ipv4Addr,
    /// How many bits of the address the whole network shares.
    pub prefix: u8,
}

/// Where routes begin.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// This node's name.
    pub node: &'a str,
    /// The addresses of this node's pods.
    pub pod_range: Cidr,
    /// The addresses of all pods of the cluster.
    pub cluster_range: Cidr,
    /// The machine's networks, without the pods' own bridge.
    pub links: &'a [Link],
}

/// How packets get to another node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Straight, over a network that both machines are on.
    Direct {
        /// The interface's index.
        interface: u32,
        /// The other node's address.
        gateway: Ipv4Addr,
        /// This machine's address there.
        source: Ipv4Addr,
    },
    /// Within UDP packets to the other node's address.
    Tunnel {
        /// The other node's address.
        remote: Ipv4Addr,
    },
}

/// The route to one node's pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeRoute {
    /// The addresses of its pods.
    pub range: Cidr,
    /// How they are reached.
    pub way: Way,
}

/// The nodes that have an address and a range of pods, in the order of their names.
#[must_use]
pub fn machines<'a>(nodes: impl Iterator<Item = &'a Object>) -> Vec<Machine> {
    let mut all: Vec<Machine> = nodes.filter_map(read_node).collect();
    all.sort();
    all
}

fn read_node(node: &Object) -> Option<Machine> {
    let spec = node.0.at("spec");
    let ranges = spec.list_at(&["podCIDRs"]).iter().chain([spec.at("podCIDR")]);
    let pod_range = ranges.filter_map(Value::as_str).find_map(|text| text.parse().ok())?;
    let addresses = node.0.list_at(&["status", "addresses"]).iter();
    let internal = addresses.filter(|one| one.at("type").as_str() == Some("InternalIP"));
    let address = internal.filter_map(|one| one.at("address").as_str()?.parse().ok()).next()?;
    Some(Machine { name: node.name().to_owned(), address, pod_range })
}

/// The routes to the pods of `machines`, in their order. Of two nodes that claim the same addresses
/// the first one has them.
#[must_use]
pub fn desired_routes(place: &Place<'_>, machines: &[Machine]) -> Vec<NodeRoute> {
    let mut routes: Vec<NodeRoute> = Vec::new();
    for machine in machines {
        let range = machine.pod_range;
        let is_own = machine.name == place.node || place.pod_range.overlaps(range);
        let is_taken = routes.iter().any(|route| route.range.overlaps(range));
        let is_here = place.links.iter().any(|link| link.address == machine.address);
        if !is_own && !is_taken && !is_here && place.cluster_range.covers(range) {
            routes.push(NodeRoute { range, way: way(place.links, machine.address) });
        }
    }
    routes
}

/// Straight over the smallest network that has the address in it, through a tunnel if none has.
fn way(links: &[Link], remote: Ipv4Addr) -> Way {
    let is_on = |link: &&Link| {
        let host_bits = u32::from(32_u8.saturating_sub(link.prefix));
        let differing = u32::from(link.address) ^ u32::from(remote);
        differing.checked_shr(host_bits).unwrap_or(0) == 0
    };
    let nearest = links.iter().filter(is_on).max_by_key(|link| link.prefix);
    nearest.map_or(Way::Tunnel { remote }, |link| Way::Direct {
        interface: link.interface,
        gateway: remote,
        source: link.address,
    })
}

#[cfg(test)]
mod tests;
