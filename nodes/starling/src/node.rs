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
use nodes_machines::{MachineRecord, Role};
use nodes_server::Server;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{
    announce::Announcer,
    configs::{agent_config, listeners, server_config},
};

/// Threads of the runtime: one machine needs no more.
const THREADS: usize = 2;

/// The name of the whole tree.
const ROOT: &str = "starling";

pub(crate) fn run(record: &MachineRecord) -> Result<()> {
    // The guardian blocks signals to read them; what it starts inherits that.
    SigSet::all().thread_unblock()?;
    crate::log_to_stderr();
    let announcer = Announcer::new(&record.run_dir);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(THREADS).enable_all().build()?;
    // Actors run on workers, not on the thread that waits for them.
    let served = runtime.block_on(async {
        match record.role {
            Role::Server => serve(record, &announcer).await,
            Role::Agent => bail!("an agent alone needs a mesh"),
        }
    });
    if let Err(error) = &served {
        announcer.failed(&format!("{error:#}"));
    }
    runtime.shutdown_timeout(Duration::from_secs(2));
    served
}

async fn serve(record: &MachineRecord, announcer: &Announcer) -> Result<()> {
    let listeners = listeners(record)?;
    let (system, rng) = new_system()?;
    let server = Server::open(server_config(record)?, &system, rng.derive("server"))?;
    announcer.step("keys and disks are good");
    let agent = Agent::open(agent_config(record)?, server.client())?;
    let mut tree = new_tree();
    for (spec, child) in server.children(listeners, Arc::new(agent.handle())) {
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
    if life.is_asked_before(server.node_ready(&record.node)).await? {
        return Ok(());
    }
    announcer.step("the node is ready");
    announcer.ready();
    life.until_asked().await
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
