//! One change, with the items that its watchers see.
//!
//! Way in: [`Event`].  Invariant: made once, read by all watchers; what one of them decodes, all
//! have.

use std::{ops::Deref, sync::Arc};

use store_mvcc::{Change, Revision};

use crate::{Item, Opener, Shelf};

/// One change, with the versions before and after it.
#[derive(Debug)]
pub struct Event {
    change: Arc<Change>,
    item: Arc<Item>,
    prev: Option<Arc<Item>>,
}

/// What a watcher of everything is told of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// The object is new.
    Added,
    /// The object changed.
    Modified,
    /// The object is gone.
    Deleted,
}

impl Event {
    /// The event of a change, or `None` for a deletion of what the change does not show.
    ///
    /// `prev` is the resident item of the version before, whose forms may be made already.
    #[must_use]
    pub fn new(
        change: Arc<Change>,
        prev: Option<Arc<Item>>,
        opener: Option<&Arc<dyn Opener>>,
    ) -> Option<Self> {
        Self::build(change, prev, opener, None)
    }

    /// The same, whose items keep their encodings on a shelf.
    pub(crate) fn shelved(
        change: Arc<Change>,
        prev: Option<Arc<Item>>,
        opener: Option<&Arc<dyn Opener>>,
        shelf: &Arc<Shelf>,
    ) -> Option<Self> {
        Self::build(change, prev, opener, Some(shelf))
    }

    fn build(
        change: Arc<Change>,
        prev: Option<Arc<Item>>,
        opener: Option<&Arc<dyn Opener>>,
        shelf: Option<&Arc<Shelf>>,
    ) -> Option<Self> {
        let resident = |item: &Arc<Item>| {
            change
                .prev
                .as_ref()
                .is_some_and(|before| before.mod_revision == item.stored().mod_revision)
        };
        let read =
            || change.prev.as_ref().map(|before| Arc::new(Item::new(Arc::clone(before), opener)));
        let prev = prev.filter(resident).or_else(read);
        let item = match (&change.value, &change.prev) {
            (Some(value), _) => Item::new(Arc::clone(value), opener),
            (None, Some(last)) => Item::shown_at(Arc::clone(last), change.revision, opener),
            (None, None) => return None,
        };
        let item = match shelf {
            Some(shelf) => item.on(shelf),
            None => item,
        };
        Some(Self { change, item: Arc::new(item), prev })
    }

    /// What happened, for a watcher of everything. One with a selector compares [`Event::prev`] and
    /// [`Event::item`]: an object that stops matching is gone for it.
    #[must_use]
    pub fn kind(&self) -> EventKind {
        match (&self.change.value, &self.prev) {
            (Some(_), None) => EventKind::Added,
            (Some(_), Some(_)) => EventKind::Modified,
            (None, _) => EventKind::Deleted,
        }
    }

    /// The change.
    #[must_use]
    pub fn change(&self) -> &Arc<Change> {
        &self.change
    }

    /// Its place in the order.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.change.revision
    }

    /// The new version; of a deleted object its last one, shown under the revision of the deletion.
    #[must_use]
    pub fn item(&self) -> &Arc<Item> {
        &self.item
    }

    /// The version before, under its own revision.
    #[must_use]
    pub fn prev(&self) -> Option<&Arc<Item>> {
        self.prev.as_ref()
    }

    /// What it weighs in the ring, in bytes: keys and values, roughly.
    pub(crate) fn weight(&self) -> usize {
        /// The structs and reference counts around them.
        const OVERHEAD: usize = 512;
        let value = |stored: &Option<Arc<store_mvcc::Stored>>| {
            stored.as_ref().map_or(0, |stored| stored.value.len())
        };
        OVERHEAD
            + self.change.key.as_bytes().len()
            + value(&self.change.value)
            + value(&self.change.prev)
    }
}

impl Deref for Event {
    type Target = Change;

    fn deref(&self) -> &Change {
        &self.change
    }
}
