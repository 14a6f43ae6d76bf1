//! The latest events, for all watchers at once.
//!
//! Way in: [`Ring::push`] (the catalog), [`crate::Cursor::poll`] (watchers).
//! Invariants: 1. revisions of the events rise by one. 2. never more events or bytes than
//! [`RingLimits`] says.

use std::{collections::VecDeque, sync::Arc};

use store_mvcc::Revision;

use crate::Event;

/// How much a ring holds. What is pushed out can still be read from the history on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RingLimits {
    /// Most events.
    pub events: usize,
    /// Most bytes, roughly; the newest event stays however large it is.
    pub bytes: usize,
}

/// The latest events, oldest first.
#[derive(Debug)]
pub struct Ring {
    limits: RingLimits,
    events: VecDeque<Arc<Event>>,
    bytes: usize,
    /// Everything up to here was pushed, or was before the ring began.
    newest: Revision,
}

impl Default for RingLimits {
    fn default() -> Self {
        Self { events: 16_384, bytes: 8 * 1024 * 1024 }
    }
}

impl Ring {
    /// An empty ring behind a revision.
    #[must_use]
    pub fn new(limits: RingLimits, newest: Revision) -> Self {
        Self { limits, events: VecDeque::new(), bytes: 0, newest }
    }

    /// The newest revision that was pushed.
    #[must_use]
    pub fn newest(&self) -> Revision {
        self.newest
    }

    /// The revision behind which everything is still here.
    #[must_use]
    pub fn floor(&self) -> Revision {
        self.events
            .front()
            .map_or(self.newest, |event| Revision(event.revision().0.saturating_sub(1)))
    }

    /// Adds an event. One that does not follow the newest empties the ring: watchers then read the
    /// history.
    pub fn push(&mut self, event: Arc<Event>) {
        if event.revision() != self.newest.next() {
            self.events.clear();
            self.bytes = 0;
        }
        self.newest = event.revision();
        self.bytes += event.weight();
        self.events.push_back(event);
        while self.events.len() > self.limits.events.max(1)
            || (self.bytes > self.limits.bytes && self.events.len() > 1)
        {
            self.bytes -= self.events.pop_front().map_or(0, |event| event.weight());
        }
    }

    /// The events behind a revision, oldest first; `None` if some of them are no longer here.
    pub(crate) fn after(&self, revision: Revision) -> Option<impl Iterator<Item = &Arc<Event>>> {
        let skipped = usize::try_from(revision.0.checked_sub(self.floor().0)?).ok()?;
        Some(self.events.range(skipped.min(self.events.len())..))
    }
}
