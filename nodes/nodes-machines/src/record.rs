//! What one machine's process must know before it can speak to anybody: written when the machine is made or joins.
//!
//! Way in: [`MachineRecord::read`].  Owns: `machine.json` in the machine's data folder.

use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::Role;

/// One machine of a cluster, as its own process sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineRecord {
    /// The cluster's name.
    pub cluster: String,
    /// The cluster's identity: 32 hexadecimal digits.
    pub uid: String,
    /// The cluster's number on this host.
    pub index: u8,
    /// The machine's node.
    pub node: String,
    /// What it runs.
    pub role: Role,
    /// Its address, which the others and its pods use.
    pub address: Ipv4Addr,
    /// Where the API listens, on every address of the machine.
    pub api_port: u16,
    /// Further names and addresses of the API, for its certificate.
    #[serde(default)]
    pub api_names: Vec<String>,
    /// Where the mesh listens; none where one process is the whole cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mesh_address: Option<SocketAddr>,
    /// The addresses of all pods of the cluster.
    pub pod_cidr: String,
    /// The addresses of this machine's pods.
    pub node_range: String,
    /// The addresses of Services.
    pub service_cidr: String,
    /// The table of the Services' rules.
    pub table: String,
    /// `oci` or `process`.
    pub runtime: String,
    /// Its number in the store's group; servers have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<u64>,
    /// The members with which the store's group began; empty for a server that joined.
    #[serde(default)]
    pub first_voters: Vec<u64>,
    /// Machines that were there when it came.
    #[serde(default)]
    pub seeds: Vec<Seed>,
    /// Whether pods that do not ask for it stay away.
    #[serde(default)]
    pub tainted: bool,
    /// Data: keys, store, pods' layers, logs.
    pub data_dir: PathBuf,
    /// Sockets and pids.
    pub run_dir: PathBuf,
    /// The image store; machines of one host share one.
    pub images: PathBuf,
    /// The network namespace in which it runs, if it is not this computer's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub netns: Option<PathBuf>,
    /// The control group of its own processes; none without root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

/// Another machine, as a joining one is told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seed {
    /// Its node.
    pub node: String,
    /// What it runs.
    pub role: Role,
    /// Where its mesh listens.
    pub mesh_address: SocketAddr,
    /// Its number in the store's group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<u64>,
}

/// Why a record cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The operating system refused.
    #[error("cannot read or write {}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is not what was written.
    #[error("{} is damaged", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
}

impl MachineRecord {
    /// Reads a record.
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn read(path: &Path) -> Result<Self, RecordError> {
        let file = |source| RecordError::File { path: path.to_owned(), source };
        let text = fs::read(path).map_err(file)?;
        serde_json::from_slice(&text)
            .map_err(|source| RecordError::Damaged { path: path.to_owned(), source })
    }

    /// Writes the whole record or nothing, synced: a machine without it has not joined.
    ///
    /// # Errors
    /// [`RecordError::File`].
    pub fn write(&self, path: &Path) -> Result<(), RecordError> {
        let file = |source| RecordError::File { path: path.to_owned(), source };
        let text = serde_json::to_vec_pretty(self).map_err(|error| file(error.into()))?;
        let beside = path.with_extension("new");
        let write = || {
            fs::create_dir_all(path.parent().unwrap_or(path))?;
            let mut new = fs::File::create(&beside)?;
            io::Write::write_all(&mut new, &text)?;
            new.sync_all()?;
            fs::rename(&beside, path)
        };
        write().map_err(file)
    }
}
