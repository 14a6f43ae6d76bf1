//! Keeps the kernel's routes to the pods of other nodes as they are decided.
//!
//! Way in: [`reach`].  Owns: routes of [`PROTOCOL`] within the cluster's pod range, and the tunnel.
//! Order: what is new stands before what is old goes; a failure with one node keeps nobody else from
//! being reached.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use futures_util::TryStreamExt as _;
use rtnetlink::{
    Handle, RouteMessageBuilder,
    packet_route::route::{RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol},
};

use crate::{
    BridgeConfig, Cidr, Machine, NetworkError, NodeRoute, Way, desired_routes,
    links::{self, code, refused},
    routes::Place,
    survey,
    tunnel::{self, Tunnel},
};

/// Marks routes as this program's own, beside those of administrators and routing daemons.
const PROTOCOL: u8 = 83;

/// Makes the pods of `machines` reachable, and those of others not; the addresses of the nodes that
/// are reached straight.
pub(crate) async fn reach(
    handle: &Handle,
    config: &BridgeConfig,
    machines: &[Machine],
) -> Result<BTreeSet<Ipv4Addr>, NetworkError> {
    let interfaces = survey::interfaces(handle).await?;
    let links = survey::links(&interfaces);
    let place = Place {
        node: &config.node,
        pod_range: config.pod_range,
        cluster_range: config.cluster_range,
        links: &links,
    };
    let routes = desired_routes(&place, machines);
    let mtu = survey::outer_mtu(&interfaces, config.address).saturating_sub(tunnel::OVERHEAD);
    let device = set_tunnel(handle, (config, mtu), &routes).await?;
    let mut first_error = None;
    for route in &routes {
        if let Err(error) = add(handle, config, (route, device)).await {
            tracing::debug!(%error, range = %route.range, "a route to another node");
            first_error.get_or_insert(error);
        }
    }
    prune(handle, config, &routes).await?;
    let straight = routes.iter().filter_map(|route| match route.way {
        Way::Direct { gateway, .. } => Some(gateway),
        Way::Tunnel { .. } => None,
    });
    first_error.map_or_else(|| Ok(straight.collect()), Err)
}

/// The tunnel's index, if any route needs it; removes it if none does.
async fn set_tunnel(
    handle: &Handle,
    (config, mtu): (&BridgeConfig, u32),
    routes: &[NodeRoute],
) -> Result<Option<u32>, NetworkError> {
    let end = |route: &NodeRoute| match route.way {
        Way::Tunnel { remote } => Some((route.range, remote)),
        Way::Direct { .. } => None,
    };
    let ends: BTreeMap<Cidr, Ipv4Addr> = routes.iter().filter_map(end).collect();
    let name = config.tunnel_name();
    if ends.is_empty() {
        links::delete(handle, &name).await?;
        return Ok(None);
    }
    let (vni, local, range) = (config.vni, config.address, config.pod_range);
    let device = tunnel::ensure(handle, &Tunnel { name, vni, local, range, mtu }).await?;
    tunnel::set_ends(handle, device, &ends).await?;
    Ok(Some(device))
}

async fn add(
    handle: &Handle,
    config: &BridgeConfig,
    (route, device): (&NodeRoute, Option<u32>),
) -> Result<(), NetworkError> {
    let builder = RouteMessageBuilder::<Ipv4Addr>::new()
        .destination_prefix(route.range.network(), route.range.prefix())
        .protocol(RouteProtocol::from(PROTOCOL));
    let message = match (route.way, device) {
        (Way::Direct { interface, gateway, source }, _) => {
            builder.output_interface(interface).gateway(gateway).pref_source(source).build()
        }
        (Way::Tunnel { .. }, Some(device)) => builder
            .output_interface(device)
            .gateway(tunnel::gateway_of(route.range))
            .onlink()
            .pref_source(tunnel::gateway_of(config.pod_range))
            .build(),
        (Way::Tunnel { .. }, None) => return Ok(()),
    };
    let added = handle.route().add(message).replace().execute().await;
    added.map_err(|source| refused(format!("route {}", route.range), source))
}

/// Removes routes to nodes that are gone.
async fn prune(
    handle: &Handle,
    config: &BridgeConfig,
    wanted: &[NodeRoute],
) -> Result<(), NetworkError> {
    let wrap = |source| refused("list routes".to_owned(), source);
    let query = RouteMessageBuilder::<Ipv4Addr>::new().build();
    let all: Vec<_> = handle.route().get(query).execute().try_collect().await.map_err(wrap)?;
    for old in all {
        let Some(range) = own_range(&old, config.cluster_range) else { continue };
        if wanted.iter().any(|route| route.range == range) {
            continue;
        }
        match handle.route().del(old).execute().await {
            Err(error) if code(&error) == Some(nix::libc::ESRCH) => {}
            other => {
                other.map_err(|source| refused(format!("remove the route {range}"), source))?
            }
        }
    }
    Ok(())
}

/// Removes all of this program's routes and the tunnel.
pub(crate) async fn tear_down(handle: &Handle, config: &BridgeConfig) -> Result<(), NetworkError> {
    prune(handle, config, &[]).await?;
    links::delete(handle, &config.tunnel_name()).await
}

/// Where a route of this program for the cluster leads; none if it is somebody else's.
fn own_range(route: &RouteMessage, cluster: Cidr) -> Option<Cidr> {
    let header = &route.header;
    if header.protocol != RouteProtocol::from(PROTOCOL)
        || header.table != RouteHeader::RT_TABLE_MAIN
    {
        return None;
    }
    let network = route.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Destination(RouteAddress::Inet(address)) => Some(*address),
        _ => None,
    })?;
    let range = format!("{network}/{}", header.destination_prefix_length).parse().ok()?;
    cluster.covers(range).then_some(range)
}
