//! The tunnel to nodes that are on no network of this machine: one VXLAN device for each cluster.
//!
//! Way in: [`ensure`], [`set_ends`], called within [`crate::namespace::run_in`].
//! Owns: the device, its neighbours and its forwarding table. Nothing is learnt from packets: who is
//! where follows from the Node objects, and a hardware address from a node's range of pods.
//! Spec: RFC 7348; the kernel's `Documentation/networking/vxlan.rst`.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
};

use futures_util::TryStreamExt as _;
use rtnetlink::{
    Error, Handle, LinkMessageBuilder, LinkUnspec, LinkVxlan,
    packet_route::{
        AddressFamily,
        link::{InfoData, InfoVxlan, LinkAttribute, LinkInfo},
        neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage},
    },
};

use crate::{
    Cidr, NetworkError,
    links::{self, refused, unless_there},
};

/// The port that IANA has assigned.
const PORT: u16 = 4_789;
/// Outer Ethernet, IPv4, UDP and VXLAN headers.
pub(crate) const OVERHEAD: u32 = 50;

/// This node's end.
#[derive(Debug, Clone)]
pub(crate) struct Tunnel {
    pub(crate) name: String,
    /// The network's number, the same on every node of the cluster.
    pub(crate) vni: u32,
    /// The node's address.
    pub(crate) local: Ipv4Addr,
    /// The addresses of this node's pods.
    pub(crate) range: Cidr,
    pub(crate) mtu: u32,
}

/// The first address of a node's range, by which the others reach it through the tunnel.
pub(crate) fn gateway_of(range: Cidr) -> Ipv4Addr {
    range.nth(1).unwrap_or(range.network())
}

/// The hardware address of the end of the node with this range; every node computes the same.
fn hardware_of(range: Cidr) -> Vec<u8> {
    [&[0x0a, 0x59], &range.network().octets()[..]].concat()
}

/// Makes the device, or makes it anew if it is not as it should be; its index.
pub(crate) async fn ensure(handle: &Handle, tunnel: &Tunnel) -> Result<u32, NetworkError> {
    let name = &tunnel.name;
    if links::index_of(name).is_some() && !is_as_wanted(handle, tunnel).await? {
        links::delete(handle, name).await?;
    }
    let device: LinkMessageBuilder<LinkVxlan> = LinkVxlan::new(name, tunnel.vni);
    let device = device
        .local(tunnel.local)
        .port(PORT)
        .learning(false)
        .address(hardware_of(tunnel.range))
        .mtu(tunnel.mtu)
        .build();
    let added = handle.link().add(device).execute().await;
    unless_there(added, || format!("make the tunnel {name}"))?;
    let index = links::index_of(name).ok_or_else(|| NetworkError::Missing(name.clone()))?;
    let up = LinkUnspec::new_with_index(index).up().build();
    let set = handle.link().set(up).execute().await;
    set.map_err(|source| refused(format!("bring {name} up"), source))?;
    // What this node itself sends through the tunnel, and what it translates, comes from here.
    let gateway = gateway_of(tunnel.range);
    let address = handle.address().add(index, IpAddr::V4(gateway), 32).replace().execute().await;
    unless_there(address, || format!("give {name} the address {gateway}"))?;
    Ok(index)
}

async fn is_as_wanted(handle: &Handle, tunnel: &Tunnel) -> Result<bool, NetworkError> {
    let wrap = |source| refused(format!("look at {}", tunnel.name), source);
    let found = handle.link().get().match_name(&tunnel.name).execute().try_next().await;
    let Some(link) = found.map_err(wrap)? else { return Ok(false) };
    let (mut vni, mut local, mut hardware) = (None, None, Vec::new());
    for attribute in link.attributes {
        match attribute {
            LinkAttribute::Address(address) => hardware = address,
            LinkAttribute::LinkInfo(infos) => {
                for info in infos {
                    let LinkInfo::Data(InfoData::Vxlan(all)) = info else { continue };
                    for one in all {
                        match one {
                            InfoVxlan::Id(id) => vni = Some(id),
                            InfoVxlan::Local(address) => local = Some(address),
                            _ => {}
                        }
                    }
                }
            }
            _ => {}
        }
    }
    let wanted = (Some(tunnel.vni), Some(tunnel.local), hardware_of(tunnel.range));
    Ok((vni, local, hardware) == wanted)
}

/// Makes the device know these ends and no others: a node's address by its range of pods.
pub(crate) async fn set_ends(
    handle: &Handle,
    device: u32,
    ends: &BTreeMap<Cidr, Ipv4Addr>,
) -> Result<(), NetworkError> {
    for (range, remote) in ends {
        let hardware = hardware_of(*range);
        let step = |source| refused(format!("set the end {remote} of the tunnel"), source);
        let forward = handle.neighbours().add_bridge(device, &hardware);
        let forward = forward.destination(IpAddr::V4(*remote)).flags(NeighbourFlags::Own);
        forward.replace().execute().await.map_err(step)?;
        let neighbour = handle.neighbours().add(device, IpAddr::V4(gateway_of(*range)));
        let neighbour = neighbour.link_layer_address(&hardware).replace().execute().await;
        neighbour.map_err(step)?;
    }
    let hardware: Vec<Vec<u8>> = ends.keys().map(|range| hardware_of(*range)).collect();
    for family in [AddressFamily::Bridge, AddressFamily::Inet] {
        for old in neighbours(handle, device, family).await? {
            if !hardware_in(&old).is_some_and(|address| hardware.contains(&address)) {
                let removed = handle.neighbours().del(old).execute().await;
                unless_gone(removed)?;
            }
        }
    }
    Ok(())
}

async fn neighbours(
    handle: &Handle,
    device: u32,
    family: AddressFamily,
) -> Result<Vec<NeighbourMessage>, NetworkError> {
    let all = handle.neighbours().get().set_address_family(family).execute();
    let all: Result<Vec<_>, Error> = all.try_collect().await;
    let mut all = all.map_err(|source| refused("list ends of the tunnel".to_owned(), source))?;
    // Group addresses belong to the kernel.
    let is_end = |one: &NeighbourMessage| {
        one.attributes.iter().any(|attribute| {
            matches!(attribute, NeighbourAttribute::Destination(NeighbourAddress::Inet(address))
                if !address.is_multicast() && !address.is_unspecified())
        })
    };
    all.retain(|one| one.header.ifindex == device && is_end(one));
    Ok(all)
}

fn hardware_in(message: &NeighbourMessage) -> Option<Vec<u8>> {
    message.attributes.iter().find_map(|attribute| match attribute {
        NeighbourAttribute::LinkLayerAddress(address) => Some(address.clone()),
        _ => None,
    })
}

fn unless_gone(result: Result<(), Error>) -> Result<(), NetworkError> {
    match result {
        Err(error) if links::code(&error) == Some(nix::libc::ENOENT) => Ok(()),
        other => other.map_err(|source| refused("remove an end of the tunnel".to_owned(), source)),
    }
}
