//! The state database: batches are atomic, and durable when they were flushed.
//!
//! Way in: [`RocksState::open`].
//! Invariant: everything is in one column family, so that a crash leaves the state after some
//! batch, whole.

use std::{fs, path::Path};

use actors_core::ports::{DiskError, KeyRange, Pair, StateStore, Write};
use rocksdb::{DB, ReadOptions, WriteBatch, WriteOptions, checkpoint::Checkpoint};

use crate::{
    ClusterUid, OpenError,
    directory::Directory,
    error::{disk_error, file_error},
    tuning,
};

/// Bytes after which a page of a scan ends, however few pairs it has.
const SCAN_BYTES: usize = 256 * 1024;

/// The state of a node, without a log of its own: what a crash takes, the Raft log brings back.
pub struct RocksState {
    db: DB,
    cluster: ClusterUid,
}

impl RocksState {
    /// Opens the state database in `dir`, or creates it.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(dir: &Path, cluster: ClusterUid) -> Result<Self, OpenError> {
        let directory = Directory::claim(dir, cluster)?;
        let opened = DB::open(&tuning::state_options(), directory.database());
        Ok(Self { db: opened.map_err(|error| directory.refused(&error))?, cluster })
    }

    /// Writes the present state into `dir`, where [`RocksState::open`] finds it. Files are linked,
    /// not copied, if `dir` is on the same device.
    ///
    /// # Errors
    /// The disk's; `dir` must not hold a database yet.
    pub fn checkpoint(&self, dir: &Path) -> Result<(), DiskError> {
        let failed = |error: OpenError| match error {
            OpenError::Disk { source, .. } => source,
            error => DiskError::Other(error.to_string()),
        };
        let directory = Directory::claim(dir, self.cluster).map_err(failed)?;
        if directory.database().exists() {
            return Err(DiskError::Other(format!("{} holds a database already", dir.display())));
        }
        let checkpoint = Checkpoint::new(&self.db)
            .and_then(|maker| maker.create_checkpoint(directory.database()));
        checkpoint.map_err(|error| disk_error(&error))
    }

    /// Deletes a checkpoint, or a state that is closed.
    ///
    /// # Errors
    /// The disk's.
    pub fn destroy(dir: &Path) -> Result<(), DiskError> {
        fs::remove_dir_all(dir).map_err(|error| file_error(&error))
    }
}

impl StateStore for RocksState {
    fn batch(&self, writes: Vec<Write>) -> Result<(), DiskError> {
        let mut batch = WriteBatch::default();
        for (key, value) in writes {
            match value {
                Some(value) => batch.put(key, value),
                None => batch.delete(key),
            }
        }
        let mut options = WriteOptions::default();
        options.disable_wal(true);
        self.db.write_opt(batch, &options).map_err(|error| disk_error(&error))
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, DiskError> {
        self.db.get(key).map_err(|error| disk_error(&error))
    }

    fn range(&self, range: KeyRange<'_>) -> Result<Vec<Pair>, DiskError> {
        if range.end.is_some_and(|end| end <= range.start) {
            return Ok(Vec::new());
        }
        let mut options = ReadOptions::default();
        options.set_iterate_lower_bound(range.start);
        if let Some(end) = range.end {
            options.set_iterate_upper_bound(end);
        }
        let mut rows = self.db.raw_iterator_opt(options);
        match range.reverse {
            true => rows.seek_to_last(),
            false => rows.seek_to_first(),
        }
        let mut found = Vec::new();
        while found.len() < range.limit {
            let Some((key, value)) = rows.item() else { break };
            found.push((key.to_vec(), value.to_vec()));
            match range.reverse {
                true => rows.prev(),
                false => rows.next(),
            }
        }
        rows.status().map_err(|error| disk_error(&error))?;
        Ok(found)
    }

    fn scan(
        &self,
        range: KeyRange<'_>,
        page: &mut dyn FnMut(Vec<Pair>) -> bool,
    ) -> Result<(), DiskError> {
        if range.end.is_some_and(|end| end <= range.start) {
            return Ok(());
        }
        let mut options = ReadOptions::default();
        options.set_iterate_lower_bound(range.start);
        if let Some(end) = range.end {
            options.set_iterate_upper_bound(end);
        }
        // A copy of everything must not drive what is in use out of the cache.
        options.fill_cache(false);
        // An iterator shows what was there when it was made, whatever is written meanwhile.
        let mut rows = self.db.raw_iterator_opt(options);
        match range.reverse {
            true => rows.seek_to_last(),
            false => rows.seek_to_first(),
        }
        let (mut found, mut bytes, mut is_wanted) = (Vec::new(), 0, true);
        while is_wanted && let Some((key, value)) = rows.item() {
            bytes += key.len() + value.len();
            found.push((key.to_vec(), value.to_vec()));
            match range.reverse {
                true => rows.prev(),
                false => rows.next(),
            }
            if found.len() >= range.limit || bytes >= SCAN_BYTES {
                bytes = 0;
                is_wanted = page(std::mem::take(&mut found));
            }
        }
        rows.status().map_err(|error| disk_error(&error))?;
        if is_wanted && !found.is_empty() {
            page(found);
        }
        Ok(())
    }

    fn flush(&self) -> Result<(), DiskError> {
        self.db.flush().map_err(|error| disk_error(&error))
    }
}

impl std::fmt::Debug for RocksState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RocksState").field("cluster", &self.cluster).finish_non_exhaustive()
    }
}
