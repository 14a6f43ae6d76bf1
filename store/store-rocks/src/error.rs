//! What RocksDB and the file system say, in the words of the ports.
//!
//! Way in: [`OpenError`], [`disk_error`].

use std::{io, path::PathBuf};

use actors_core::ports::DiskError;

use crate::ClusterUid;

/// Why a database does not open. A person must act.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder belongs to another cluster.
    #[error("{} belongs to cluster {found}, not to cluster {expected}", dir.display())]
    OtherCluster {
        /// The folder.
        dir: PathBuf,
        /// The cluster that wrote it.
        found: ClusterUid,
        /// The cluster that opens it.
        expected: ClusterUid,
    },
    /// Another process has it open.
    #[error("{} is in use by another process", dir.display())]
    InUse {
        /// The folder.
        dir: PathBuf,
    },
    /// The disk failed, or holds what was never written.
    #[error("cannot open {}", dir.display())]
    Disk {
        /// The folder.
        dir: PathBuf,
        /// What is wrong with it.
        source: DiskError,
    },
}

/// An error of RocksDB.
pub(crate) fn disk_error(error: &rocksdb::Error) -> DiskError {
    classify(error.as_ref())
}

/// RocksDB's C interface hands on a text only; its own kind stands first, the operating system's
/// words later.
pub(crate) fn classify(text: &str) -> DiskError {
    let is_full =
        ["No space left on device", "Disk quota exceeded", "Max allowed space was reached"];
    if is_full.iter().any(|words| text.contains(words)) {
        DiskError::Full(text.to_owned())
    } else if text.starts_with("Corruption") {
        DiskError::Damaged(text.to_owned())
    } else {
        DiskError::Other(text.to_owned())
    }
}

/// An error of the file system.
pub(crate) fn file_error(error: &io::Error) -> DiskError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            DiskError::Full(error.to_string())
        }
        _ => DiskError::Other(error.to_string()),
    }
}
