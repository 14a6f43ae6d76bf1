//! Removes everything that an agent made on this machine but its data: for `starling down`.
//!
//! Way in: [`tear_down`].  The agent must not run any more. Safe to repeat. Never: anything of
//! another node, also of the same cluster on the same machine.
//! Order: pods first, then their volumes, then the network, rules and cgroups.

use std::{fs, io};

use nodes_network::{NamespaceError, NetworkError, NftCommand, ProxyError, ServiceProxy, within};
use nodes_oci::{
    FileError,
    cgroup::{CgroupError, Hierarchies},
    paths::PodPaths,
    remove_tmpfs,
};
use nodes_shim::{LaunchError, RuntimeKind};

use crate::{AgentConfig, agent::open_network, volumes};

/// What could not be removed. `starling down` can be run again.
#[derive(Debug, thiserror::Error)]
pub enum TearDownError {
    /// A pod's processes or files.
    #[error("pod {uid}")]
    Pod {
        /// Its uid.
        uid: String,
        /// Why.
        #[source]
        source: LaunchError,
    },
    /// A pod's volumes.
    #[error("volumes of pod {uid}")]
    Volumes {
        /// Its uid.
        uid: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The node's network namespace cannot be entered.
    #[error("the network namespace of the node")]
    Namespace(#[source] NamespaceError),
    /// Interfaces.
    #[error("the pod network")]
    Network(#[source] NetworkError),
    /// Rules.
    #[error("the Services' rules")]
    Rules(#[source] ProxyError),
    /// Cgroups.
    #[error("the cgroup of the node")]
    Cgroup(#[source] CgroupError),
    /// The run directory.
    #[error("the run directory")]
    Run(#[source] FileError),
}

/// The time for killed processes to go away.
const KILL_TIMEOUT_MS: u16 = 10_000;

/// Kills all pods of the node, and removes their volumes, interfaces, rules and cgroups.
///
/// # Errors
/// The first thing that could not be removed.
pub fn tear_down(config: &AgentConfig) -> Result<(), TearDownError> {
    let paths = config.paths();
    for uid in names(&paths.pods_run()) {
        let pod = PodPaths::new(&paths.pod_run(&uid), &paths.pod_data(&uid));
        let ended = end(&pod);
        ended.map_err(|source| TearDownError::Pod { uid: uid.clone(), source })?;
    }
    for uid in names(&config.run.join("volumes")) {
        let removed = volumes::remove(&paths, &uid);
        removed.map_err(|source| TearDownError::Volumes { uid: uid.clone(), source })?;
    }
    if config.runtime == RuntimeKind::Process {
        return Ok(());
    }
    match &config.netns {
        // What was in a namespace went with it; of that name in this one is somebody else's.
        Some(netns) if !netns.exists() => {}
        Some(netns) => {
            within(netns, || remove_network(config)).map_err(TearDownError::Namespace)??;
        }
        None => remove_network(config)?,
    }
    let group = config.cgroup();
    let groups = Hierarchies::discover().map_err(TearDownError::Cgroup)?;
    if groups.exists(&group) {
        groups.kill(&group, KILL_TIMEOUT_MS).map_err(TearDownError::Cgroup)?;
        groups.remove(&group).map_err(TearDownError::Cgroup)?;
    }
    // The last machine of the cluster takes the cluster's own group along.
    let cluster = group.rsplit_once('/').map_or("", |(cluster, _)| cluster);
    groups.remove_if_empty(cluster).map_err(TearDownError::Cgroup)?;
    remove_tmpfs(&config.run).map_err(TearDownError::Run)
}

/// Interfaces, routes and rules of this node, in the namespace of this thread.
fn remove_network(config: &AgentConfig) -> Result<(), TearDownError> {
    open_network(config).and_then(|network| network.tear_down()).map_err(TearDownError::Network)?;
    ServiceProxy::new(config.proxy(), Box::new(NftCommand)).clear().map_err(TearDownError::Rules)
}

/// A shim that lives ends in order; one that is dead is buried.
fn end(pod: &PodPaths) -> Result<(), LaunchError> {
    if let Some(mut shim) = nodes_shim::find(pod)? {
        // What a shim that does not answer leaves is buried like a dead one's.
        if let Err(error) = shim.shutdown() {
            tracing::debug!(%error, "a shim did not end in order");
        }
    }
    nodes_shim::bury(pod).map(drop)
}

fn names(folder: &std::path::Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}
