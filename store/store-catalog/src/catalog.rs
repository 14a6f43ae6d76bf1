//! Takes in what was applied, and lends it to everybody.
//!
//! Way in: [`Catalog::load`], [`Catalog::publish`].  Owns: the present snapshot and the ring.
//! Time and order: a change is published after it is applied, in the order of revisions; the host
//! wakes watchers after that, so who was woken finds its events.

use std::sync::Arc;

use actors_object::Object;
use store_mvcc::{Change, Key, ReadError, Reader, Revision, Stored};

use crate::{Event, Item, Opener, Ring, RingLimits, Shelf, Snapshot};

/// The resident objects of one group.
pub struct Catalog {
    snapshot: Snapshot,
    ring: Ring,
    limits: RingLimits,
    opener: Option<Arc<dyn Opener>>,
    shelf: Arc<Shelf>,
}

/// What one publication brought: plain data by which a host knows whom to wake.
#[derive(Debug, Clone)]
pub struct Published {
    /// The newest revision.
    pub revision: Revision,
    /// What happened, in order.
    pub events: Vec<Arc<Event>>,
}

impl Catalog {
    /// Objects that are read from the disk at once by [`Catalog::load`].
    const PAGE: usize = 1_024;

    /// An empty catalog. `opener` reads sealed values; without one they are not decoded.
    #[must_use]
    pub fn new(limits: RingLimits, opener: Option<Arc<dyn Opener>>) -> Self {
        let ring = Ring::new(limits, Revision::default());
        let shelf = Arc::new(Shelf::default());
        Self { snapshot: Snapshot::default(), ring, limits, opener, shelf }
    }

    /// The same catalog with a shelf of another size for encodings.
    #[must_use]
    pub fn with_shelf(self, shelf: Shelf) -> Self {
        Self { shelf: Arc::new(shelf), ..self }
    }

    /// Becomes what a replica holds on disk: at its start, or after it took over another one's
    /// copy. The ring is empty then; watchers read the history.
    ///
    /// Nothing may be committed meanwhile.
    ///
    /// # Errors
    /// The reader's.
    pub fn load(&mut self, reader: &Reader) -> Result<(), ReadError> {
        let position = reader.position()?;
        let mut snapshot = Snapshot::default();
        (snapshot.revision, snapshot.compacted) = (position.revision, position.compacted);
        snapshot.level = position.level.max(1);
        let mut start = Key::default();
        loop {
            let page = reader.range_at((&start, None), position.revision, Self::PAGE)?;
            for stored in &page {
                let item = Item::new(Arc::clone(stored), self.opener.as_ref()).on(&self.shelf);
                let item = Arc::new(item);
                snapshot.insert(&item);
                snapshot.mark(&item, &self.marks(&item));
            }
            match page.get(Self::PAGE - 1) {
                Some(last) => start = last.key.successor(),
                None => break,
            }
        }
        self.ring = Ring::new(self.limits, position.revision);
        self.shelf.set_newest(position.revision);
        self.snapshot = snapshot;
        Ok(())
    }

    /// Takes in what one or more entries changed. `revision` is the newest one, `changes` end
    /// there.
    pub fn publish(&mut self, changes: &[Arc<Change>], revision: Revision) -> Published {
        let mut events = Vec::with_capacity(changes.len());
        self.shelf.set_newest(revision);
        for change in changes {
            let before = self.snapshot.get(&change.key);
            if let Some(before) = &before {
                let marks = self.marks(before);
                self.snapshot.unmark(&change.key, &marks);
            }
            let opener = self.opener.as_ref();
            let event = Event::shelved(Arc::clone(change), before, opener, &self.shelf);
            let Some(event) = event else {
                self.snapshot.remove(&change.key);
                continue;
            };
            match &change.value {
                Some(_) => {
                    self.snapshot.insert(event.item());
                    let marks = self.marks(event.item());
                    self.snapshot.mark(event.item(), &marks);
                }
                None => self.snapshot.remove(&change.key),
            }
            let event = Arc::new(event);
            self.ring.push(Arc::clone(&event));
            events.push(event);
        }
        self.snapshot.revision = self.snapshot.revision.max(revision);
        Published { revision: self.snapshot.revision, events }
    }

    fn marks(&self, item: &Item) -> Vec<String> {
        let opener = self.opener.as_ref().filter(|opener| opener.has_marks(item.key()));
        opener.map(|opener| opener.marks(item)).unwrap_or_default()
    }

    /// Notes that history was given up: watches from before `compacted` have expired.
    pub fn set_compacted(&mut self, compacted: Revision) {
        self.snapshot.compacted = self.snapshot.compacted.max(compacted);
    }

    /// Notes what all replicas agreed on.
    pub fn set_level(&mut self, level: u16) {
        self.snapshot.level = self.snapshot.level.max(level);
    }

    /// Everything as it is now, for as long as the caller likes.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.snapshot.clone()
    }

    /// The latest events.
    #[must_use]
    pub fn ring(&self) -> &Ring {
        &self.ring
    }

    /// Where encodings are kept.
    #[must_use]
    pub fn shelf(&self) -> &Shelf {
        &self.shelf
    }

    /// What reads sealed values.
    #[must_use]
    pub fn opener(&self) -> Option<&Arc<dyn Opener>> {
        self.opener.as_ref()
    }

    /// An item of a version that was read from the history.
    #[must_use]
    pub fn item(&self, stored: Arc<Stored>) -> Item {
        Item::new(stored, self.opener.as_ref())
    }
}

/// The tree from which the value of a proposal was written: where it is applied, nobody need read
/// the value.
#[derive(Debug, Clone)]
pub struct Tree {
    /// Whose.
    pub key: Key,
    /// As it was written, without a revision.
    pub object: Arc<Object>,
}

impl Published {
    /// Gives the version of `revision` the tree that it was written from.
    pub fn adopt(&self, revision: Revision, tree: &Tree) {
        let found = self.events.binary_search_by_key(&revision, |event| event.revision());
        let event = found.ok().and_then(|at| self.events.get(at));
        if let Some(event) = event.filter(|it| it.key == tree.key && it.value.is_some()) {
            event.item().adopt(&tree.object);
        }
    }

    /// Whether a watcher of `prefix` has something to read.
    #[must_use]
    pub fn touches(&self, prefix: &Key) -> bool {
        self.events.iter().any(|event| event.key.has_prefix(prefix))
    }
}

impl Default for Catalog {
    fn default() -> Self {
        Self::new(RingLimits::default(), None)
    }
}

impl std::fmt::Debug for Catalog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Catalog").field("revision", &self.snapshot.revision).finish_non_exhaustive()
    }
}
