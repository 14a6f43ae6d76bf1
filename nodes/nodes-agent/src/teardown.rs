//! Removes everything that an agent made on this machine but its data: for `starling down`.
//!
//! Way in: [`tear_down`].  The agent must not run any more. Safe to repeat.
//! Order: pods first, then their volumes, then the network, rules and cgroups.

use std::{fs, io};

use nodes_network::{NetworkError, NftCommand, ProxyConfig, ProxyError, ServiceProxy};
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
    /// Interfaces.
    #[error("the pod network")]
    Network(#[source] NetworkError),
    /// Rules.
    #[error("the Services' rules")]
    Rules(#[source] ProxyError),
    /// Cgroups.
    #[error("the cgroup of the cluster")]
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
    open_network(config).and_then(|network| network.tear_down()).map_err(TearDownError::Network)?;
    let proxy = ProxyConfig {
        table: config.table.clone(),
        pod_range: config.pod_range,
        service_range: config.service_range,
        bridge: format!("sl-{}", config.index),
    };
    ServiceProxy::new(proxy, Box::new(NftCommand)).clear().map_err(TearDownError::Rules)?;
    let group = config.cgroup();
    let groups = Hierarchies::discover().map_err(TearDownError::Cgroup)?;
    if groups.exists(&group) {
        groups.kill(&group, KILL_TIMEOUT_MS).map_err(TearDownError::Cgroup)?;
        groups.remove(&group).map_err(TearDownError::Cgroup)?;
    }
    remove_tmpfs(&config.run).map_err(TearDownError::Run)
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
