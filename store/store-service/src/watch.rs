//! One watcher of the changes of a prefix.
//!
//! Way in: [`Watch::next`].  Owns: a cursor.  Never: a queue of its own; a slow watcher reads the
//! history on disk.
//! Invariant: each change is given once, in order, without a gap, or the watch ends with the
//! reason.

use std::sync::Arc;

use store_catalog::{Cursor, Event, Polled};
use store_mvcc::{Key, ReadError, Revision};
use tokio::sync::watch;

use crate::{WatchEnd, interest::Touch, locks::read, shared::Shared};

/// Most events of one batch.
const BATCH: usize = 256;

/// The changes of one prefix, from one revision on.
pub struct Watch {
    shared: Arc<Shared>,
    cursor: Cursor,
    touched: watch::Receiver<Touch>,
    prefix: Key,
}

enum Step {
    Events(Vec<Arc<Event>>),
    Again,
    Wait,
    History,
}

impl Watch {
    pub(crate) fn new(shared: &Arc<Shared>, after: Revision, prefix: Key) -> Self {
        let touched = shared.interest.join(&prefix);
        let cursor = Cursor::new(after, prefix.clone());
        Self { shared: Arc::clone(shared), cursor, touched, prefix }
    }

    /// Everything of the prefix up to here was given: where to resume, or what to send as a
    /// bookmark.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.idle_to().unwrap_or_else(|| self.cursor.after())
    }

    /// How far nothing of the prefix happened, if that is further than what was given.
    fn idle_to(&self) -> Option<Revision> {
        // In this order: what is examined by now has touched the prefix by now.
        let examined = self.shared.interest.examined();
        self.touched.borrow().skips(self.cursor.after(), examined)
    }

    /// The next changes, at least one, as soon as there are any. Nothing is lost if the future is
    /// dropped.
    ///
    /// # Errors
    /// [`WatchEnd`]; the watch gives nothing more.
    pub async fn next(&mut self) -> Result<Vec<Arc<Event>>, WatchEnd> {
        loop {
            // What is published from here on wakes again, so nothing falls between poll and wait.
            self.touched.mark_unchanged();
            match self.poll() {
                Step::Events(events) => return Ok(events),
                Step::Again => tokio::task::yield_now().await,
                Step::Wait => self.touched.changed().await.map_err(|_| WatchEnd::Closed)?,
                Step::History => {
                    let events = self.read_history().await?;
                    if !events.is_empty() {
                        return Ok(events);
                    }
                }
            }
        }
    }

    fn poll(&mut self) -> Step {
        if let Some(revision) = self.idle_to() {
            self.cursor = Cursor::new(revision, self.prefix.clone());
        }
        match self.cursor.poll(read(&self.shared.catalog).ring(), BATCH) {
            Polled::Batch { events, .. } if !events.is_empty() => Step::Events(events),
            Polled::Batch { more: true, .. } => Step::Again,
            Polled::Batch { .. } => Step::Wait,
            Polled::Lagged => Step::History,
        }
    }

    /// The next changes from disk. May be none of the prefix.
    async fn read_history(&mut self) -> Result<Vec<Arc<Event>>, WatchEnd> {
        let reader = read(&self.shared.reader).clone().ok_or(WatchEnd::Closed)?;
        let after = self.cursor.after();
        let changes = tokio::task::spawn_blocking(move || reader.changes_after(after, BATCH)).await;
        let changes = match changes.map_err(|_| WatchEnd::Closed)? {
            Ok(changes) => changes,
            Err(ReadError::Expired { asked, compacted }) => {
                return Err(WatchEnd::Expired { after: asked, compacted });
            }
            // The state was lost back to before this revision, and is being applied again.
            Err(ReadError::Future { .. }) => Vec::new(),
            Err(ReadError::Disk(error)) => {
                tracing::error!(%error, "the history cannot be read");
                return Err(WatchEnd::Closed);
            }
        };
        if changes.is_empty() {
            tokio::task::yield_now().await;
        }
        Ok(self.cursor.take_history(changes, self.shared.opener.as_ref()))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.shared.interest.leave(&self.prefix);
    }
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").field("cursor", &self.cursor).finish_non_exhaustive()
    }
}
