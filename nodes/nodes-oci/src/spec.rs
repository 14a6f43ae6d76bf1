//! What a container is to be: plain data, sent to a pod's shim and kept beside the container.
//!
//! Way in: [`ContainerSpec`].  Never: an API object. The agent has resolved images, volumes and environment before;
//! what depends on the root file system (user names, sub-paths) is resolved when the container is created.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// One container, ready to be created.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ContainerSpec {
    /// Unique on this machine: letters, digits, `_`, `.`, `-`; at most 128.
    pub id: String,
    /// Unpacked layers, lowest first; at least one (`Image::layers`).
    pub layers: Vec<PathBuf>,
    /// The command line; at least one element (`ImageConfig::command_line`).
    pub args: Vec<String>,
    /// `NAME=value` each, image's and pod's merged. A default PATH is added if there is none.
    pub env: Vec<String>,
    /// Directory to start in; empty for `/`.
    pub cwd: String,
    /// Whom to run as.
    pub user: UserSpec,
    /// Volumes, and files such as /etc/hosts, in the order in which they are mounted.
    pub mounts: Vec<MountSpec>,
    /// Changes to the default set of capabilities.
    pub capabilities: Capabilities,
    /// All capabilities and devices, nothing masked.
    pub privileged: bool,
    /// The root file system cannot be written.
    pub read_only_root: bool,
    /// No program can give more rights than its caller has.
    pub no_new_privileges: bool,
    /// What of /proc is hidden.
    pub proc_mount: ProcMount,
    /// Limits, written to the container's own cgroup.
    pub resources: Resources,
    /// From -1000 (never killed for lack of memory) to 1000 (first).
    pub oom_score_adj: i32,
    /// The process gets a terminal; its output is then one stream.
    pub terminal: bool,
    /// Its standard input is kept open for those who attach; otherwise it is empty.
    pub stdin: bool,
    /// Standard input ends when the first who attached has gone.
    pub stdin_once: bool,
    /// Where its output goes, in CRI log format; nowhere if absent.
    pub log_path: Option<PathBuf>,
    /// The id of a running container of the same pod whose processes it sees, instead of a view of its own.
    ///
    /// Last, for a shim that is older than this field reads what stands before it.
    pub processes_of: Option<String>,
}

/// Whom a process runs as.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UserSpec {
    /// The image's `User`: `name`, `uid`, `name:group` or `uid:gid`; empty for root.
    pub image_user: String,
    /// `runAsUser`: instead of the image's user.
    pub run_as_user: Option<u32>,
    /// `runAsGroup`: instead of the user's primary group.
    pub run_as_group: Option<u32>,
    /// `supplementalGroups` and `fsGroup`, added to those that the image's /etc/group gives.
    pub supplemental_groups: Vec<u32>,
    /// `runAsNonRoot`: creation fails if the user is 0.
    pub must_be_non_root: bool,
}

/// A file or directory of this machine, seen in the container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MountSpec {
    /// The file or directory, which must exist.
    pub source: PathBuf,
    /// `subPath`: a path inside `source`, which links cannot leave; made as a directory if absent.
    pub sub_path: Option<String>,
    /// Absolute path in the container.
    pub destination: String,
    /// It cannot be written through this mount.
    pub read_only: bool,
    /// `HostToContainer`: later mounts below `source` show up. `Bidirectional` is not offered.
    pub follow_host: bool,
}

/// Changes to the default capabilities; names with or without `CAP_`, or `ALL`. Drops first, then adds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Capabilities {
    /// Given beyond the default.
    pub add: Vec<String>,
    /// Taken away from the default.
    pub drop: Vec<String>,
}

/// Which view of /proc a container has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProcMount {
    /// Sensitive paths are masked or read-only.
    #[default]
    Default,
    /// The kernel's own view.
    Unmasked,
}

/// Limits of a cgroup; what is absent is not limited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Resources {
    /// Weight against neighbours, 2 to 262144; 1024 is one core's request.
    pub cpu_shares: Option<u64>,
    /// CPU time in microseconds per period.
    pub cpu_quota_us: Option<i64>,
    /// Length of the period; 100,000 if absent.
    pub cpu_period_us: Option<u64>,
    /// Bytes of memory, page cache included.
    pub memory_limit_bytes: Option<i64>,
    /// Processes and threads.
    pub pids_max: Option<i64>,
}

/// A process to run beside a container's own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExecSpec {
    /// The running container.
    pub container: String,
    /// The command line; at least one element.
    pub args: Vec<String>,
    /// Added to the container's environment.
    pub env: Vec<String>,
    /// With a terminal: output is one stream, and the window has a size.
    pub terminal: bool,
    /// Its standard input is fed by the caller; otherwise it is empty.
    pub stdin: bool,
    /// Killed after so many nanoseconds; never if absent.
    pub timeout_ns: Option<u64>,
}

/// What a pod's containers share.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sandbox {
    /// The process that holds the pod's namespaces.
    pub pause_pid: i32,
    /// The pod's cgroup, below each hierarchy's root: `/starling/demo/burstable/pod<uid>`.
    pub cgroup: String,
    /// One pid namespace for all containers of the pod.
    pub share_processes: bool,
    /// The machine's network namespace and host name.
    pub host_network: bool,
    /// The machine's pid namespace.
    pub host_pid: bool,
    /// The machine's IPC namespace.
    pub host_ipc: bool,
}

/// Why a specification cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SpecError {
    /// The id would not be a safe file name.
    #[error("container id {0:?} must be 1 to 128 letters, digits, and . _ -")]
    Id(String),
    /// There is nothing to run.
    #[error("container {0} has no command: neither the pod nor the image gives one")]
    NoCommand(String),
    /// There is no root file system.
    #[error("container {0} has no image layers")]
    NoLayers(String),
    /// A mount's destination is not absolute, or leaves the root.
    #[error("mount destination {0:?} must be an absolute path without ..")]
    Destination(String),
}

impl ContainerSpec {
    /// Checks what can be checked without looking at files.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn validate(&self) -> Result<(), SpecError> {
        if !is_id(&self.id) {
            return Err(SpecError::Id(self.id.chars().take(140).collect()));
        }
        if self.args.first().is_none_or(String::is_empty) {
            return Err(SpecError::NoCommand(self.id.clone()));
        }
        for mount in &self.mounts {
            let path = Path::new(&mount.destination);
            let leaves = path.components().any(|part| part == std::path::Component::ParentDir);
            if !path.is_absolute() || leaves {
                return Err(SpecError::Destination(mount.destination.clone()));
            }
        }
        Ok(())
    }
}

/// Whether a text is safe as a file name, a cgroup name and a libcontainer id.
#[must_use]
pub(crate) fn is_id(id: &str) -> bool {
    let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    (1..=128).contains(&id.len()) && id.bytes().all(is_safe) && !id.starts_with('.')
}
