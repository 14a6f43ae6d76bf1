//! The forwarder: one address on this host for the API of a cluster, whichever of its servers can answer now.
//!
//! Way in: [`run`].  Owns: the port of the kubeconfig, and the host's routes to Services and pods.
//! Never: a look into a connection; bytes go through as they come.
//! Time and order: while there are connections, each server is asked every 500 ms whether it is ready, and at once when it
//! closes its connection; it has 500 ms for its answer; what goes through a server that is not ready is cut, so that its
//! clients come again and are led to another. Without connections it is asked every two seconds, and the first one waits
//! for an answer that is newer than itself.

mod probe;

use std::{
    collections::BTreeSet,
    io,
    net::{Ipv4Addr, SocketAddr},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_rustls::TlsConnector;

use crate::{MachinePlan, Plan, group, network};

/// Most connections at once; further ones wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 4_096;

/// How long a new connection may wait for a server that is ready.
const WAIT_FOR_SERVER: Duration = Duration::from_secs(5);

/// How long a server may take to accept a connection.
const CONNECT_WITHIN: Duration = Duration::from_millis(500);

/// How often the routes are looked at while nothing changes.
const LOOK_AT_ROUTES: Duration = Duration::from_secs(1);

/// What the forwarder is told.
#[derive(Debug, Clone)]
pub struct ForwarderConfig {
    /// The authority of the servers' certificates, PEM.
    pub authority_pem: Vec<u8>,
    /// Each server's node and the address of its API.
    pub servers: Vec<(String, SocketAddr)>,
    /// The machines on this host, over which the routes lead.
    pub plan: Plan,
    /// The addresses of Services: sent to a machine that lives.
    pub services: (Ipv4Addr, u8),
    /// The addresses of a machine's pods, once it has joined: sent to that machine.
    pub pods: fn(&MachinePlan) -> Option<(Ipv4Addr, u8)>,
}

/// One server, as the forwarder sees it.
struct Server {
    node: String,
    address: SocketAddr,
    ready: watch::Sender<bool>,
    /// How often it was asked.
    asked: AtomicU64,
    connections: AtomicUsize,
}

type Servers = Arc<Vec<Server>>;

/// Runs at `listen` until the process is asked to end.
///
/// # Errors
/// If the port is taken, or the authority cannot be read.
pub fn run(listen: SocketAddr, config: ForwarderConfig) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async { serve(TcpListener::bind(listen).await?, config).await })
}

/// The same with a listener that is there; what it does ends with this future.
///
/// # Errors
/// If the authority cannot be read.
pub async fn serve(listener: TcpListener, config: ForwarderConfig) -> io::Result<()> {
    let connector = connector(&config.authority_pem)?;
    let servers: Servers = Arc::new(config.servers.iter().map(Server::of).collect());
    // What servers are changed; one of them was asked; there are connections.
    let (changed, said) = (watch::Sender::new(()), watch::Sender::new(()));
    let busy = watch::Sender::new(false);
    let mut tasks = JoinSet::new();
    for place in 0..servers.len() {
        let (servers, connector) = (Arc::clone(&servers), connector.clone());
        let (changed, said, busy) = (changed.clone(), said.clone(), busy.subscribe());
        tasks.spawn(async move {
            let Some(server) = servers.get(place) else { return };
            probe::keep(server.address, &connector, busy, |is_ready| {
                if server.ready.send_if_modified(|was| std::mem::replace(was, is_ready) != is_ready)
                {
                    tracing::info!(node = server.node, is_ready, "server");
                    changed.send_replace(());
                }
                server.asked.fetch_add(1, Ordering::Relaxed);
                said.send_replace(());
            })
            .await;
        });
    }
    let routes =
        Routes { config, servers: Arc::clone(&servers), used: None, reached: BTreeSet::new() };
    tasks.spawn(routes.keep(changed.subscribe()));
    let own = tasks.len();
    loop {
        let free = tasks.len() < CONNECTIONS_MAX + own;
        tokio::select! {
            accepted = listener.accept(), if free => match accepted {
                Ok((client, _)) => {
                    let was_busy = busy.send_replace(true);
                    // What was known of servers while nobody needed them may be old.
                    let known = |one: &Server| match was_busy {
                        true => 0,
                        false => one.asked.load(Ordering::Relaxed) + 1,
                    };
                    let needed = servers.iter().map(known).collect();
                    tasks.spawn(forward(client, (Arc::clone(&servers), needed), said.subscribe()));
                }
                // Out of descriptors: some connection ends, and then it goes on.
                Err(error) => tracing::warn!(%error, "cannot accept"),
            },
            Some(_ended) = tasks.join_next() => {
                if tasks.len() <= own {
                    busy.send_replace(false);
                }
            }
        }
    }
}

