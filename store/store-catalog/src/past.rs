//! What was below a prefix at an earlier revision, read from the history.
//!
//! Way in: [`Snapshot::read_past`].  Its reads block: not for a thread that serves others.
//! Invariant: it is all that there was, or an error.

use std::sync::Arc;

use store_mvcc::{Key, ReadError, Reader, Revision};

use crate::{Item, Opener, Snapshot};

impl Snapshot {
    /// Objects that are read from the disk at once.
    const PAST_PAGE: usize = 1_024;

    /// What was below `prefix` at `revision`, and nothing else. Its encodings are not kept.
    ///
    /// # Errors
    /// The reader's: the revision was compacted, or has not happened yet.
    pub fn read_past(
        reader: &Reader,
        prefix: &Key,
        revision: Revision,
        opener: Option<&Arc<dyn Opener>>,
    ) -> Result<Self, ReadError> {
        let mut past = Self::default();
        (past.revision, past.compacted) = (revision, reader.position()?.compacted);
        let (mut start, end) = (prefix.clone(), prefix.prefix_end());
        loop {
            let page = reader.range_at((&start, end.as_ref()), revision, Self::PAST_PAGE)?;
            for stored in &page {
                past.insert(&Arc::new(Item::new(Arc::clone(stored), opener)));
            }
            match page.get(Self::PAST_PAGE - 1) {
                Some(last) => start = last.key.successor(),
                None => return Ok(past),
            }
        }
    }
}
