//! The process of one machine: control plane and agent, or agent alone, in one supervision tree.
//!
//! Way in: [`run`].  Order: keys and disks are looked at before anything runs; the agent starts when somebody answers
//! it; `READY` is said when this machine's node is ready.

use std::{sync::Arc, time::Duration};

use actors_core::{ChildSpec, Intensity, OnLimit, Rng};
use actors_runtime::{Child, Root, System, Tree, entropy};
use anyhow::{Context as _, Result, bail};
use nix::sys::signal::SigSet;
use nodes_agent::Agent;
use nodes_client::{Calls, SharedClient};
use nodes_door::{Identity, Options, Target, WatchEvent};
use nodes_machines::{MachineRecord, Role};
use nodes_mesh::{RemoteClient, hear_revocations, renewal, serve_actors, serve_streams};
use nodes_pki::NodeKeys;
use nodes_server::{Server, agent_events};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::interval,
};

use crate::{
    announce::Announcer,
    configs::{agent_config, listeners, server_config},
    linked::{Linked, SITE},
};

/// How often a machine asks for its own node while no server answers.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// Most threads of a server's runtime: half of the processors, for HTTP and disks have threads of their own.
const THREADS_MAX: usize = 4;

/// Threads of an agent's: what blocks has threads of its own, and a second one costs wake-ups while nothing happens.
const AGENT_THREADS: usize = 1;

/// The name of the whole tree.
const ROOT: &str = "starling";

