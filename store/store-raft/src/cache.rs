//! The tail of the log in memory: what raft reads, and what followers that lag may still get.
//!
//! Way in: [`LogCache`].  Invariant: entries are consecutive and begin right behind the base.

use std::collections::VecDeque;

use raft::{
    Error, GetEntriesContext, RaftState, Result, Storage, StorageError,
    eraftpb::{Entry, HardState, Snapshot},
};

use crate::{Mark, Members, NodeId};

/// Entries above the base, and what a snapshot would cover.
#[derive(Debug, Clone)]
pub(crate) struct LogCache {
    /// The last entry that is not here; its term is still known.
    base: Mark,
    entries: VecDeque<Entry>,
    bytes: usize,
    initial: RaftState,
    /// Where the state machine is, and the members as of there; `None` until that is known.
    applied: Option<(Mark, Members)>,
}

impl LogCache {
    /// A log that begins behind `base`; `hard` and `members` are what raft starts with.
    pub(crate) fn new(base: Mark, entries: Vec<Entry>, hard: HardState, members: &Members) -> Self {
        let bytes = entries.iter().map(size).sum();
        let initial = RaftState::new(hard, members.to_raft());
        Self { base, entries: entries.into(), bytes, initial, applied: None }
    }

    pub(crate) fn base(&self) -> Mark {
        self.base
    }

    pub(crate) fn last(&self) -> u64 {
        self.entries.back().map_or(self.base.index, |entry| entry.index)
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds entries; those from the first one's index on are replaced.
    pub(crate) fn append(&mut self, entries: Vec<Entry>) {
        let Some(first) = entries.first().map(|entry| entry.index) else { return };
        assert!(first > self.base.index && first <= self.last() + 1, "entries leave a gap");
        while self.entries.back().is_some_and(|entry| entry.index >= first) {
            self.bytes -= self.entries.pop_back().map_or(0, |entry| size(&entry));
        }
        self.bytes += entries.iter().map(size).sum::<usize>();
        self.entries.extend(entries);
    }

    /// Forgets entries up to `index`.
    pub(crate) fn truncate(&mut self, index: u64) {
        while let Some(entry) = self.entries.pop_front_if(|entry| entry.index <= index) {
            self.bytes -= size(&entry);
            self.base = Mark { index: entry.index, term: entry.term };
        }
    }

    /// Forgets everything: the log goes on behind a snapshot.
    pub(crate) fn reset(&mut self, base: Mark) {
        self.base = base;
        self.entries.clear();
        self.bytes = 0;
        self.applied = None;
    }

    /// Says where the state machine is, so that a snapshot can be offered there.
    pub(crate) fn set_applied(&mut self, index: u64, members: Members) {
        self.applied = self.term(index).ok().map(|term| (Mark { index, term }, members));
    }

    fn position(&self, index: u64) -> usize {
        usize::try_from(index - self.base.index - 1).unwrap_or(usize::MAX)
    }

    pub(crate) fn assert_invariants(&self) {
        let mut expected = self.base.index;
        for entry in [self.entries.front(), self.entries.back()].into_iter().flatten() {
            assert!(entry.index > expected, "log entries out of order");
            assert!(entry.term >= self.base.term, "a term fell along the log");
            expected = expected.max(entry.index - 1);
        }
        let length = self.last() - self.base.index;
        assert_eq!(length, self.entries.len() as u64, "the log has a gap");
    }
}

/// What an entry costs in memory, roughly: its payload and its fixed part.
fn size(entry: &Entry) -> usize {
    entry.data.len() + size_of::<Entry>()
}

impl Storage for LogCache {
    fn initial_state(&self) -> Result<RaftState> {
        Ok(self.initial.clone())
    }

    fn entries(
        &self,
        low: u64,
        high: u64,
        max_size: impl Into<Option<u64>>,
        _context: GetEntriesContext,
    ) -> Result<Vec<Entry>> {
        if low <= self.base.index {
            return Err(Error::Store(StorageError::Compacted));
        }
        if high > self.last() + 1 {
            return Err(Error::Store(StorageError::Unavailable));
        }
        let max_size = max_size.into().unwrap_or(u64::MAX);
        let mut total = 0_u64;
        let within = |entry: &&Entry| {
            // One entry always fits, however large.
            let first = total == 0;
            total = total.saturating_add(size(entry) as u64);
            first || total <= max_size
        };
        let range = self.position(low)..self.position(high);
        Ok(self.entries.range(range).take_while(within).cloned().collect())
    }

    fn term(&self, index: u64) -> Result<u64> {
        if index == self.base.index {
            return Ok(self.base.term);
        }
        if index < self.base.index {
            return Err(Error::Store(StorageError::Compacted));
        }
        let entry = self.entries.get(self.position(index));
        entry.map(|entry| entry.term).ok_or(Error::Store(StorageError::Unavailable))
    }

    fn first_index(&self) -> Result<u64> {
        Ok(self.base.index + 1)
    }

    fn last_index(&self) -> Result<u64> {
        Ok(self.last())
    }

    fn snapshot(&self, request_index: u64, to: u64) -> Result<Snapshot> {
        let later = Error::Store(StorageError::SnapshotTemporarilyUnavailable);
        let (mark, members) = self.applied.as_ref().ok_or(later)?;
        // Whom the state does not know as a member yet, would refuse it.
        if mark.index < request_index.max(1) || !members.contains(NodeId(to)) {
            return Err(Error::Store(StorageError::SnapshotTemporarilyUnavailable));
        }
        let mut snapshot = Snapshot::default();
        let meta = snapshot.mut_metadata();
        meta.index = mark.index;
        meta.term = mark.term;
        meta.set_conf_state(members.to_raft());
        snapshot.data = members.extra().to_bytes();
        Ok(snapshot)
    }
}
