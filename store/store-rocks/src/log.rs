//! The logs of all groups of a node in one database, so that they share one sync.
//!
//! Way in: [`RocksLogs::open`], [`RocksLogs::group`].
//! Owns: rows named by (cluster uid, group, index).
//! Invariants: 1. the records of a group have no gap. 2. a log that lost what was synced does not
//! open.
//! Time and order: the mark is lowered before records are replaced, and raised after they are
//! synced.

use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use actors_core::ports::{DiskError, LogRecord, LogStore};
use rocksdb::{DB, Direction, IteratorMode, ReadOptions, WriteBatch};

use crate::{
    ClusterUid, OpenError,
    directory::Directory,
    error::{disk_error, file_error},
    marks::{Mark, Marks, fingerprint},
    tuning,
};

/// The log database of a node.
#[derive(Clone)]
pub struct RocksLogs(Arc<Shared>);

/// The log of one group. There is one such value for each group.
pub struct RocksLog {
    shared: Arc<Shared>,
    group: u16,
    /// The first index that is kept; 0 if nothing was ever forgotten.
    first: u64,
    /// The index behind the last record; `None` if there never was one.
    next: Option<u64>,
    /// The fingerprint of the last record; 0 if there is none.
    last_fingerprint: u64,
    /// Whether something was written since the last sync.
    unsynced: bool,
}

struct Shared {
    db: DB,
    cluster: ClusterUid,
    marks: Mutex<Marks>,
}

impl RocksLogs {
    /// Opens the log database in `dir`, or creates it.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(dir: &Path, cluster: ClusterUid) -> Result<Self, OpenError> {
        let directory = Directory::claim(dir, cluster)?;
        let db = DB::open(&tuning::log_options(), directory.database())
            .map_err(|error| directory.refused(&error))?;
        let marks = Marks::open(&directory.file("synced"))
            .map_err(|error| directory.disk(file_error(&error)))?;
        Ok(Self(Arc::new(Shared { db, cluster, marks: Mutex::new(marks) })))
    }

    /// The log of one group.
    ///
    /// # Errors
    /// [`DiskError::Damaged`] if it lost what was synced: this voter must not start; it is replaced
    /// by a learner that copies the others.
    pub fn group(&self, group: u16) -> Result<RocksLog, DiskError> {
        let shared = Arc::clone(&self.0);
        let mut log =
            RocksLog { shared, group, first: 0, next: None, last_fingerprint: 0, unsynced: false };
        log.recover()?;
        Ok(log)
    }
}

