//! The disks of a real server: two RocksDB folders.
//!
//! Way in: [`RocksDisks`].

use std::{
    fs::{self, File, OpenOptions},
    path::PathBuf,
    sync::Arc,
};

use actors_core::ports::{LogStore, StateStore};
use store_mvcc::GroupId;
use store_rocks::{ClusterUid, RocksLogs, RocksState};

use crate::{DiskFailure, Disks, StoreConfig};

/// `DIR/log` and `DIR/state`.
#[derive(Debug, Clone)]
pub struct RocksDisks {
    dir: PathBuf,
    cluster: ClusterUid,
    group: GroupId,
}

impl RocksDisks {
    /// The disks of the group of `config` in a folder of its own.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>, config: &StoreConfig) -> Self {
        Self { dir: dir.into(), cluster: ClusterUid(config.cluster), group: config.group }
    }
}

impl Disks for RocksDisks {
    fn open_log(&self) -> Result<Box<dyn LogStore>, DiskFailure> {
        let logs = RocksLogs::open(&self.dir.join("log"), self.cluster)?;
        Ok(Box::new(logs.group(self.group.0)?))
    }

    fn open_state(&self) -> Result<Arc<dyn StateStore>, DiskFailure> {
        Ok(Arc::new(RocksState::open(&self.dir.join("state"), self.cluster)?))
    }

    fn place(&self) -> String {
        self.dir.display().to_string()
    }

    fn spool(&self) -> Result<File, DiskFailure> {
        let path = self.dir.join("incoming");
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path);
        // Without a name, it is gone together with whoever has it open.
        fs::remove_file(&path)?;
        Ok(file?)
    }
}
