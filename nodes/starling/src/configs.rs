//! What each part of a machine's process is told, out of the machine's record.
//!
//! Way in: [`agent_config`], [`server_config`], [`listeners`].

use std::{
    net::{Ipv4Addr, SocketAddrV4, TcpListener},
    os::fd::AsRawFd as _,
};

use actors_object::value;
use anyhow::{Context as _, Result};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrIn, bind, listen, setsockopt, socket,
    sockopt,
};
use nodes_agent::AgentConfig;
use nodes_machines::{MachineRecord, Role};
use nodes_network::Cidr;
use nodes_server::ServerConfig;
use nodes_shim::RuntimeKind;
use store_raft::NodeId;

/// Pods of one node (Kubernetes documentation, "Considerations for large clusters").
const PODS_MAX: u32 = 110;

/// The label and taint of servers. Spec: Kubernetes documentation, "Well-Known Labels, Annotations and Taints".
const CONTROL_PLANE: &str = "node-role.kubernetes.io/control-plane";

/// The agent of a machine.
pub(crate) fn agent_config(record: &MachineRecord) -> Result<AgentConfig> {
    let range = |text: &str| {
        text.parse::<Cidr>().with_context(|| format!("{text} is no range of addresses"))
    };
    let is_server = record.role == Role::Server && record.mesh_address.is_some();
    let taint = value!({ "key": CONTROL_PLANE, "effect": "NoSchedule" });
    Ok(AgentConfig {
        cluster: record.cluster.clone(),
        cluster_uid: record.uid.clone(),
        index: record.index,
        node: record.node.clone(),
        address: record.address,
        labels: is_server.then(|| (CONTROL_PLANE.to_owned(), String::new())).into_iter().collect(),
        taints: record.tainted.then_some(taint).into_iter().collect(),
        data: record.data_dir.join("node"),
        run: record.run_dir.join("node"),
        netns: record.netns.clone(),
        images: record.images.clone(),
        program: std::env::current_exe()?,
        runtime: match record.runtime.as_str() {
            "process" => RuntimeKind::Process,
            _ => RuntimeKind::Oci,
        },
        pod_range: range(&record.node_range)?,
        cluster_range: range(&record.pod_cidr)?,
        service_range: range(&record.service_cidr)?,
        table: record.table.clone(),
        dns: None,
        domain: "cluster.local".to_owned(),
        pods_max: PODS_MAX,
    })
}

/// The control plane of a machine, without its mesh.
pub(crate) fn server_config(record: &MachineRecord) -> Result<ServerConfig> {
    let member = record.member.context("the record of a server names no member of its store")?;
    Ok(ServerConfig {
        uid: record.uid.clone(),
        cluster: record.cluster.clone(),
        node: record.node.clone(),
        data_dir: record.data_dir.clone(),
        api_port: record.api_port,
        node_address: record.address,
        service_cidr: record.service_cidr.clone(),
        pod_cidr: record.pod_cidr.clone(),
        node_range: record.node_range.clone(),
        names: record.api_names.clone(),
        member: NodeId(member),
        first_voters: record.first_voters.iter().copied().map(NodeId).collect(),
        mesh: None,
    })
}

/// Where the API listens. A machine of its own listens everywhere; where one process is the whole cluster, others may
/// have the port on other addresses.
pub(crate) fn listeners(record: &MachineRecord) -> Result<Vec<TcpListener>> {
    let port = record.api_port;
    let addresses = match record.mesh_address {
        Some(_) => vec![Ipv4Addr::UNSPECIFIED],
        None => vec![Ipv4Addr::LOCALHOST, record.address],
    };
    let mut listeners = Vec::new();
    for address in addresses {
        let listener = bind_early(address, port)
            .with_context(|| format!("port {port} on {address}, which the API needs, is in use"))?;
        listener.set_nonblocking(true)?;
        // Connections inherit it. Without it an answer behind TLS's tickets waits 40 ms for the
        // client's acknowledgement of the tickets.
        setsockopt(&listener, sockopt::TcpNoDelay, &true)?;
        listeners.push(listener);
    }
    Ok(listeners)
}

/// Listens at an address that may come later: the bridge has its own once it is there (ip(7), `IP_FREEBIND`).
fn bind_early(address: Ipv4Addr, port: u16) -> Result<TcpListener> {
    let fd = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    setsockopt(&fd, sockopt::ReuseAddr, &true)?;
    setsockopt(&fd, sockopt::IpFreebind, &true)?;
    bind(fd.as_raw_fd(), &SockaddrIn::from(SocketAddrV4::new(address, port)))?;
    listen(&fd, Backlog::new(1_024)?)?;
    Ok(TcpListener::from(fd))
}

/// What a stopped machine left in the kernel goes.
pub(crate) fn tear_down(record: &MachineRecord) -> Result<(), String> {
    let config = agent_config(record).map_err(|error| format!("{error:#}"))?;
    nodes_agent::tear_down(&config).map_err(|error| format!("{:#}", anyhow::Error::from(error)))
}
