//! The agent as a whole: opened once, run as a supervisor's tree.
//!
//! Way in: [`Agent::open`], [`Agent::tree`], [`Agent::handle`].
//! Order: the network stands before the first pod; what writes starts before what asks for writes.

use std::{
    fs, io,
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use actors_core::{Backoff, ChildSpec, Intensity, MailboxPolicy, OnLimit};
use actors_runtime::{Child, ChildError, Clock, Service, SlabSpec, System, Tree};
use nodes_client::{Calls, SharedClient};
use nodes_door::Identity;
use nodes_network::{BridgeNetwork, HostNetwork, NetworkError, PodNetwork};
use nodes_oci::{
    ImageStore, Resources, StoreError, TmpfsError,
    cgroup::{CgroupError, Hierarchies},
    ensure_tmpfs,
};
use nodes_shim::RuntimeKind;
use tokio::sync::{Notify, watch as watched};

use crate::{
    AgentConfig, AgentHandle,
    events::{self, EventSender},
    neighbours, node,
    pods::{
        fences::{self, Fences},
        slab::PodSlab,
        watch,
    },
    services,
    shared::{Lists, Pods, Shared},
    streams::{self, Jobs},
    volumes,
    writes::{self, Writes},
};

/// A node's agent, ready to run.
#[derive(Clone)]
pub struct Agent {
    shared: Arc<Shared>,
    jobs: Jobs,
}

/// Why an agent cannot run on this machine. The user is told; each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// A directory.
    #[error("cannot make the directory {}", path.display())]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The directory for Secrets is not in memory.
    #[error("the run directory must be in memory")]
    Tmpfs(#[source] TmpfsError),
    /// The cgroup of the node.
    #[error("the cgroup of the node cannot be made")]
    Cgroup(#[source] CgroupError),
    /// The image store.
    #[error("the image store cannot be opened")]
    Images(#[source] StoreError),
    /// The pod network.
    #[error("the pod network cannot be set up")]
    Network(#[source] NetworkError),
}

impl Agent {
    /// Opens what the agent needs of this machine and brings the pod network up. Blocks for some
    /// milliseconds.
    ///
    /// # Errors
    /// What is missing on this machine.
    pub fn open(config: AgentConfig, client: SharedClient) -> Result<Self, AgentError> {
        let paths = config.paths();
        for path in [&config.data, &config.run] {
            make(path)?;
        }
        if config.runtime == RuntimeKind::Oci {
            ensure_tmpfs(&config.run).map_err(AgentError::Tmpfs)?;
            // Whoever killed all that was in it has forbidden forks.
            let any = Resources { pids_max: Some(-1), ..Resources::default() };
            let groups = Hierarchies::discover().map_err(AgentError::Cgroup)?;
            groups.create(&config.cgroup(), &any).map_err(AgentError::Cgroup)?;
        }
        for path in [paths.pods_run(), paths.pods_data()] {
            make(&path)?;
        }
        let images = ImageStore::open(&config.images).map_err(AgentError::Images)?;
        let network = open_network(&config).map_err(AgentError::Network)?;
        network.set_up().map_err(AgentError::Network)?;
        let capacity = node::readings::capacity(&config.data, config.pods_max);
        let name = format!("system:node:{}", config.node);
        let identity = Identity::new(name, &["system:nodes", "system:authenticated"]);
        let shared = Shared {
            calls: Calls::new(client, identity, "kubelet"),
            facts: config.facts(capacity.allocatable),
            paths,
            images,
            network,
            pods: Pods::default(),
            services: Mutex::default(),
            services_known: watched::Sender::new(false),
            endpoints: Mutex::default(),
            neighbours: Mutex::default(),
            slab: OnceLock::new(),
            slab_started: Notify::new(),
            lists: Lists::default(),
            fences: Fences::default(),
            released: Notify::new(),
            doubted: Notify::new(),
            writes: Writes::default(),
            events: EventSender::new(),
            ports_changed: Notify::new(),
            clock: Clock,
            config,
        };
        Ok(Self { shared: Arc::new(shared), jobs: Jobs::new() })
    }

    /// The way in for logs and exec.
    #[must_use]
    pub fn handle(&self) -> AgentHandle {
        AgentHandle::new(Arc::clone(&self.shared), self.jobs.clone())
    }

    /// The agent's supervisor with all its children, to be put into the process's tree under
    /// `name`.
    #[must_use]
    pub fn tree(&self, name: &str) -> Tree {
        let intensity = Intensity { restarts: 20, period: Duration::from_secs(60) };
        let jobs = self.jobs.clone();
        let mut tree = Tree::new(name, intensity, OnLimit::Escalate)
            .child(ChildSpec::permanent("writes"), self.service(writes::run))
            .child(ChildSpec::permanent("events"), self.service(events::run))
            .child(ChildSpec::permanent("pods"), self.slab())
            .child(ChildSpec::permanent("fences"), self.service(fences::run))
            .child(ChildSpec::permanent("watch"), self.service(watch::run))
            .child(ChildSpec::permanent("volumes"), self.service(volumes::refresh))
            .child(
                ChildSpec::permanent("streams"),
                Child::service(move |service| streams::run(jobs.clone(), service)),
            )
            .child(ChildSpec::permanent("registration"), self.service(node::run));
        if self.shared.config.runtime == RuntimeKind::Oci {
            tree = tree
                .child(ChildSpec::permanent("neighbours"), self.service(neighbours::run))
                .child(ChildSpec::permanent("services"), self.service(services::run));
        }
        tree
    }

    /// Starts the agent under the supervisor at `parent`.
    ///
    /// # Errors
    /// If there is no such supervisor, or it has a child of that name.
    pub async fn start(&self, system: &System, parent: &str, name: &str) -> Result<(), StartError> {
        let supervisor = system.supervisor(parent)?;
        supervisor.add(ChildSpec::permanent(name), Child::supervisor(self.tree(name))).await?;
        Ok(())
    }

    fn service<F, Fut>(&self, body: F) -> Child
    where
        F: Fn(Arc<Shared>, Service) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), actors_runtime::Failure>> + Send + 'static,
    {
        let shared = Arc::clone(&self.shared);
        Child::service(move |service| body(Arc::clone(&shared), service))
    }

    fn slab(&self) -> Child {
        let spec = SlabSpec {
            kind: "pod".to_owned(),
            mailbox: MailboxPolicy::refuse(1_024),
            keys_max: 4_096,
            intensity: Intensity { restarts: 10, period: Duration::from_secs(60) },
            backoff: Backoff::default(),
        };
        let shared = Arc::clone(&self.shared);
        Child::slab(spec, move |start| {
            let shared = Arc::clone(&shared);
            async move {
                shared.slab.get_or_init(|| start.system.slab(&*start.path));
                shared.slab_started.notify_one();
                Ok(PodSlab::new(shared))
            }
        })
    }
}

/// Why the agent was not put into the tree.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There is no such supervisor.
    #[error(transparent)]
    Parent(#[from] actors_runtime::OrderError),
    /// It does not take the child.
    #[error(transparent)]
    Child(#[from] ChildError),
}

/// The network of this node's pods.
pub(crate) fn open_network(config: &AgentConfig) -> Result<Arc<dyn PodNetwork>, NetworkError> {
    Ok(match config.runtime {
        RuntimeKind::Process => Arc::new(HostNetwork::new(config.address)),
        RuntimeKind::Oci => Arc::new(BridgeNetwork::open(config.bridge())?),
    })
}

fn make(path: &std::path::Path) -> Result<(), AgentError> {
    fs::create_dir_all(path)
        .map_err(|source| AgentError::Directory { path: path.to_owned(), source })
}

#[cfg(test)]
pub(crate) mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    /// A configuration for tests of parts, which keep their files in `folder`.
    pub(crate) fn config(folder: &std::path::Path, dns: Option<Ipv4Addr>) -> AgentConfig {
        AgentConfig {
            cluster: "demo".into(),
            cluster_uid: "0".repeat(32),
            index: 0,
            node: "n1".into(),
            address: Ipv4Addr::new(192, 0, 2, 1),
            labels: Vec::new(),
            taints: Vec::new(),
            data: folder.join("data"),
            run: folder.join("run"),
            netns: None,
            images: folder.join("images"),
            program: "/bin/false".into(),
            runtime: RuntimeKind::Process,
            pod_range: "10.42.0.0/24".parse().expect("a range"),
            cluster_range: "10.42.0.0/16".parse().expect("a range"),
            service_range: "10.96.0.0/16".parse().expect("a range"),
            table: "starling-demo".into(),
            dns,
            domain: "cluster.local".into(),
            pods_max: 110,
        }
    }
}
