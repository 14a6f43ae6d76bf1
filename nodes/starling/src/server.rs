//! The server process: control plane and agent in one supervision tree.
//!
//! Way in: [`run`].  Order: keys and disks are looked at before anything runs; `READY` is said when the API serves and
//! this machine's node is ready.

use std::{
    net::{Ipv4Addr, SocketAddrV4, TcpListener},
    os::fd::AsRawFd as _,
    sync::Arc,
    time::Duration,
};

use actors_core::{ChildSpec, Intensity, OnLimit};
use actors_runtime::{Child, System, Tree, entropy};
use anyhow::{Context as _, Result, bail};
use nix::sys::{
    signal::SigSet,
    socket::{
        AddressFamily, Backlog, SockFlag, SockType, SockaddrIn, bind, listen, setsockopt, socket,
        sockopt,
    },
};
use nodes_agent::{Agent, AgentConfig};
use nodes_cli::ClusterRecord;
use nodes_network::Cidr;
use nodes_server::{NodeId, Server, ServerConfig};
use nodes_shim::RuntimeKind;
use tokio::signal::unix::{SignalKind, signal};

use crate::announce::Announcer;

/// Pods of one node (Kubernetes documentation, "Considerations for large clusters").
const PODS_MAX: u32 = 110;

/// Threads of the runtime: the control plane of one machine needs no more.
const THREADS: usize = 2;

pub(crate) fn run(record: &ClusterRecord) -> Result<()> {
    // The guardian blocks signals to read them; what it starts inherits that.
    SigSet::all().thread_unblock()?;
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::builder()
                .with_default_directive(tracing::Level::INFO.into())
                .with_env_var("STARLING_LOG")
                .from_env_lossy(),
        )
        .with_ansi(false)
        .with_writer(std::io::stderr)
        .init();
    let announcer = Announcer::new(&record.run_dir);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(THREADS).enable_all().build()?;
    // Benchmarks and actors alike run on workers, not on the thread that waits for them.
    let served = runtime.block_on(serve(record, &announcer));
    if let Err(error) = &served {
        announcer.failed(&format!("{error:#}"));
    }
    runtime.shutdown_timeout(Duration::from_secs(2));
    served
}

async fn serve(record: &ClusterRecord, announcer: &Announcer) -> Result<()> {
    let gateway = gateway_of(&record.pod_cidr)?;
    let listeners = vec![
        TcpListener::bind((Ipv4Addr::LOCALHOST, record.api_port)).with_context(|| {
            format!("port {} on 127.0.0.1, which the API needs, is in use", record.api_port)
        })?,
        bind_early(gateway, record.api_port).with_context(|| {
            format!("port {} on {gateway}, which the API needs, is in use", record.api_port)
        })?,
    ];
    for listener in &listeners {
        listener.set_nonblocking(true)?;
        // Connections inherit it. Without it an answer behind TLS's tickets waits 40 ms for the
        // client's acknowledgement of the tickets.
        setsockopt(listener, sockopt::TcpNoDelay, &true)?;
    }
    let rng = entropy().context("no randomness")?;
    let system = System::new(rng.derive("system"));
    let config = ServerConfig {
        uid: record.uid.clone(),
        cluster: record.name.clone(),
        node: record.node.clone(),
        data_dir: record.data_dir.clone(),
        api_port: record.api_port,
        node_address: gateway,
        service_cidr: record.service_cidr.clone(),
        pod_cidr: record.pod_cidr.clone(),
        node_range: record.pod_cidr.clone(),
        names: Vec::new(),
        member: NodeId(1),
        first_voters: vec![NodeId(1)],
        mesh: None,
    };
    let server = Server::open(config, &system, rng.derive("server"))?;
    announcer.step("keys and disks are good");
    let intensity = Intensity { restarts: 10, period: Duration::from_secs(60) };
    let mut tree = Tree::new("starling", intensity, OnLimit::Escalate);
    let agent = Agent::open(agent_config(record)?, server.client())?;
    for (spec, child) in server.children(listeners, Arc::new(agent.handle())) {
        tree = tree.child(spec, child);
    }
    let root = system.run(tree).await?;
    let mut serving = server.serving();
    let mut asked = signal(SignalKind::terminate())?;
    tokio::select! {
        served = serving.wait_for(|serves| *serves) => drop(served?),
        reason = root.ended() => bail!("the tree ended: {reason:?}"),
        _ = asked.recv() => {
            root.shutdown().await;
            return Ok(());
        }
    }
    announcer.step("the API serves");
    // Not earlier: an agent that nobody answers pauses before it asks again.
    let agent_spec = ChildSpec::permanent("agent").shutdown(Duration::from_secs(10));
    system.supervisor("starling")?.add(agent_spec, Child::supervisor(agent.tree("agent"))).await?;
    tokio::select! {
        ready = server.node_ready(&record.node) => ready.map_err(|error| anyhow::anyhow!("{error}"))?,
        reason = root.ended() => bail!("the tree ended: {reason:?}"),
        _ = asked.recv() => {
            root.shutdown().await;
            return Ok(());
        }
    }
    announcer.step("the node is ready");
    announcer.ready();
    tokio::select! {
        reason = root.ended() => bail!("the tree ended: {reason:?}"),
        _ = asked.recv() => {}
    }
    tracing::info!("asked to stop; pods run on");
    root.shutdown().await;
    Ok(())
}

