//! The network between the machines of one host: a bridge, and a cable from it into each machine's namespace.
//!
//! Way in: [`lay`], [`connect`], [`set_cable`], [`disconnect`], [`clear`].  Owns: the bridge, the cables, the
//! namespaces' names, and one nf_tables table of the bridge's name, by which machines reach what is outside.
//! Everything is safe to repeat, and finds what an interrupted life left.

use std::{
    fs, io,
    net::{IpAddr, Ipv4Addr},
    os::fd::AsRawFd as _,
    path::Path,
};

use nix::net::if_::if_nametoindex;
use nodes_network::{NftCommand, RuleSink as _, SinkError};
use rtnetlink::{
    Error, Handle, LinkBridge, LinkMessageBuilder, LinkUnspec, LinkVeth, RouteMessageBuilder,
    packet_route::link::{InfoData, InfoVeth},
};

use crate::{
    MachinePlan, Plan, Segment,
    namespace::{self, NamespaceError, with_netlink},
};

/// The name of a machine's interface.
const INTERFACE: &str = "eth0";

/// The prefix of the machines' network.
const PREFIX: u8 = 24;

/// What a machine could not be given. `down` removes what was made so far.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// A namespace.
    #[error(transparent)]
    Namespace(#[from] NamespaceError),
    /// Netlink said no.
    #[error("cannot {step}")]
    Link {
        /// What was tried.
        step: String,
        /// Why not.
        #[source]
        source: Error,
    },
    /// An interface that was made is not there.
    #[error("interface {0} is not there")]
    Missing(String),
    /// A kernel setting.
    #[error("cannot set {setting}")]
    Setting {
        /// Which.
        setting: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The rules that let machines out.
    #[error("cannot let the machines out")]
    Rules(#[source] SinkError),
}

/// Makes the bridge, gives the host its address there, and lets the machines out under the host's own.
///
/// # Errors
/// The step that failed.
pub fn lay(plan: &Plan) -> Result<(), NetworkError> {
    set("net/ipv4/ip_forward", "1")?;
    let (name, gateway) = (plan.bridge.clone(), plan.gateway);
    with_netlink(None, |handle| async move {
        let bridge = LinkBridge::new(&name).address(hardware_address(gateway)).mtu(mtu()).build();
        unless_there(handle.link().add(bridge).execute().await, || format!("make bridge {name}"))?;
        bring_up(&handle, &name).await?;
        give_address(&handle, &name, gateway).await
    })??;
    let (table, range) = (&plan.bridge, range_of(plan.gateway));
    let rule = format!("ip saddr {range} ip daddr != {range} oifname != \"{table}\" masquerade");
    let script = format!(
        "add table ip {table}\ndelete table ip {table}\nadd table ip {table}\n\
         add chain ip {table} leaving {{ type nat hook postrouting priority srcnat; }}\n\
         add rule ip {table} leaving {rule}\n"
    );
    NftCommand.apply(&script).map_err(NetworkError::Rules)
}

/// Gives a machine its namespace and its cable. What is there and whole is left alone.
///
/// # Errors
/// The step that failed.
pub fn connect(plan: &Plan, segment: &Segment) -> Result<(), NetworkError> {
    namespace::create(&segment.netns)?;
    if !namespace::run_in(&segment.netns, || index_of(INTERFACE).is_some())? {
        plug(plan, segment)?;
    }
    let (address, gateway) = (segment.address, plan.gateway);
    with_netlink(Some(&segment.netns), |handle| async move {
        set("net/ipv4/ip_forward", "1")?;
        bring_up(&handle, "lo").await?;
        bring_up(&handle, INTERFACE).await?;
        give_address(&handle, INTERFACE, address).await?;
        let index = index_of(INTERFACE).ok_or_else(|| NetworkError::Missing(INTERFACE.into()))?;
        let route =
            RouteMessageBuilder::<Ipv4Addr>::new().gateway(gateway).output_interface(index).build();
        unless_there(handle.route().add(route).replace().execute().await, || {
            format!("add the default route of {address}")
        })
    })??;
    set_cable(segment, true)
}

/// Pulls a machine's cable, or plugs it in again: what is in flight is lost, and nobody is told.
///
/// # Errors
/// If the kernel refuses; a cable that is not there is no error.
pub fn set_cable(segment: &Segment, is_plugged: bool) -> Result<(), NetworkError> {
    let name = segment.interface.clone();
    with_netlink(None, |handle| async move {
        let Some(index) = index_of(&name) else { return Ok(()) };
        let link = LinkUnspec::new_with_index(index);
        let link = if is_plugged { link.up() } else { link.down() };
        let set = handle.link().set(link.build()).execute().await;
        set.map_err(|source| refused(format!("change the cable {name}"), source))
    })?
}

/// Takes a machine's cable and namespace away.
///
/// # Errors
/// The step that failed.
pub fn disconnect(segment: &Segment) -> Result<(), NetworkError> {
    let name = segment.interface.clone();
    with_netlink(None, |handle| async move { delete(&handle, &name).await })??;
    Ok(namespace::remove(&segment.netns)?)
}

/// Removes the machines' cables and namespaces, the bridge and the rules.
///
/// # Errors
/// The step that failed.
pub fn clear(plan: &Plan) -> Result<(), NetworkError> {
    for segment in plan.machines.iter().filter_map(|machine| machine.segment.as_ref()) {
        disconnect(segment)?;
    }
    let name = plan.bridge.clone();
    with_netlink(None, |handle| async move { delete(&handle, &name).await })??;
    let table = &plan.bridge;
    let script = format!("add table ip {table}\ndelete table ip {table}\n");
    NftCommand.apply(&script).map_err(NetworkError::Rules)
}

/// Sends `ranges` from the host over one machine, or over none that is known any more.
///
/// # Errors
/// The step that failed.
pub fn route(
    plan: &Plan,
    machine: &MachinePlan,
    range: (Ipv4Addr, u8),
) -> Result<(), NetworkError> {
    let Some(segment) = &machine.segment else { return Ok(()) };
    let (gateway, bridge) = (segment.address, plan.bridge.clone());
    with_netlink(None, |handle| async move {
        let index = index_of(&bridge).ok_or_else(|| NetworkError::Missing(bridge.clone()))?;
        let route = RouteMessageBuilder::<Ipv4Addr>::new()
            .destination_prefix(range.0, range.1)
            .gateway(gateway)
            .output_interface(index)
            .build();
        let added = handle.route().add(route).replace().execute().await;
        unless_there(added, || format!("route {}/{} over {gateway}", range.0, range.1))
    })?
}

/// A pair of interfaces: one end on the bridge, the other in the namespace from its first moment.
fn plug(plan: &Plan, segment: &Segment) -> Result<(), NetworkError> {
    let open = fs::File::open(&segment.netns).map_err(|source| NamespaceError::File {
        what: "open",
        path: segment.netns.clone(),
        source,
    });
    let (netns, bridge) = (open?, plan.bridge.clone());
    let (name, address) = (segment.interface.clone(), segment.address);
    with_netlink(None, |handle| async move {
        let bridge = index_of(&bridge).ok_or_else(|| NetworkError::Missing(bridge.clone()))?;
        // The end of a namespace that died lives until the kernel has cleaned up.
        delete(&handle, &name).await?;
        let inner = LinkMessageBuilder::<LinkUnspec>::new()
            .name(INTERFACE)
            .address(hardware_address(address))
            .mtu(mtu())
            .setns_by_fd(netns.as_raw_fd())
            .build();
        let outer = LinkMessageBuilder::<LinkVeth>::new(&name, INTERFACE)
            .set_info_data(InfoData::Veth(InfoVeth::Peer(inner)))
            .controller(bridge)
            .mtu(mtu())
            .up()
            .build();
        let added = handle.link().add(outer).execute().await;
        added.map_err(|source| refused(format!("make the cable {name}"), source))
    })?
}

async fn bring_up(handle: &Handle, name: &str) -> Result<(), NetworkError> {
    let index = index_of(name).ok_or_else(|| NetworkError::Missing(name.to_owned()))?;
    let up = LinkUnspec::new_with_index(index).up().build();
    let set = handle.link().set(up).execute().await;
    set.map_err(|source| refused(format!("bring {name} up"), source))
}

async fn give_address(handle: &Handle, name: &str, address: Ipv4Addr) -> Result<(), NetworkError> {
    let index = index_of(name).ok_or_else(|| NetworkError::Missing(name.to_owned()))?;
    let added = handle.address().add(index, IpAddr::V4(address), PREFIX).replace().execute().await;
    unless_there(added, || format!("give {name} the address {address}"))
}

async fn delete(handle: &Handle, name: &str) -> Result<(), NetworkError> {
    let Some(index) = index_of(name) else { return Ok(()) };
    match handle.link().del(index).execute().await {
        // A namespace that ends takes its cables with it, perhaps just now.
        Err(error) if code(&error) == Some(nix::libc::ENODEV) => Ok(()),
        deleted => deleted.map_err(|source| refused(format!("remove interface {name}"), source)),
    }
}

fn index_of(name: &str) -> Option<u32> {
    if_nametoindex(name).ok()
}

/// The machines' network, as nft writes it.
fn range_of(gateway: Ipv4Addr) -> String {
    let [a, b, c, _] = gateway.octets();
    format!("{a}.{b}.{c}.0/{PREFIX}")
}

/// A locally administered hardware address that follows from an address.
fn hardware_address(address: Ipv4Addr) -> Vec<u8> {
    [&[0x0a, 0x5c], &address.octets()[..]].concat()
}

/// What fits through the host's own way out; Ethernet's usual 1,500 if there is none.
fn mtu() -> u32 {
    let routes = fs::read_to_string("/proc/net/route").unwrap_or_default();
    let mut rows = routes.lines().skip(1).map(|row| row.split_whitespace().collect::<Vec<_>>());
    let interface = rows.find(|row| row.get(1) == Some(&"00000000"));
    let name = interface.and_then(|row| row.first().copied()).unwrap_or_default();
    let read = fs::read_to_string(format!("/sys/class/net/{name}/mtu")).ok();
    read.and_then(|mtu| mtu.trim().parse().ok()).unwrap_or(1_500)
}

/// Writes a kernel setting of this thread's namespace, unless it has that value.
fn set(setting: &str, value: &str) -> Result<(), NetworkError> {
    let path = Path::new("/proc/sys").join(setting);
    if fs::read_to_string(&path).is_ok_and(|now| now.trim() == value) {
        return Ok(());
    }
    fs::write(&path, value)
        .map_err(|source| NetworkError::Setting { setting: path.display().to_string(), source })
}

fn unless_there(
    result: Result<(), Error>,
    step: impl FnOnce() -> String,
) -> Result<(), NetworkError> {
    match result {
        Err(error) if code(&error) == Some(nix::libc::EEXIST) => Ok(()),
        other => other.map_err(|source| refused(step(), source)),
    }
}

fn refused(step: String, source: Error) -> NetworkError {
    NetworkError::Link { step, source }
}

fn code(error: &Error) -> Option<i32> {
    match error {
        Error::NetlinkError(message) => message.to_io().raw_os_error(),
        _ => None,
    }
}
