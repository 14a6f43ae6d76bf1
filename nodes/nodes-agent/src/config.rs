//! What an agent must be told: who the node is, where its files lie, which addresses are its own.
//!
//! Way in: [`AgentConfig`].

use std::{
    net::Ipv4Addr,
    path::{Path, PathBuf},
};

use actors_object::{Value, hash::fnv32a};
use nodes_network::{BridgeConfig, Cidr, ProxyConfig};
use nodes_pods::NodeFacts;
use nodes_shim::RuntimeKind;

/// One node's agent.
#[derive(Debug, Clone)]
pub struct AgentConfig {
    /// The cluster's name; in names of cgroups. Two clusters of one name on one machine (their data
    /// lie under different roots) must be given different ones here, and different folders below.
    pub cluster: String,
    /// The cluster's identity, the same on all of its machines: 32 hexadecimal digits. It names the
    /// tunnel between machines.
    pub cluster_uid: String,
    /// The cluster's number on this machine, 0 to 99: names of interfaces.
    pub index: u8,
    /// The node's name.
    pub node: String,
    /// The node's address, by which other nodes reach it.
    pub address: Ipv4Addr,
    /// Labels beside the usual ones.
    pub labels: Vec<(String, String)>,
    /// Taints that the node registers with.
    pub taints: Vec<Value>,
    /// The directory for what outlives a reboot: logs, writable layers, `emptyDir`s. No other node
    /// may have it.
    pub data: PathBuf,
    /// The directory for sockets, bundles, Secrets; a tmpfs, or made one. No other node may have it,
    /// nor a cluster of the same name whose data lie elsewhere.
    pub run: PathBuf,
    /// The network namespace that this node lives in, `/run/netns/NAME`; none if it is that of the
    /// machine. The agent runs in it already; only [`crate::tear_down`], which is called from
    /// outside, enters it.
    pub netns: Option<PathBuf>,
    /// The image store; machines of one host may share it.
    pub images: PathBuf,
    /// The binary that answers to `shim`.
    pub program: PathBuf,
    /// How containers are run.
    pub runtime: RuntimeKind,
    /// The addresses of this node's pods.
    pub pod_range: Cidr,
    /// The addresses of all pods of the cluster; `pod_range` is a part of it.
    pub cluster_range: Cidr,
    /// The addresses of Services.
    pub service_range: Cidr,
    /// The table of the Services' rules.
    pub table: String,
    /// The cluster's DNS server, if there is one.
    pub dns: Option<Ipv4Addr>,
    /// The cluster's DNS domain: `cluster.local`.
    pub domain: String,
    /// How many pods the node takes.
    pub pods_max: u32,
}

/// Where the agent's files lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    data: PathBuf,
    run: PathBuf,
}

impl AgentConfig {
    /// Where files lie.
    #[must_use]
    pub fn paths(&self) -> Paths {
        Paths { data: self.data.clone(), run: self.run.clone() }
    }

    /// The cgroup below which all of this node's are: pods, and in its child `system` what serves
    /// them. Killing what is in it is the death of the node.
    #[must_use]
    pub fn cgroup(&self) -> String {
        format!("/starling/{}/{}", self.cluster, self.node)
    }

    /// The cgroup of the pods' shims, and of the node's own processes if their starter puts them
    /// there.
    #[must_use]
    pub fn system_cgroup(&self) -> String {
        format!("{}/system", self.cgroup())
    }

    /// The pod network of this node.
    #[must_use]
    pub(crate) fn bridge(&self) -> BridgeConfig {
        BridgeConfig {
            index: self.index,
            node: self.node.clone(),
            address: self.address,
            pod_range: self.pod_range,
            cluster_range: self.cluster_range,
            service_range: self.service_range,
            vni: tunnel_number(&self.cluster_uid),
            address_file: self.paths().addresses(),
        }
    }

    /// The Services' rules of this node.
    #[must_use]
    pub(crate) fn proxy(&self) -> ProxyConfig {
        ProxyConfig {
            table: self.table.clone(),
            pod_range: self.pod_range,
            cluster_range: self.cluster_range,
            service_range: self.service_range,
            bridge: format!("sl-{}", self.index),
        }
    }

    /// What pods may know of the node.
    #[must_use]
    pub(crate) fn facts(&self, allocatable: Vec<(String, String)>) -> NodeFacts {
        NodeFacts { name: self.node.clone(), ips: vec![self.address.to_string()], allocatable }
    }
}

/// The number of a cluster's tunnel: 24 bits (RFC 7348), never 0.
fn tunnel_number(cluster: &str) -> u32 {
    fnv32a(cluster.as_bytes()) % 0x00ff_ffff + 1
}

impl Paths {
    /// All pods' run directories, one each, named by uid.
    #[must_use]
    pub fn pods_run(&self) -> PathBuf {
        self.run.join("pods")
    }

    /// One pod's shim: its socket and bundles.
    #[must_use]
    pub fn pod_run(&self, uid: &str) -> PathBuf {
        self.pods_run().join(uid)
    }

    /// All pods' data directories, one each, named by uid.
    #[must_use]
    pub fn pods_data(&self) -> PathBuf {
        self.data.join("pods")
    }

    /// One pod's containers on disk.
    #[must_use]
    pub fn pod_data(&self, uid: &str) -> PathBuf {
        self.pods_data().join(uid)
    }

    /// One pod's volumes in memory: Secrets, tokens, ConfigMaps, and the files that every container
    /// gets.
    #[must_use]
    pub fn volumes_run(&self, uid: &str) -> PathBuf {
        self.run.join("volumes").join(uid)
    }

    /// One pod's volumes on disk.
    #[must_use]
    pub fn volumes_data(&self, uid: &str) -> PathBuf {
        self.data.join("volumes").join(uid)
    }

    /// What every container of a pod gets: `hosts`, `resolv.conf`, `hostname`.
    #[must_use]
    pub fn etc(&self, uid: &str) -> PathBuf {
        self.volumes_run(uid).join(".etc")
    }

    /// Where a container writes its termination message.
    #[must_use]
    pub fn termination(&self, uid: &str, container: &str, attempt: u32) -> PathBuf {
        self.volumes_run(uid).join(".termination").join(format!("{container}-{attempt}"))
    }

    /// What the agent remembers of one life of a container.
    #[must_use]
    pub fn life(&self, uid: &str, id: &str) -> PathBuf {
        self.pod_data(uid).join("lives").join(format!("{id}.json"))
    }

    /// The logs of one pod.
    #[must_use]
    pub fn pod_logs(&self, namespace: &str, name: &str, uid: &str) -> PathBuf {
        self.data.join("logs").join(format!("{namespace}_{name}_{uid}"))
    }

    /// The pods that this node was told to run, one file each, named by uid.
    #[must_use]
    pub fn memories(&self) -> PathBuf {
        self.run.join("told")
    }

    /// The addresses of pods.
    #[must_use]
    pub fn addresses(&self) -> PathBuf {
        self.run.join("addresses")
    }

    /// The directory on tmpfs.
    #[must_use]
    pub fn run(&self) -> &Path {
        &self.run
    }

    /// The directory on disk.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.data
    }
}