pub(crate) fn run(record: &MachineRecord) -> Result<()> {
    // The guardian blocks signals to read them; what it starts inherits that.
    SigSet::all().thread_unblock()?;
    crate::log_to_stderr();
    let announcer = Announcer::new(&record.run_dir);
    let threads = match record.role {
        Role::Server => server_threads(),
        Role::Agent => AGENT_THREADS,
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()?;
    // Actors run on workers, not on the thread that waits for them.
    let served = runtime.block_on(async {
        match record.role {
            Role::Server => serve(record, &announcer).await,
            Role::Agent => serve_agent(record, &announcer).await,
        }
    });
    if let Err(error) = &served {
        announcer.failed(&format!("{error:#}"));
    }
    runtime.shutdown_timeout(Duration::from_secs(2));
    served
}

/// A thread that is woken wakes the next one, so more than are needed cost time while nothing happens.
fn server_threads() -> usize {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    (processors / 2).clamp(1, THREADS_MAX)
}

/// A server: control plane and agent.
async fn serve(record: &MachineRecord, announcer: &Announcer) -> Result<()> {
    let listeners = listeners(record)?;
    let (system, rng) = new_system()?;
    let mut config = server_config(record)?;
    let linked = match record.mesh_address {
        Some(listen) => {
            let keys = config.node_keys(SITE, &mut rng.derive("keys"))?;
            Some(Linked::open(record, listen, keys, &mut rng.derive("reset"))?)
        }
        None => None,
    };
    config.mesh = linked.as_ref().map(|linked| linked.for_server(record));
    let server = Server::open(config, &system, rng.derive("server"))?;
    announcer.step("keys and disks are good");
    let agent = Agent::open(agent_config(record)?, server.client())?;
    let streams = Arc::new(agent.handle());
    let mut tree = new_tree();
    if let Some(linked) = &linked {
        serve_streams(&linked.mesh, streams.clone());
        tree = linked.plant(tree, supervisor);
    }
    for (spec, child) in server.children(listeners, streams) {
        tree = tree.child(spec, child);
    }
    let mut life = Life { root: system.run(tree).await?, asked: signal(SignalKind::terminate())? };
    let mut serving = server.serving();
    if life.is_asked_before(serving.wait_for(|serves| *serves)).await? {
        return Ok(());
    }
    announcer.step("the API serves");
    // Not earlier: an agent that nobody answers pauses before it asks again.
    start_agent(&system, &agent).await?;
    if life.is_asked_before(node_ready(server.client(), &record.node)).await? {
        return Ok(());
    }
    announcer.step("the node is ready");
    announcer.ready();
    life.until_asked().await
}

/// An agent alone: it speaks to the servers over the mesh, and goes on without them.
async fn serve_agent(record: &MachineRecord, announcer: &Announcer) -> Result<()> {
    let listen =
        record.mesh_address.context("the record of an agent names no address of its mesh")?;
    let (system, rng) = new_system()?;
    let pki = record.data_dir.join("pki");
    let linked = Linked::open(record, listen, NodeKeys::open(&pki)?, &mut rng.derive("reset"))?;
    announcer.step("keys and disks are good");
    let client = RemoteClient::new(linked.mesh.clone(), linked.membership.view());
    let agent = Agent::open(agent_config(record)?, Arc::new(client.clone()))?;
    serve_streams(&linked.mesh, Arc::new(agent.handle()));
    serve_actors(&linked.mesh, system.clone());
    let mut tree = linked.plant(new_tree(), supervisor);
    let revoked = hear_revocations(&linked.mesh);
    let events = agent_events(Arc::new(client.clone()), &record.node);
    for (spec, child) in [client.child(), renewal(&linked.mesh, &client, pki), revoked, events] {
        tree = tree.child(spec, child);
    }
    let mut life = Life { root: system.run(tree).await?, asked: signal(SignalKind::terminate())? };
    start_agent(&system, &agent).await?;
    let shared: SharedClient = Arc::new(client);
    if life.is_asked_before(node_ready(shared, &record.node)).await? {
        return Ok(());
    }
    announcer.step("the node is ready");
    announcer.ready();
    life.until_asked().await
}

/// Resolves when the servers show the node of this name as Ready.
async fn node_ready(client: SharedClient, node: &str) -> Result<()> {
    let identity = Identity::new(format!("system:node:{node}"), &["system:nodes"]);
    let calls = Calls::new(client, identity, "starling-node");
    let target =
        Target { version: "v1".to_owned(), resource: "nodes".to_owned(), ..Target::default() };
    let only =
        Options { field_selector: Some(format!("metadata.name={node}")), ..Options::default() };
    let mut pauses = interval(ASK_AGAIN);
    loop {
        pauses.tick().await;
        // No server yet, or none that hears from the others: the node goes on, and this is asked again.
        let Ok(mut events) = calls.watch(target.clone(), only.clone()).await else { continue };
        while let Some(batch) = events.next().await {
            if batch.iter().any(is_ready) {
                return Ok(());
            }
        }
    }
}

/// Whether an event shows a node that is Ready.
fn is_ready(event: &WatchEvent) -> bool {
    let (WatchEvent::Added(entry) | WatchEvent::Modified(entry)) = event else { return false };
    let node = entry.object();
    let mut conditions = node.0.list_at(&["status", "conditions"]).iter();
    conditions.any(|condition| {
        condition.str_at(&["type"]) == Some("Ready")
            && condition.str_at(&["status"]) == Some("True")
    })
}

fn supervisor(name: &str) -> ChildSpec {
    ChildSpec::permanent(name).shutdown(Duration::from_secs(60))
}

fn new_system() -> Result<(System, Rng)> {
    let rng = entropy().context("no randomness")?;
    Ok((System::new(rng.derive("system")), rng))
}

fn new_tree() -> Tree {
    let intensity = Intensity { restarts: 10, period: Duration::from_secs(60) };
    Tree::new(ROOT, intensity, OnLimit::Escalate)
}

async fn start_agent(system: &System, agent: &Agent) -> Result<()> {
    let spec = ChildSpec::permanent("agent").shutdown(Duration::from_secs(10));
    system.supervisor(ROOT)?.add(spec, Child::supervisor(agent.tree("agent"))).await?;
    Ok(())
}

/// The running tree and the wish to end it.
struct Life {
    root: Root,
    asked: Signal,
}

impl Life {
    /// Waits for a milestone; true if this process was asked to stop before, and has stopped.
    async fn is_asked_before<T, E: std::fmt::Display>(
        &mut self,
        milestone: impl Future<Output = Result<T, E>>,
    ) -> Result<bool> {
        tokio::select! {
            reached = milestone => match reached {
                Ok(_) => Ok(false),
                Err(error) => bail!("{error}"),
            },
            reason = self.root.ended() => bail!("the tree ended: {reason:?}"),
            _ = self.asked.recv() => {
                self.root.shutdown().await;
                Ok(true)
            }
        }
    }

    async fn until_asked(mut self) -> Result<()> {
        tokio::select! {
            reason = self.root.ended() => bail!("the tree ended: {reason:?}"),
            _ = self.asked.recv() => {}
        }
        tracing::info!("asked to stop; pods run on");
        self.root.shutdown().await;
        Ok(())
    }
}
