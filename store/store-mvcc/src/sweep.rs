//! Gives back the room of compacted history, a few rows at a time.
//!
//! Way in: [`Mvcc::sweep`].  Writes: only rows that no reader may read any more, and its own
//! cursor.
//! Invariant: each revision is visited once. A revision ends the version before it; a deletion also
//! ends itself.

use actors_core::ports::KeyRange;

use crate::{
    ApplyError, ChangeKind, Mvcc, Revision,
    rows::{self, HistoryRow, Rows},
};

/// What one pass over compacted history did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Swept {
    /// Rows that were deleted.
    pub rows: usize,
    /// Whether nothing compacted is left.
    pub done: bool,
}

impl Mvcc {
    /// Deletes some of what was compacted: at most `limit` revisions (and at least one), so that
    /// nothing waits.
    ///
    /// Called when there is time, until [`Swept::done`]. It is this replica's own matter: no reader
    /// can tell.
    ///
    /// # Errors
    /// The disk's: this state must not be used any more.
    pub fn sweep(&mut self, limit: usize) -> Result<Swept, ApplyError> {
        // A row may only go when the compaction that allows it is on disk.
        self.commit()?;
        let limit = limit.max(1);
        let (keys, compacted) = (self.rows(), self.position().compacted);
        let cursor = keys.sweep();
        let from = self
            .store()
            .get(&cursor)?
            .map(|bytes| rows::decode::<Revision>(&cursor, &bytes))
            .transpose()?;
        let (start, _) = keys.history_after(from.unwrap_or_default());
        let (end, _) = keys.history_after(compacted);
        if start >= end {
            return Ok(Swept { rows: 0, done: true });
        }
        let page = self.store().range(KeyRange {
            start: &start,
            end: Some(&end),
            limit,
            reverse: false,
        })?;
        let mut writes = Vec::new();
        let mut reached = compacted;
        for (row, bytes) in &page {
            let HistoryRow { key, kind, prev } = rows::decode(row, bytes)?;
            let revision = Revision(Rows::number(row));
            let ended = [prev, (kind == ChangeKind::Delete).then_some(revision)];
            writes
                .extend(ended.into_iter().flatten().map(|ended| (keys.version(&key, ended), None)));
            writes.push((row.clone(), None));
            if page.len() == limit {
                reached = revision;
            }
        }
        let swept = Swept { rows: writes.len(), done: reached == compacted };
        writes.push((cursor, Some(rows::encode(&reached)?)));
        self.write(writes)?;
        Ok(swept)
    }
}
