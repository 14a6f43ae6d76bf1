//! What interfaces this machine has: asked of the kernel over netlink, so that it is true in any
//! network namespace, whichever one `/sys` shows.
//!
//! Way in: [`interfaces`], called within [`crate::namespace::run_in`].

use std::net::{IpAddr, Ipv4Addr};

use futures_util::TryStreamExt as _;
use rtnetlink::{
    Handle,
    packet_route::{address::AddressAttribute, link::LinkAttribute},
};

use crate::{NetworkError, links::refused, routes::Link};

/// What fits through Ethernet, where nothing is known of the way out.
const MTU_USUAL: u32 = 1_500;

/// One interface with its IPv4 addresses.
#[derive(Debug, Clone)]
pub(crate) struct Interface {
    pub(crate) index: u32,
    pub(crate) name: String,
    pub(crate) mtu: u32,
    pub(crate) addresses: Vec<(Ipv4Addr, u8)>,
}

/// All interfaces of the namespace that `handle` speaks to.
pub(crate) async fn interfaces(handle: &Handle) -> Result<Vec<Interface>, NetworkError> {
    let wrap = |source| refused("list interfaces".to_owned(), source);
    let links: Vec<_> = handle.link().get().execute().try_collect().await.map_err(wrap)?;
    let mut all: Vec<Interface> = links
        .into_iter()
        .map(|link| {
            let mut one = Interface {
                index: link.header.index,
                name: String::new(),
                mtu: MTU_USUAL,
                addresses: Vec::new(),
            };
            for attribute in link.attributes {
                match attribute {
                    LinkAttribute::IfName(name) => one.name = name,
                    LinkAttribute::Mtu(mtu) => one.mtu = mtu,
                    _ => {}
                }
            }
            one
        })
        .collect();
    let addresses: Vec<_> = handle.address().get().execute().try_collect().await.map_err(wrap)?;
    for message in addresses {
        let local = message.attributes.iter().find_map(|attribute| match attribute {
            AddressAttribute::Local(IpAddr::V4(address)) => Some(*address),
            _ => None,
        });
        let its = all.iter_mut().find(|one| one.index == message.header.index);
        if let (Some(address), Some(interface)) = (local, its) {
            interface.addresses.push((address, message.header.prefix_len));
        }
    }
    Ok(all)
}

/// The networks that other machines may be on: all but loopback and what this program made itself.
pub(crate) fn links(interfaces: &[Interface]) -> Vec<Link> {
    let is_outer = |one: &&Interface| one.name != "lo" && !is_own(&one.name);
    let of = |one: &Interface| {
        let index = one.index;
        let link = move |(address, prefix)| Link { interface: index, address, prefix };
        one.addresses.clone().into_iter().map(link)
    };
    interfaces.iter().filter(is_outer).flat_map(of).collect()
}

/// What fits through the interface that has the node's address, or else that of the default route.
pub(crate) fn outer_mtu(interfaces: &[Interface], node: Ipv4Addr) -> u32 {
    let has_node = |one: &&Interface| {
        !is_own(&one.name) && one.addresses.iter().any(|(address, _)| *address == node)
    };
    let outer = interfaces.iter().find(has_node).or_else(|| {
        let name = default_interface()?;
        interfaces.iter().find(|one| one.name == name)
    });
    // Loopback takes more than any other way out does.
    outer.map_or(MTU_USUAL, |one| one.mtu).min(9_000)
}

/// `sl-0`, `slx-0`, `sl0-1a2b3c4d`: what the clusters of this machine have made.
fn is_own(name: &str) -> bool {
    let rest = name.strip_prefix("sl").and_then(|rest| rest.split_once('-'));
    rest.is_some_and(|(kind, _)| {
        kind.is_empty() || kind == "x" || kind.bytes().all(|byte| byte.is_ascii_digit())
    })
}

fn default_interface() -> Option<String> {
    let routes = std::fs::read_to_string("/proc/thread-self/net/route").ok()?;
    let mut rows = routes.lines().skip(1).map(|row| row.split_whitespace().collect::<Vec<_>>());
    let row = rows.find(|row| row.get(1) == Some(&"00000000"))?;
    row.first().map(|name| (*name).to_owned())
}
