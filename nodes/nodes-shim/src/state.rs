//! What a shim leaves for those who come after it: `state.json` of the pod, `status.json` of each container.
//!
//! Way in: [`PodState::read`].  Written by the shim only, whole and by renaming, so a reader never sees a part.
//! They survive the shim, not a sudden loss of power: after that, no container runs either.

use std::{fs, io, path::Path};

use nodes_oci::paths::PodPaths;
use serde::{Deserialize, Serialize};

use crate::wire::{ContainerStatus, ShimInfo};

/// The pod as its shim last saw it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PodState {
    /// Who wrote this.
    pub shim: ShimInfo,
    /// All containers that were not deleted.
    pub containers: Vec<ContainerStatus>,
}

/// Why a state cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The file.
    #[error("cannot read {path}")]
    Read {
        /// Which file.
        path: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Its content.
    #[error("{path} is damaged")]
    Content {
        /// Which file.
        path: String,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
}

impl PodState {
    /// Reads what the pod's shim, dead or alive, has left; none if it never came so far.
    ///
    /// # Errors
    /// If the file is damaged.
    pub fn read(paths: &PodPaths) -> Result<Option<Self>, StateError> {
        read(&paths.state())
    }
}

/// How a container ended, from its data directory; works after the shim, and the pod's run directory, are gone.
///
/// # Errors
/// If the file is damaged.
pub fn container_status(paths: &PodPaths, id: &str) -> Result<Option<ContainerStatus>, StateError> {
    read(&paths.status(id))
}

pub(crate) fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>, StateError> {
    let shown = || path.display().to_string();
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|source| StateError::Content { path: shown(), source }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(StateError::Read { path: shown(), source }),
    }
}

/// Replaces a file by renaming.
pub(crate) fn write<T: Serialize>(path: &Path, value: &T) -> io::Result<()> {
    let partial = path.with_extension("partial");
    fs::write(&partial, serde_json::to_vec(value)?)?;
    fs::rename(partial, path)
}