/// The node's address on its pods' bridge: the first of the range.
fn gateway_of(pod_cidr: &str) -> Result<Ipv4Addr> {
    let network = pod_cidr.split('/').next().unwrap_or_default();
    let network: Ipv4Addr =
        network.parse().with_context(|| format!("{pod_cidr} is no range of addresses"))?;
    Ok(Ipv4Addr::from(u32::from(network) + 1))
}

/// Listens at an address that the bridge will have once it is there (ip(7), `IP_FREEBIND`).
fn bind_early(address: Ipv4Addr, port: u16) -> Result<TcpListener> {
    let fd = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    setsockopt(&fd, sockopt::ReuseAddr, &true)?;
    setsockopt(&fd, sockopt::IpFreebind, &true)?;
    bind(fd.as_raw_fd(), &SockaddrIn::from(SocketAddrV4::new(address, port)))?;
    listen(&fd, Backlog::new(1_024)?)?;
    Ok(TcpListener::from(fd))
}

/// The agent of this machine, by the cluster's record.
fn agent_config(record: &ClusterRecord) -> Result<AgentConfig> {
    let range = |text: &str| {
        text.parse::<Cidr>().with_context(|| format!("{text} is no range of addresses"))
    };
    Ok(AgentConfig {
        cluster: record.name.clone(),
        cluster_uid: record.uid.clone(),
        index: record.index,
        node: record.node.clone(),
        address: gateway_of(&record.pod_cidr)?,
        labels: Vec::new(),
        taints: Vec::new(),
        data: record.data_dir.join("node"),
        run: record.run_dir.join("node"),
        netns: None,
        images: record.data_dir.join("images"),
        program: std::env::current_exe()?,
        runtime: match record.runtime.as_str() {
            "process" => RuntimeKind::Process,
            _ => RuntimeKind::Oci,
        },
        pod_range: range(&record.pod_cidr)?,
        cluster_range: range(&record.pod_cidr)?,
        service_range: range(&record.service_cidr)?,
        table: record.table.clone(),
        dns: None,
        domain: "cluster.local".to_owned(),
        pods_max: PODS_MAX,
    })
}

/// What a stopped cluster left in the kernel goes.
pub(crate) fn tear_down(record: &ClusterRecord) -> Result<(), String> {
    let config = agent_config(record).map_err(|error| format!("{error:#}"))?;
    nodes_agent::tear_down(&config).map_err(|error| format!("{:#}", anyhow::Error::from(error)))
}
