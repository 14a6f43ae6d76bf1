//! The server process: control plane and agent in one supervision tree.
//!
//! Way in: [`run`].  Order: keys and disks are looked at before anything runs; `READY` is said when the API serves and
//! this machine's node is ready.

use std::{
    net::{Ipv4Addr, SocketAddrV4, TcpListener},
    os::fd::AsRawFd as _,
    time::Duration,
};

use actors_core::{ChildSpec, Intensity, OnLimit};
use actors_runtime::{Child, System, Tree, entropy};
use anyhow::{Context as _, Result, bail};
use nix::sys::{
    signal::SigSet,
    socket::{AddressFamily, Backlog, SockFlag, SockType, SockaddrIn, bind, listen, setsockopt, socket, sockopt},
};
use nodes_cli::ClusterRecord;
use nodes_server::{Server, ServerConfig};
use tokio::signal::unix::{SignalKind, signal};

use crate::announce::Announcer;

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
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(THREADS).enable_all().build()?;
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
        TcpListener::bind((Ipv4Addr::LOCALHOST, record.api_port))
            .with_context(|| format!("port {} on 127.0.0.1, which the API needs, is in use", record.api_port))?,
        bind_early(gateway, record.api_port)
            .with_context(|| format!("port {} on {gateway}, which the API needs, is in use", record.api_port))?,
    ];
    for listener in &listeners {
        listener.set_nonblocking(true)?;
    }
    let rng = entropy().context("no randomness")?;
    let system = System::new(rng.derive("system"));
    let config = ServerConfig {
        uid: record.uid.clone(),
        node: record.node.clone(),
        data_dir: record.data_dir.clone(),
        api_port: record.api_port,
        node_address: gateway,
        service_cidr: record.service_cidr.clone(),
    };
    let server = Server::open(config, &system, rng.derive("server"))?;
    announcer.step("keys and disks are good");
    let intensity = Intensity { restarts: 10, period: Duration::from_secs(60) };
    let mut tree = Tree::new("starling", intensity, OnLimit::Escalate);
    for (spec, child) in server.children(listeners, std::sync::Arc::new(No)) {
        tree = tree.child(spec, child);
    }
    let root = system.run(tree).await?;
    let mut serving = server.serving();
    let mut asked = signal(SignalKind::terminate())?;
    tokio::select! {
        served = serving.wait_for(|serves| *serves) => drop(served?),
        reason = root.ended() => bail!("the tree ended: {reason:?}"),
        _ = asked.recv() => return Ok(drop(root.shutdown().await)),
    }
    announcer.step("the API serves");
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
    let network: Ipv4Addr = network.parse().with_context(|| format!("{pod_cidr} is no range of addresses"))?;
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

/// What a stopped cluster left in the kernel goes.
pub(crate) fn tear_down(record: &ClusterRecord) -> Result<(), String> {
    Ok(())
}

struct No;
impl nodes_client::NodeStreams for No {
    fn logs(&self, _: nodes_client::LogRequest) -> nodes_client::Later<'_, Result<nodes_client::LogStream, actors_object::ApiError>> { Box::pin(async { Err(actors_object::ApiError::internal("no")) }) }
    fn exec(&self, _: nodes_client::ExecRequest) -> nodes_client::Later<'_, Result<nodes_client::ExecStream, actors_object::ApiError>> { Box::pin(async { Err(actors_object::ApiError::internal("no")) }) }
}
