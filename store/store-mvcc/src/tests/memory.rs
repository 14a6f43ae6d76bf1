//! A store in memory that remembers its state after each batch, so that a crash may undo any of the
//! last ones.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard},
};

use actors_core::ports::{DiskError, KeyRange, Pair, StateStore, Write};

type Map = BTreeMap<Vec<u8>, Vec<u8>>;

/// Every state that the store was in; the last one is the present.
#[derive(Debug)]
pub(super) struct MemoryState {
    states: Mutex<Vec<Map>>,
    failure: Mutex<Option<DiskError>>,
}

impl Default for MemoryState {
    fn default() -> Self {
        Self { states: Mutex::new(vec![Map::new()]), failure: Mutex::default() }
    }
}

impl MemoryState {
    /// What a process finds that starts after a crash which left only the first `batches` batches.
    pub(super) fn after_crash(&self, batches: usize) -> Self {
        let kept = self.states()[batches].clone();
        Self { states: Mutex::new(vec![kept]), failure: Mutex::default() }
    }

    /// How many batches were written.
    pub(super) fn batches(&self) -> usize {
        self.states().len() - 1
    }

    /// What it holds now.
    pub(super) fn contents(&self) -> Map {
        self.states().last().cloned().unwrap_or_default()
    }

    /// How many rows there are now.
    pub(super) fn rows(&self) -> usize {
        self.contents().len()
    }

    /// Makes every later batch fail, or none.
    pub(super) fn fail(&self, failure: Option<DiskError>) {
        *self.failure.lock().unwrap() = failure;
    }

    fn states(&self) -> MutexGuard<'_, Vec<Map>> {
        self.states.lock().unwrap()
    }
}

impl StateStore for MemoryState {
    fn batch(&self, writes: Vec<Write>) -> Result<(), DiskError> {
        if let Some(failure) = self.failure.lock().unwrap().clone() {
            return Err(failure);
        }
        let mut states = self.states();
        let mut next = states.last().cloned().unwrap_or_default();
        for (key, value) in writes {
            match value {
                Some(value) => next.insert(key, value),
                None => next.remove(&key),
            };
        }
        states.push(next);
        Ok(())
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, DiskError> {
        Ok(self.states().last().and_then(|map| map.get(key).cloned()))
    }

    fn range(&self, range: KeyRange<'_>) -> Result<Vec<Pair>, DiskError> {
        let states = self.states();
        let inside = |key: &[u8]| key >= range.start && range.end.is_none_or(|end| key < end);
        let rows = states.last().into_iter().flatten().filter(|(key, _)| inside(key));
        let rows = rows.map(|(key, value)| (key.clone(), value.clone()));
        let mut rows: Vec<_> = rows.collect();
        if range.reverse {
            rows.reverse();
        }
        rows.truncate(range.limit);
        Ok(rows)
    }

    fn flush(&self) -> Result<(), DiskError> {
        Ok(())
    }
}