fn connector(authority_pem: &[u8]) -> io::Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_slice(authority_pem).map_err(io::Error::other)?;
    roots.add(authority).map_err(io::Error::other)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

impl Server {
    fn of((node, address): &(String, SocketAddr)) -> Self {
        let (ready, connections) = (watch::Sender::new(false), AtomicUsize::new(0));
        Self { node: node.clone(), address: *address, ready, asked: AtomicU64::new(0), connections }
    }
}

/// Leads one client to a server that is ready, until either ends or the server is not ready any more. `needed` says how
/// often each must have been asked.
async fn forward(
    mut client: TcpStream,
    (servers, needed): (Servers, Vec<u64>),
    mut said: watch::Receiver<()>,
) {
    let found = timeout(WAIT_FOR_SERVER, find(&servers, &needed, &mut said)).await;
    // Closing is the answer when there is no server: clients try again.
    let Ok(Some((server, mut upstream))) = found else { return };
    // Small answers must not wait for the acknowledgement of earlier ones; without it they are only slower.
    let _slower = client.set_nodelay(true).and_then(|()| upstream.set_nodelay(true));
    server.connections.fetch_add(1, Ordering::Relaxed);
    let mut ready = server.ready.subscribe();
    {
        let mut copied = pin!(copy_bidirectional(&mut client, &mut upstream));
        tokio::select! {
            // How a connection ended is between its two ends.
            _ended = &mut copied => {}
            _cut = ready.wait_for(|is_ready| !is_ready) => {}
        }
    }
    server.connections.fetch_sub(1, Ordering::Relaxed);
}

/// A connection to the ready server with the fewest; waits for one to be ready.
async fn find<'a>(
    servers: &'a [Server],
    needed: &[u64],
    said: &mut watch::Receiver<()>,
) -> Option<(&'a Server, TcpStream)> {
    loop {
        said.mark_unchanged();
        let is_good = |(one, needed): &(&Server, &u64)| {
            one.asked.load(Ordering::Relaxed) >= **needed && *one.ready.borrow()
        };
        let ready = servers.iter().zip(needed).filter(is_good);
        let mut ready: Vec<&Server> = ready.map(|(one, _)| one).collect();
        ready.sort_by_key(|server| server.connections.load(Ordering::Relaxed));
        for server in ready {
            if let Ok(Ok(upstream)) =
                timeout(CONNECT_WITHIN, TcpStream::connect(server.address)).await
            {
                return Some((server, upstream));
            }
        }
        said.changed().await.ok()?;
    }
}

/// The host's way to Services and pods.
struct Routes {
    config: ForwarderConfig,
    servers: Servers,
    used: Option<String>,
    /// The machines whose pods are reached.
    reached: BTreeSet<String>,
}

impl Routes {
    async fn keep(mut self, mut changed: watch::Receiver<()>) {
        let mut ticks = interval(LOOK_AT_ROUTES);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                seen = changed.changed() => if seen.is_err() { return },
                _ = ticks.tick() => {}
            }
            self.look();
            self.reach_pods();
        }
    }

    /// Leads to the pods of machines that have joined since the last look.
    fn reach_pods(&mut self) {
        for machine in &self.config.plan.machines {
            if self.reached.contains(&machine.node) {
                continue;
            }
            if let Some(range) = (self.config.pods)(machine) {
                self.route(machine, range);
                self.reached.insert(machine.node.clone());
            }
        }
    }

    /// Moves the Services' route when the machine that it leads over is not known to live any more.
    fn look(&mut self) {
        let ready =
            |node: &str| self.servers.iter().any(|one| one.node == node && *one.ready.borrow());
        if self.used.as_deref().is_some_and(ready) {
            return;
        }
        let machines = &self.config.plan.machines;
        // Without a server that is ready any machine that runs will do: Services work on without servers.
        let best = machines.iter().find(|one| ready(&one.node)).or_else(|| {
            let runs = |one: &&MachinePlan| group::state(&one.group) == group::State::Running;
            let still = machines.iter().find(|one| self.used.as_ref() == Some(&one.node));
            still.filter(runs).or_else(|| machines.iter().find(runs))
        });
        let Some(best) = best.filter(|best| self.used.as_ref() != Some(&best.node)).cloned() else {
            return;
        };
        self.route(&best, self.config.services);
        self.used = Some(best.node);
    }

    fn route(&self, machine: &MachinePlan, range: (Ipv4Addr, u8)) {
        if let Err(error) = network::route(&self.config.plan, machine, range) {
            tracing::warn!(error = %error, node = machine.node, "route");
        }
    }
}
