//! Encoded forms of versions, kept for the next reader, within one bound for all of them together.
//!
//! Way in: [`crate::Item::form`].  Owns: the order in which forms were kept.
//! Invariant: never more bytes than the bound; of what is kept the oldest goes first. A version that
//! is not among the latest is kept only where there is room, so that a list of everything drives out
//! nothing that watchers need.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use store_mvcc::Revision;

use crate::Item;

/// Which form of a version. What the numbers mean is their makers' business; [`Form::JSON`] is ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Form(pub u8);

impl Form {
    /// The object's JSON, `resourceVersion` filled in.
    pub const JSON: Self = Self(0);
}

/// The kept forms of all items of one catalog.
#[derive(Debug)]
pub struct Shelf {
    bytes_max: usize,
    newest: AtomicU64,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    bytes: usize,
    kept: VecDeque<Kept>,
}

#[derive(Debug)]
struct Kept {
    item: Weak<Item>,
    form: Form,
    weight: usize,
}

impl Shelf {
    /// Most bytes, unless said otherwise: with what the allocator adds, lists of everything make the
    /// process less than 20 MB larger.
    pub const BYTES: usize = 12 * 1024 * 1024;

    /// Versions this close to the newest revision drive out older ones.
    const RECENT: u64 = 4_096;

    /// What an entry costs besides its bytes, roughly.
    const OVERHEAD: usize = 96;

    /// An empty shelf.
    #[must_use]
    pub fn new(bytes_max: usize) -> Self {
        Self { bytes_max, newest: AtomicU64::new(0), queue: Mutex::default() }
    }

    /// How many bytes are kept.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.queue().bytes
    }

    /// Notes which revision is the newest.
    pub(crate) fn set_newest(&self, revision: Revision) {
        self.newest.fetch_max(revision.0, Ordering::Relaxed);
    }

    /// Whether a revision is among the latest: what is made of it now will be asked for again.
    pub(crate) fn is_recent(&self, revision: Revision) -> bool {
        revision.0 + Self::RECENT >= self.newest.load(Ordering::Relaxed)
    }

    /// Keeps a form of an item, if that is worth what it drives out.
    pub(crate) fn keep(&self, item: &Arc<Item>, form: Form, bytes: &Bytes) {
        let weight = bytes.len() + Self::OVERHEAD;
        // One large object must not empty the shelf.
        if weight > self.bytes_max / 4 {
            return;
        }
        let mut queue = self.queue();
        while queue.kept.front().is_some_and(|kept| kept.item.strong_count() == 0) {
            queue.drop_oldest();
        }
        if queue.bytes + weight > self.bytes_max && !self.is_recent(item.revision()) {
            return;
        }
        if !item.put(form, bytes) {
            return;
        }
        queue.bytes += weight;
        queue.kept.push_back(Kept { item: Arc::downgrade(item), form, weight });
        while queue.bytes > self.bytes_max {
            queue.drop_oldest();
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Each change is whole before anything can panic.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn drop_oldest(&mut self) {
        let Some(oldest) = self.kept.pop_front() else {
            self.bytes = 0;
            return;
        };
        self.bytes = self.bytes.saturating_sub(oldest.weight);
        if let Some(item) = oldest.item.upgrade() {
            item.forget(oldest.form);
        }
    }
}

impl Default for Shelf {
    fn default() -> Self {
        Self::new(Self::BYTES)
    }
}
