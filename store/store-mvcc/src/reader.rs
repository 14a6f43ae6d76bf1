//! Reads what there is, and what there was since the last compaction.
//!
//! Way in: [`Reader`].  Never: a row that [`crate::Mvcc`] has not committed yet.
//! Invariant: an answer is complete, or an error: what is being compacted meanwhile gives
//! [`ReadError::Expired`].

use std::sync::Arc;

use actors_core::{
    Wall,
    ports::{DiskError, KeyRange, StateStore},
};
use serde::{Deserialize, Serialize};

use crate::{
    Change, ChangeKind, GroupId, Key, LeaseId, Revision, StateHash, Stored,
    rows::{self, HistoryRow, LeaseRow, Rows, Span, VersionRow},
};

/// How far a replica is. Stored in one row, in the same batch as what it speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Position {
    /// The last log index that was applied.
    pub index: u64,
    /// Its term.
    pub term: u64,
    /// The newest revision.
    pub revision: Revision,
    /// The oldest revision that can be read.
    pub compacted: Revision,
    /// The feature level that all replicas agreed on.
    pub level: u16,
    /// The highest time that a proposal carried.
    pub clock: Wall,
    /// Everything that was written so far.
    pub hash: StateHash,
}

/// A lease, as it was granted. Whether it still lives, the leader knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// Which.
    pub id: LeaseId,
    /// How long it lives without a renewal, in milliseconds.
    pub ttl_ms: u64,
    /// When it was granted, on the time of the state.
    pub granted_at: Wall,
}

/// Why a read failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The revision was compacted away: the reader lists again and goes on from there (`410 Gone`).
    #[error("revision {asked} was compacted; the oldest that can be read is {compacted}")]
    Expired {
        /// What was asked for.
        asked: Revision,
        /// The oldest revision that can be read.
        compacted: Revision,
    },
    /// The revision has not happened here yet: the reader waits for the replica to catch up.
    #[error("revision {asked} has not happened yet; the newest is {newest}")]
    Future {
        /// What was asked for.
        asked: Revision,
        /// The newest revision.
        newest: Revision,
    },
    /// The disk failed or holds what was never written: the replica stops serving.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// Reads the committed rows of one group. Cheap to clone; used beside the writer, from any thread.
#[derive(Clone)]
pub struct Reader {
    store: Arc<dyn StateStore>,
    rows: Rows,
}

impl Reader {
    /// Rows that are read from the disk at once.
    const PAGE: usize = 256;

    /// A reader of `group`'s rows.
    #[must_use]
    pub fn new(store: Arc<dyn StateStore>, group: GroupId) -> Self {
        Self { store, rows: Rows(group) }
    }

    /// How far the replica is; all zero if it never applied anything.
    ///
    /// # Errors
    /// The disk's.
    pub fn position(&self) -> Result<Position, DiskError> {
        let key = self.rows.position();
        let row = self.store.get(&key)?;
        row.map_or_else(|| Ok(Position::default()), |bytes| rows::decode(&key, &bytes))
    }

    /// The newest version of a key; `None` if there is none.
    ///
    /// # Errors
    /// [`ReadError::Disk`].
    pub fn get(&self, key: &Key) -> Result<Option<Stored>, ReadError> {
        Ok(self.newest(key, Revision(u64::MAX))?)
    }