impl Shared {
    fn marks(&self) -> MutexGuard<'_, Marks> {
        // A panic while the lock was held leaves a mark that is too low at worst.
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RocksLog {
    /// Rows of a group, by their letter: records, the small record, the first index that is kept.
    const RECORD: u8 = b'r';
    const HEAD: u8 = b'h';
    const FIRST: u8 = b'f';

    fn key(&self, letter: u8) -> Vec<u8> {
        let mut key = self.shared.cluster.0.to_vec();
        key.extend_from_slice(&self.group.to_be_bytes());
        key.push(letter);
        key
    }

    fn record_key(&self, index: u64) -> Vec<u8> {
        let mut key = self.key(Self::RECORD);
        key.extend_from_slice(&index.to_be_bytes());
        key
    }

    fn records_end(&self) -> Vec<u8> {
        self.key(Self::RECORD + 1)
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, DiskError> {
        self.shared.db.get(key).map_err(|error| disk_error(&error))
    }

    fn write(&self, batch: WriteBatch) -> Result<(), DiskError> {
        self.shared.db.write(batch).map_err(|error| disk_error(&error))
    }

    fn damaged(&self, cause: &str) -> DiskError {
        DiskError::Damaged(format!(
            "log of group {} of cluster {}: {cause}",
            self.group, self.shared.cluster
        ))
    }

    /// Finds out what the log holds, and whether that is all that was synced.
    fn recover(&mut self) -> Result<(), DiskError> {
        if let Some(bytes) = self.get(&self.key(Self::FIRST))? {
            let first = bytes.try_into().map(u64::from_be_bytes);
            self.first = first.map_err(|_| self.damaged("its first index is unreadable"))?;
            self.next = Some(self.first);
        }
        if let Some(last) = self.last()? {
            self.next = Some(last.index + 1);
            self.last_fingerprint = fingerprint(&last.data);
        }
        let Some(mark) = self.shared.marks().get(self.group) else { return Ok(()) };
        if self.next.is_none_or(|next| next <= mark.index) {
            let end = self.next.map_or(0, |next| next - 1);
            return Err(
                self.damaged(&format!("it ends at {end}, but was synced up to {}", mark.index))
            );
        }
        if mark.fingerprint == 0 || mark.index < self.first {
            return Ok(());
        }
        match self.get(&self.record_key(mark.index))? {
            Some(data) if fingerprint(&data) == mark.fingerprint => Ok(()),
            Some(_) => {
                Err(self.damaged(&format!("record {} is not the one that was synced", mark.index)))
            }
            None => Err(self.damaged(&format!("record {} is missing", mark.index))),
        }
    }

    fn last(&self) -> Result<Option<LogRecord>, DiskError> {
        let mut options = ReadOptions::default();
        options.set_iterate_lower_bound(self.record_key(self.first));
        options.set_iterate_upper_bound(self.records_end());
        match self.shared.db.iterator_opt(IteratorMode::End, options).next() {
            Some(Ok((key, data))) => self.record(&key, data).map(Some),
            Some(Err(error)) => Err(disk_error(&error)),
            None => Ok(None),
        }
    }

    fn record(&self, key: &[u8], data: Box<[u8]>) -> Result<LogRecord, DiskError> {
        let index = key.last_chunk().copied().map(u64::from_be_bytes);
        let index = index.ok_or_else(|| self.damaged("a record has no index"))?;
        Ok(LogRecord { index, data: data.into_vec() })
    }

    /// Whether the records follow each other and what is there.
    fn check_places(&self, records: &[LogRecord]) -> Result<(), DiskError> {
        let mut next = self.next;
        for LogRecord { index, .. } in records {
            let fits = *index >= self.first && next.is_none_or(|next| *index <= next);
            if !fits {
                let end = next.map_or(0, |next| next - 1);
                return Err(DiskError::Other(format!("record {index} does not follow {end}")));
            }
            next = Some(index + 1);
        }
        Ok(())
    }
}

impl LogStore for RocksLog {
    fn append(&mut self, records: &[LogRecord]) -> Result<(), DiskError> {
        let (Some(head), Some(last)) = (records.first(), records.last()) else { return Ok(()) };
        self.check_places(records)?;
        let mut batch = WriteBatch::default();
        if self.next.is_some_and(|next| head.index < next) {
            let lowered = self.shared.marks().lower(self.group, head.index.saturating_sub(1));
            lowered.map_err(|error| file_error(&error))?;
            batch.delete_range(self.record_key(head.index), self.records_end());
        }
        for record in records {
            batch.put(self.record_key(record.index), &record.data);
        }
        self.write(batch)?;
        self.next = Some(last.index + 1);
        self.last_fingerprint = fingerprint(&last.data);
        self.unsynced = true;
        Ok(())
    }

    fn set_head(&mut self, head: &[u8]) -> Result<(), DiskError> {
        let mut batch = WriteBatch::default();
        batch.put(self.key(Self::HEAD), head);
        self.write(batch)?;
        self.unsynced = true;
        Ok(())
    }

    fn sync(&mut self) -> Result<(), DiskError> {
        if !self.unsynced {
            return Ok(());
        }
        self.shared.db.flush_wal(true).map_err(|error| disk_error(&error))?;
        self.unsynced = false;
        let Some(next) = self.next.filter(|next| *next > 0) else { return Ok(()) };
        let mark = Mark { index: next - 1, fingerprint: self.last_fingerprint };
        self.shared.marks().raise(self.group, mark).map_err(|error| file_error(&error))
    }

    fn truncate_below(&mut self, first: u64) -> Result<(), DiskError> {
        if first <= self.first {
            return Ok(());
        }
        let mut batch = WriteBatch::default();
        batch.delete_range(self.record_key(0), self.record_key(first));
        batch.put(self.key(Self::FIRST), first.to_be_bytes());
        self.write(batch)?;
        if self.next.is_none_or(|next| next <= first) {
            (self.next, self.last_fingerprint) = (Some(first), 0);
        }
        self.first = first;
        self.unsynced = true;
        Ok(())
    }

    fn head(&self) -> Result<Option<Vec<u8>>, DiskError> {
        self.get(&self.key(Self::HEAD))
    }

    fn read_from(&self, first: u64, limit: usize) -> Result<Vec<LogRecord>, DiskError> {
        let start = self.record_key(first.max(self.first));
        let mut options = ReadOptions::default();
        options.set_iterate_upper_bound(self.records_end());
        let rows =
            self.shared.db.iterator_opt(IteratorMode::From(&start, Direction::Forward), options);
        let read = |row: Result<_, rocksdb::Error>| {
            let (key, data): (Box<[u8]>, Box<[u8]>) = row.map_err(|error| disk_error(&error))?;
            self.record(&key, data)
        };
        rows.take(limit).map(read).collect()
    }
}

impl std::fmt::Debug for RocksLogs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RocksLogs").field("cluster", &self.0.cluster).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for RocksLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { group, first, next, .. } = self;
        f.debug_struct("RocksLog")
            .field("group", group)
            .field("first", first)
            .field("next", next)
            .finish()
    }
}
