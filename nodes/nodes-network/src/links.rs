//! The changes of interfaces and routes that the bridge network needs, each as one step over
//! netlink.
//!
//! Way in: the functions, called within [`crate::namespace::run_in`].  Never: a decision.

use std::{
    net::{IpAddr, Ipv4Addr},
    os::fd::RawFd,
};

use nix::net::if_::{if_nameindex, if_nametoindex};
use rtnetlink::{
    Error, Handle, LinkBridge, LinkBridgePort, LinkMessageBuilder, LinkUnspec, LinkVeth,
    RouteMessageBuilder,
    packet_route::{
        link::{InfoData, InfoVeth},
        route::RouteScope,
    },
};

use crate::{Cidr, NetworkError};

/// A pair of interfaces between the node and a pod.
pub(crate) struct Pair<'a> {
    /// Its end on the node.
    pub(crate) name: &'a str,
    /// The bridge that this end joins.
    pub(crate) bridge: u32,
    /// The pod's address, from which the other end's hardware address is made.
    pub(crate) address: Ipv4Addr,
    /// The pod's namespace.
    pub(crate) netns: RawFd,
    pub(crate) mtu: u32,
}

/// The name of the pod's interface, as every Kubernetes network has it.
pub(crate) const POD_INTERFACE: &str = "eth0";

/// The index of an interface in the namespace of this thread.
pub(crate) fn index_of(name: &str) -> Option<u32> {
    if_nametoindex(name).ok()
}

/// Names of the interfaces in the namespace of this thread that begin with `prefix`.
pub(crate) fn names_with(prefix: &str) -> Vec<String> {
    let Ok(all) = if_nameindex() else { return Vec::new() };
    let names = all.iter().map(|one| one.name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with(prefix)).collect()
}

/// A bridge that is up and has the gateway's address.
pub(crate) async fn ensure_bridge(
    handle: &Handle,
    name: &str,
    (gateway, range): (Ipv4Addr, Cidr),
    mtu: u32,
) -> Result<u32, NetworkError> {
    // A hardware address of its own: else the bridge takes the lowest of its ports', and changes it
    // with them.
    let bridge = LinkBridge::new(name).address(hardware_address(gateway)).mtu(mtu).build();
    unless_there(handle.link().add(bridge).execute().await, || format!("make bridge {name}"))?;
    let index = index_of(name).ok_or_else(|| NetworkError::Missing(name.to_owned()))?;
    let up = LinkUnspec::new_with_index(index).up().build();
    handle
        .link()
        .set(up)
        .execute()
        .await
        .map_err(|source| refused(format!("bring {name} up"), source))?;
    let address = handle.address().add(index, IpAddr::V4(gateway), range.prefix()).replace();
    let step = || format!("give {name} the address {gateway}");
    unless_there(address.execute().await, step)?;
    Ok(index)
}

/// Sends everything for `range` to an interface, from `source`.
pub(crate) async fn route_range(
    handle: &Handle,
    range: Cidr,
    interface: u32,
    source: Ipv4Addr,
) -> Result<(), NetworkError> {
    let route = RouteMessageBuilder::<Ipv4Addr>::new()
        .destination_prefix(range.network(), range.prefix())
        .output_interface(interface)
        .pref_source(source)
        .scope(RouteScope::Link)
        .build();
    unless_there(handle.route().add(route).replace().execute().await, || format!("route {range}"))
}

/// Makes the pair; the pod's end is in its namespace from the first moment.
pub(crate) async fn add_pair(handle: &Handle, pair: &Pair<'_>) -> Result<(), NetworkError> {
    let inner = LinkMessageBuilder::<LinkUnspec>::new()
        .name(POD_INTERFACE)
        .address(hardware_address(pair.address))
        .mtu(pair.mtu)
        .setns_by_fd(pair.netns)
        .build();
    let outer = LinkMessageBuilder::<LinkVeth>::new(pair.name, POD_INTERFACE)
        .set_info_data(InfoData::Veth(InfoVeth::Peer(inner)))
        .controller(pair.bridge)
        .mtu(pair.mtu)
        .up()
        .build();
    let added = handle.link().add(outer).execute().await;
    added.map_err(|source| refused(format!("make interface {}", pair.name), source))?;
    // Where the bridge itself translates (br_netfilter), a pod that reaches itself through a
    // Service leaves by the port by which it came.
    let index = index_of(pair.name).ok_or_else(|| NetworkError::Missing(pair.name.to_owned()))?;
    let port = LinkBridgePort::new(index).hairpin(true).build();
    let set = handle.link().set_port(port).execute().await;
    set.map_err(|source| refused(format!("let packets return through {}", pair.name), source))
}

/// Loopback, address and routes; in the pod's namespace.
pub(crate) async fn configure_pod(
    handle: &Handle,
    address: Ipv4Addr,
    gateway: Ipv4Addr,
) -> Result<(), NetworkError> {
    for name in ["lo", POD_INTERFACE] {
        let index = index_of(name).ok_or_else(|| NetworkError::Missing(name.to_owned()))?;
        let up = LinkUnspec::new_with_index(index).up().build();
        handle
            .link()
            .set(up)
            .execute()
            .await
            .map_err(|source| refused(format!("bring {name} up"), source))?;
    }
    let index =
        index_of(POD_INTERFACE).ok_or_else(|| NetworkError::Missing(POD_INTERFACE.to_owned()))?;
    // A prefix of 32 sends every packet over the node, also those to neighbours: what the node's
    // rules translated on the way there is then translated back on the way here.
    let added = handle.address().add(index, IpAddr::V4(address), 32).replace().execute().await;
    unless_there(added, || format!("give the pod the address {address}"))?;
    let to_gateway = RouteMessageBuilder::<Ipv4Addr>::new()
        .destination_prefix(gateway, 32)
        .output_interface(index)
        .pref_source(address)
        .scope(RouteScope::Link)
        .build();
    unless_there(handle.route().add(to_gateway).replace().execute().await, || {
        "route to the gateway".into()
    })?;
    let default =
        RouteMessageBuilder::<Ipv4Addr>::new().gateway(gateway).output_interface(index).build();
    unless_there(handle.route().add(default).replace().execute().await, || {
        "add the default route".into()
    })
}

/// Removes an interface of this namespace, if it is there.
pub(crate) async fn delete(handle: &Handle, name: &str) -> Result<(), NetworkError> {
    let Some(index) = index_of(name) else { return Ok(()) };
    match handle.link().del(index).execute().await {
        Err(error) if code(&error) == Some(nix::libc::ENODEV) => Ok(()),
        other => other.map_err(|source| refused(format!("remove interface {name}"), source)),
    }
}

/// A locally administered hardware address that follows from an address.
fn hardware_address(address: Ipv4Addr) -> Vec<u8> {
    [&[0x0a, 0x58], &address.octets()[..]].concat()
}

pub(crate) fn unless_there(
    result: Result<(), Error>,
    step: impl FnOnce() -> String,
) -> Result<(), NetworkError> {
    match result {
        Err(error) if code(&error) == Some(nix::libc::EEXIST) => Ok(()),
        other => other.map_err(|source| refused(step(), source)),
    }
}

pub(crate) fn refused(step: String, source: Error) -> NetworkError {
    NetworkError::Link { step, source }
}

pub(crate) fn code(error: &Error) -> Option<i32> {
    match error {
        Error::NetlinkError(message) => message.to_io().raw_os_error(),
        _ => None,
    }
}
