//! Who watches which prefix, so that a change wakes nobody else.
//!
//! Way in: [`Interest::join`], [`Interest::wake`].  Writes: only the herald wakes.
//! Invariants: 1. a prefix is listed while somebody watches it. 2. what a [`Touch`] calls quiet is
//! quiet: an idle watcher skips it, however long ago that is compacted.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use store_catalog::Event;
use store_mvcc::{Key, Revision};
use tokio::sync::watch;

use crate::locks::lock;

/// All watched prefixes of one store.
#[derive(Debug, Default)]
pub(crate) struct Interest {
    table: Mutex<Table>,
    /// All events up to this revision have woken whom they concern.
    examined: AtomicU64,
}

#[derive(Debug, Default)]
struct Table {
    groups: BTreeMap<Key, Group>,
    /// How many prefixes have this length: only these are looked up.
    lengths: BTreeMap<usize, usize>,
}

/// Everybody who watches one prefix.
#[derive(Debug)]
struct Group {
    members: usize,
    touched: watch::Sender<Touch>,
}

/// When a prefix changed last. The prefix was quiet behind `previous` up to `quiet`, and is behind
/// `last`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Touch {
    /// Up to here something may have happened.
    last: Revision,
    /// Up to here, from `previous` on, nothing did.
    quiet: Revision,
    /// Where the touch before this one ended.
    previous: Revision,
}

impl Touch {
    /// How far a watcher that knows everything up to `after` may skip, when everything is known up
    /// to `examined`.
    pub(crate) fn skips(&self, after: Revision, examined: Revision) -> Option<Revision> {
        let (from, to) =
            if self.last <= after { (self.last, examined) } else { (self.previous, self.quiet) };
        (from <= after && after < to).then_some(to)
    }

    fn next(&self, quiet: Revision, last: Revision) -> Self {
        Self { last, quiet, previous: self.last }
    }
}

impl Interest {
    /// Joins those who watch `prefix`. The receiver is woken when it is touched.
    pub(crate) fn join(&self, prefix: &Key) -> watch::Receiver<Touch> {
        let mut table = lock(&self.table);
        let Table { groups, lengths } = &mut *table;
        let group = groups.entry(prefix.clone()).or_insert_with(|| {
            *lengths.entry(prefix.as_bytes().len()).or_default() += 1;
            // What happened before is not known here.
            let (last, quiet, previous) = (self.examined(), self.examined(), self.examined());
            Group { members: 0, touched: watch::Sender::new(Touch { last, quiet, previous }) }
        });
        group.members += 1;
        group.touched.subscribe()
    }

    pub(crate) fn leave(&self, prefix: &Key) {
        let mut table = lock(&self.table);
        let Some(group) = table.groups.get_mut(prefix) else { return };
        group.members -= 1;
        if group.members > 0 {
            return;
        }
        table.groups.remove(prefix);
        let length = prefix.as_bytes().len();
        if let Some(count) = table.lengths.get_mut(&length) {
            *count -= 1;
            if *count == 0 {
                table.lengths.remove(&length);
            }
        }
    }

    /// Everything up to here has woken whom it concerns.
    pub(crate) fn examined(&self) -> Revision {
        Revision(self.examined.load(Ordering::Acquire))
    }

    /// Wakes everybody whose prefix one of these events touches; they reach up to `examined`.
    pub(crate) fn wake(&self, events: &[Arc<Event>], examined: Revision) {
        let table = lock(&self.table);
        let mut touched: BTreeMap<&Key, &Group> = BTreeMap::new();
        for event in events {
            let bytes = event.key.as_bytes();
            for length in table.lengths.range(..=bytes.len()).map(|(length, _)| *length) {
                touched.extend(table.groups.get_key_value(&bytes[..length]));
            }
        }
        let quiet = self.examined();
        for group in touched.into_values() {
            group.touched.send_modify(|touch| *touch = touch.next(quiet, examined));
        }
        self.examined.store(examined.0, Ordering::Release);
    }

    /// Wakes everybody: what happened up to `examined` was not looked at.
    pub(crate) fn wake_all(&self, examined: Revision) {
        let table = lock(&self.table);
        let quiet = self.examined();
        for group in table.groups.values() {
            group.touched.send_modify(|touch| *touch = touch.next(quiet, examined));
        }
        self.examined.store(examined.0, Ordering::Release);
    }
}
