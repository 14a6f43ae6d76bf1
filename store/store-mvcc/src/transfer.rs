//! A copy of the whole state for a replica that is too far behind to be led on by the log.
//!
//! Way in: [`Mvcc::export`], [`Mvcc::import`].
//! Invariant: the position is written last; a copy that was cut short is at index 0 and is asked
//! for again.

use std::sync::Arc;

use actors_core::ports::{DiskError, KeyRange, Pair, StateStore};

use crate::{ApplyError, GroupId, Mvcc, rows::Rows};

/// Rows that are deleted in one batch before a copy is written.
const CLEARED: usize = 1_024;

impl Mvcc {
    /// The rows behind `after` (all, from `None`), at most `limit`. An empty page is the end.
    ///
    /// The pages are one copy only if nothing is committed between them; a store that can make
    /// checkpoints exports one of those.
    ///
    /// # Errors
    /// The disk's.
    pub fn export(&self, after: Option<&[u8]>, limit: usize) -> Result<Vec<Pair>, DiskError> {
        let (first, end) = self.rows().everything();
        let start = after.map_or(first, |after| [after, &[0]].concat());
        self.store().range(KeyRange { start: &start, end: Some(&end), limit, reverse: false })
    }

    /// Replaces what the store holds of `group` by an exported copy. [`Mvcc::open`] follows.
    ///
    /// # Errors
    /// The disk's, or those of the pages; the store then holds nothing that counts.
    pub fn import(
        store: &Arc<dyn StateStore>,
        group: GroupId,
        pages: impl IntoIterator<Item = Result<Vec<Pair>, DiskError>>,
    ) -> Result<(), ApplyError> {
        let rows = Rows(group);
        let (start, end) = rows.everything();
        let position = rows.position();
        store.batch(vec![(position.clone(), None)])?;
        loop {
            let page = store.range(KeyRange {
                start: &start,
                end: Some(&end),
                limit: CLEARED,
                reverse: false,
            })?;
            if page.is_empty() {
                break;
            }
            store.batch(page.into_iter().map(|(key, _)| (key, None)).collect())?;
        }
        let mut last = None;
        for page in pages {
            let (head, body): (Vec<_>, Vec<_>) =
                page?.into_iter().partition(|(key, _)| *key == position);
            last = head.into_iter().next().or(last);
            store.batch(body.into_iter().map(|(key, value)| (key, Some(value))).collect())?;
        }
        store.flush()?;
        if let Some((key, value)) = last {
            store.batch(vec![(key, Some(value))])?;
        }
        Ok(store.flush()?)
    }
}

/// Reads every row of a group as all were at one time, page by page, until `page` answers false;
/// entries may be applied meanwhile. For [`Mvcc::import`].
///
/// # Errors
/// The disk's.
pub fn export(
    store: &dyn StateStore,
    group: GroupId,
    page: &mut dyn FnMut(Vec<Pair>) -> bool,
) -> Result<(), DiskError> {
    let (start, end) = Rows(group).everything();
    store.scan(KeyRange { start: &start, end: Some(&end), limit: CLEARED, reverse: false }, page)
}

/// Deletes every row of a group.
pub(crate) fn clear(store: &dyn StateStore, rows: Rows) -> Result<(), DiskError> {
    let (start, end) = rows.everything();
    loop {
        let page = store.range(KeyRange {
            start: &start,
            end: Some(&end),
            limit: CLEARED,
            reverse: false,
        })?;
        if page.is_empty() {
            return Ok(());
        }
        store.batch(page.into_iter().map(|(key, _)| (key, None)).collect())?;
    }
}