    /// The version that a key had at a revision; `None` if there was none.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn get_at(&self, key: &Key, revision: Revision) -> Result<Option<Stored>, ReadError> {
        self.check_happened(revision)?;
        let found = self.newest(key, revision)?;
        self.check_kept(revision)?;
        Ok(found)
    }

    /// All keys from `start` to before `end` as they were at a revision, in order, at most `limit`.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn range_at(
        &self,
        (start, end): (&Key, Option<&Key>),
        revision: Revision,
        limit: usize,
    ) -> Result<Vec<Arc<Stored>>, ReadError> {
        self.check_happened(revision)?;
        let span = self.rows.versions_between(start, end);
        let mut found = Vec::new();
        // Versions of a key lie side by side, newest first: the first one that is old enough
        // decides.
        let mut decided = Vec::new();
        self.scan(&span, |row, bytes| {
            let Some((name, made_at)) = Rows::split_version(row) else { return Ok(true) };
            if made_at <= revision && decided != name {
                decided.clear();
                decided.extend_from_slice(name);
                found.extend(rows::decode::<VersionRow>(row, bytes)?.map(Arc::new));
            }
            Ok(found.len() < limit)
        })?;
        self.check_kept(revision)?;
        Ok(found)
    }

    /// The changes behind a revision, in order and without a gap, at most `limit`.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn changes_after(
        &self,
        after: Revision,
        limit: usize,
    ) -> Result<Vec<Arc<Change>>, ReadError> {
        self.check_happened(after)?;
        let (start, end) = self.rows.history_after(after);
        let rows =
            self.store.range(KeyRange { start: &start, end: Some(&end), limit, reverse: false })?;
        let changes =
            rows.iter().map(|(row, bytes)| self.change(row, bytes)).collect::<Result<Vec<_>, _>>();
        // A sweep deletes rows only after the compaction is committed; so if it is not committed
        // now, nothing was missing above.
        self.check_kept(after)?;
        Ok(changes?)
    }

    /// All leases, by number.
    ///
    /// # Errors
    /// The disk's.
    pub fn leases(&self) -> Result<Vec<Lease>, DiskError> {
        let mut leases = Vec::new();
        self.scan(&self.rows.leases(), |row, bytes| {
            let LeaseRow { ttl_ms, granted_at } = rows::decode(row, bytes)?;
            leases.push(Lease { id: LeaseId(Rows::number(row)), ttl_ms, granted_at });
            Ok(true)
        })?;
        Ok(leases)
    }

    fn change(&self, row: &[u8], bytes: &[u8]) -> Result<Arc<Change>, DiskError> {
        let revision = Revision(Rows::number(row));
        let HistoryRow { key, kind, prev } = rows::decode(row, bytes)?;
        let value = match kind {
            ChangeKind::Put => Some(self.version(&key, revision)?),
            ChangeKind::Delete => None,
        };
        let prev = prev.map(|prev| self.version(&key, prev)).transpose()?;
        Ok(Arc::new(Change { revision, key, kind, value, prev }))
    }

    fn version(&self, key: &Key, revision: Revision) -> Result<Arc<Stored>, DiskError> {
        let row = self.rows.version(key, revision);
        let found = self
            .store
            .get(&row)?
            .map(|bytes| rows::decode::<VersionRow>(&row, &bytes))
            .transpose()?;
        let missing = || DiskError::Damaged(format!("version {revision} of {key} is missing"));
        found.flatten().map(Arc::new).ok_or_else(missing)
    }

    fn newest(&self, key: &Key, at: Revision) -> Result<Option<Stored>, DiskError> {
        let (start, end) = self.rows.versions(key, at);
        let range = KeyRange { start: &start, end: Some(&end), limit: 1, reverse: false };
        match self.store.range(range)?.first() {
            Some((row, bytes)) => rows::decode::<VersionRow>(row, bytes),
            None => Ok(None),
        }
    }

    fn check_happened(&self, asked: Revision) -> Result<(), ReadError> {
        let newest = self.position()?.revision;
        if asked > newest { Err(ReadError::Future { asked, newest }) } else { Ok(()) }
    }

    fn check_kept(&self, asked: Revision) -> Result<(), ReadError> {
        let compacted = self.position()?.compacted;
        if asked < compacted { Err(ReadError::Expired { asked, compacted }) } else { Ok(()) }
    }

    /// Visits the rows of a span page by page, until `visit` says that it has enough.
    pub(crate) fn scan(
        &self,
        (start, end): &Span,
        mut visit: impl FnMut(&[u8], &[u8]) -> Result<bool, DiskError>,
    ) -> Result<(), DiskError> {
        let mut start = start.clone();
        loop {
            let range =
                KeyRange { start: &start, end: Some(end), limit: Self::PAGE, reverse: false };
            let page = self.store.range(range)?;
            for (row, bytes) in &page {
                if !visit(row, bytes)? {
                    return Ok(());
                }
            }
            match page.into_iter().nth(Self::PAGE - 1) {
                Some((last, _)) => start = last,
                None => return Ok(()),
            }
            start.push(0);
        }
    }
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Reader").field(&self.rows.0).finish()
    }
}
