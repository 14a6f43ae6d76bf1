//! What a pod is to its shim: where its files lie, and what its containers share.

use std::path::PathBuf;

use nodes_oci::{Resources, paths::PodPaths};
use serde::{Deserialize, Serialize};

/// How containers are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RuntimeKind {
    /// Namespaces, cgroups and images, by libcontainer; needs root.
    #[default]
    Oci,
    /// Programs of this machine, in no isolation at all; for machines without root.
    Process,
}

/// A pod, as the agent asks for it; written to `pod.json` before the shim starts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PodSpec {
    /// The pod's uid.
    pub uid: String,
    /// `namespace/name`, for people who read logs.
    pub name: String,
    /// How its containers are run.
    pub runtime: RuntimeKind,
    /// Directory on tmpfs for this pod alone; at most 90 bytes long, for a socket lies in it.
    pub run: PathBuf,
    /// Directory on disk for this pod alone.
    pub data: PathBuf,
    /// The pod's cgroup below each hierarchy's root, such as `/starling/demo/burstable/pod<uid>`.
    pub cgroup: String,
    /// The cgroup that the shim itself moves to, out of its starter's; empty to stay.
    pub shim_cgroup: String,
    /// Host name inside the pod; empty for the machine's.
    pub hostname: String,
    /// Kernel parameters of the pod's own namespaces, such as `net.ipv4.ip_unprivileged_port_start`.
    pub sysctls: Vec<(String, String)>,
    /// The machine's network instead of one of its own.
    pub host_network: bool,
    /// The machine's processes are visible.
    pub host_pid: bool,
    /// The machine's IPC objects are visible.
    pub host_ipc: bool,
    /// All containers see each other's processes.
    pub share_processes: bool,
    /// Limits of the pod as a whole.
    pub resources: Resources,
}

impl PodSpec {
    /// Where the pod's files lie.
    #[must_use]
    pub fn paths(&self) -> PodPaths {
        PodPaths::new(&self.run, &self.data)
    }

    /// The leaf cgroup of the pause process: with version 2, a group with children holds no processes.
    pub(crate) fn pause_cgroup(&self) -> String {
        format!("{}/pause", self.cgroup)
    }
}
