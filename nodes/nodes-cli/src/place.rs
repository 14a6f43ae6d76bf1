//! Where things lie on this machine: data that outlive a reboot, and what a reboot may forget.
//!
//! Way in: [`Place::of_this_user`].  Never: a decision about a cluster; only paths.

use std::path::{Path, PathBuf};

/// The two roots under which all clusters of one user lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Data: `/var/lib/starling`, or the user's own folder without root.
    pub data: PathBuf,
    /// Sockets, pids, bundles: `/run/starling`, or the user's own folder without root.
    pub run: PathBuf,
    /// Whether the caller is root: real containers need it.
    pub is_root: bool,
}

/// What of the environment decides the paths; read once by the binary.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// `HOME`.
    pub home: Option<PathBuf>,
    /// `XDG_DATA_HOME`.
    pub data_home: Option<PathBuf>,
    /// `XDG_RUNTIME_DIR`.
    pub runtime_dir: Option<PathBuf>,
    /// `KUBECONFIG`.
    pub kubeconfig: Option<PathBuf>,
    /// `STARLING_DATA_DIR`: replaces the data root.
    pub data_dir: Option<PathBuf>,
}

impl Place {
    /// The roots for the user with this id.
    #[must_use]
    pub fn of_this_user(environment: &Environment, uid: u32) -> Self {
        let is_root = uid == 0;
        let home = environment.home.clone().unwrap_or_else(|| PathBuf::from("/"));
        let own_data = environment.data_home.clone().unwrap_or_else(|| home.join(".local/share"));
        // Sockets have short paths (unix(7): 108 bytes), homes may be long.
        let short = || PathBuf::from(format!("/tmp/starling-{uid}"));
        let own_run = environment.runtime_dir.as_ref().map(|folder| folder.join("starling"));
        let (data, run) = match is_root {
            true => (PathBuf::from("/var/lib/starling"), PathBuf::from("/run/starling")),
            false => (own_data.join("starling"), own_run.unwrap_or_else(short)),
        };
        Self { data: environment.data_dir.clone().unwrap_or(data), run, is_root }
    }

    /// The data of one cluster.
    #[must_use]
    pub fn cluster_data(&self, name: &str) -> PathBuf {
        self.data.join(name)
    }

    /// Sockets and pids of one cluster.
    #[must_use]
    pub fn cluster_run(&self, name: &str) -> PathBuf {
        self.run.join(name)
    }
}

impl Environment {
    /// The kubeconfig file that `up` writes to: the first of `KUBECONFIG`, else `~/.kube/config`.
    #[must_use]
    pub fn kubeconfig_path(&self) -> PathBuf {
        let listed = self
            .kubeconfig
            .as_deref()
            .and_then(Path::to_str)
            .and_then(|list| list.split(':').next());
        match listed.filter(|path| !path.is_empty()) {
            Some(path) => PathBuf::from(path),
            None => self.home.clone().unwrap_or_else(|| PathBuf::from("/")).join(".kube/config"),
        }
    }
}
