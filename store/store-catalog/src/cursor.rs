//! Where one watcher is in the order of events.
//!
//! Way in: [`Cursor::poll`]; when it lagged, [`Cursor::take_history`].
//! Invariant: each change of the prefix is given once, in order, without a gap.

use std::sync::Arc;

use store_mvcc::{Change, Key, Revision};

use crate::{Event, Opener, Ring};

/// One watcher's place, and the prefix that it watches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    after: Revision,
    prefix: Key,
}

/// What a cursor found in the ring.
#[derive(Debug)]
pub enum Polled {
    /// The next events of the prefix; none if there was none.
    Batch {
        /// In order.
        events: Vec<Arc<Event>>,
        /// Whether the ring holds more: poll again. Otherwise wait until something is published.
        more: bool,
    },
    /// The next events have left the ring: read the changes behind [`Cursor::after`] from the
    /// history.
    Lagged,
}

impl Cursor {
    /// Events of other prefixes that one poll passes over at most, so that it is short.
    const PASSED_MAX: usize = 4_096;

    /// A watcher that knows everything up to `after`.
    #[must_use]
    pub fn new(after: Revision, prefix: Key) -> Self {
        Self { after, prefix }
    }

    /// Everything up to here was given: the revision to resume from, or to send as a bookmark.
    #[must_use]
    pub fn after(&self) -> Revision {
        self.after
    }

    /// What is watched.
    #[must_use]
    pub fn prefix(&self) -> &Key {
        &self.prefix
    }

    /// Takes the next events of the prefix, at most `limit`.
    pub fn poll(&mut self, ring: &Ring, limit: usize) -> Polled {
        if self.after >= ring.newest() {
            return Polled::Batch { events: Vec::new(), more: false };
        }
        let Some(next) = ring.after(self.after) else { return Polled::Lagged };
        let mut events = Vec::new();
        for event in next.take(Self::PASSED_MAX) {
            if events.len() == limit {
                break;
            }
            self.after = event.revision();
            if event.key.has_prefix(&self.prefix) {
                events.push(Arc::clone(event));
            }
        }
        Polled::Batch { events, more: self.after < ring.newest() }
    }

    /// Takes what the history holds behind [`Cursor::after`]; changes that the cursor knows are
    /// passed over.
    pub fn take_history(
        &mut self,
        changes: Vec<Arc<Change>>,
        opener: Option<&Arc<dyn Opener>>,
    ) -> Vec<Arc<Event>> {
        let mut events = Vec::new();
        for change in changes {
            if change.revision <= self.after {
                continue;
            }
            self.after = change.revision;
            if change.key.has_prefix(&self.prefix) {
                events.extend(Event::new(change, None, opener).map(Arc::new));
            }
        }
        events
    }
}
