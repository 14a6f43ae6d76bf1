//! What checks look at again and again, kept in memory: a check must cost its entry nothing.
//!
//! Way in: [`Guards::at`], [`Guards::under`].  Owns: copies of what the rows hold, at most
//! [`GUARDS_MAX`] of each sort.
//! Invariant: what is kept is what the entry that is being applied would find; every change forgets
//! what it touches. So a check says the same with and without it.

use std::{collections::BTreeMap, sync::Arc};

use crate::{Change, Key, Revision, Stored};

/// Most answers of each sort that are kept; then they are looked up anew.
const GUARDS_MAX: usize = 1_024;

/// See the module.
#[derive(Default)]
pub(crate) struct Guards {
    /// What is at a key.
    keys: BTreeMap<Key, Option<Arc<Stored>>>,
    /// When the youngest of what is under a prefix was created.
    prefixes: BTreeMap<Key, Revision>,
}

impl Guards {
    /// What is at a key, if that is known.
    pub(crate) fn at(&self, key: &Key) -> Option<Option<Arc<Stored>>> {
        self.keys.get(key).cloned()
    }

    pub(crate) fn note(&mut self, key: &Key, found: Option<Arc<Stored>>) {
        if self.keys.len() >= GUARDS_MAX {
            self.keys.clear();
        }
        self.keys.insert(key.clone(), found);
    }

    /// When the youngest of what is under a prefix was created, if that is known.
    pub(crate) fn under(&self, prefix: &Key) -> Option<Revision> {
        self.prefixes.get(prefix).copied()
    }

    pub(crate) fn note_under(&mut self, prefix: &Key, newest: Revision) {
        if self.prefixes.len() >= GUARDS_MAX {
            self.prefixes.clear();
        }
        self.prefixes.insert(prefix.clone(), newest);
    }

    /// Forgets what a change touches.
    pub(crate) fn forget(&mut self, change: &Change) {
        self.keys.remove(&change.key);
        let is_update = change.value.is_some() && change.prev.is_some();
        if is_update || self.prefixes.is_empty() {
            return;
        }
        let bytes = change.key.as_bytes();
        let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        for (end, _) in ends {
            self.prefixes.remove(bytes.get(..=end).unwrap_or_default());
        }
    }
}
