//! A simulated ordered map with atomic batches.
//!
//! Way in: [`SimState`].  Invariant: a crash keeps or loses a batch as a whole.

use std::{collections::BTreeMap, ops::Bound, sync::Arc};

use actors_core::{
    Rng,
    ports::{DiskError, KeyRange, Pair, StateStore, Write},
};

use super::{Disk, File, Image, SimDisk};

#[derive(Debug, Default)]
pub(super) struct StateImage(BTreeMap<Arc<[u8]>, Arc<[u8]>>);

/// Keys with what they hold from then on.
type Batch = Vec<(Arc<[u8]>, Option<Arc<[u8]>>)>;

impl Image for StateImage {
    type Op = Batch;
    /// The same keys, in the same order, with what they held before.
    type Undo = Batch;

    fn apply(&mut self, batch: &Batch) -> Batch {
        let put = |(key, value): &(Arc<[u8]>, Option<Arc<[u8]>>)| {
            let before = match value {
                Some(value) => self.0.insert(Arc::clone(key), Arc::clone(value)),
                None => self.0.remove(key),
            };
            (Arc::clone(key), before)
        };
        batch.iter().map(put).collect()
    }

    fn revert(&mut self, undo: Batch) {
        // A key that stands twice held the first one's value before.
        for (key, before) in undo.into_iter().rev() {
            match before {
                Some(value) => self.0.insert(key, value),
                None => self.0.remove(&key),
            };
        }
    }

    fn torn(_batch: &Self::Op, _rng: &mut Rng) -> Option<Self::Op> {
        None
    }
}

/// An ordered map on a simulated disk.
#[derive(Debug)]
pub struct SimState {
    pub(super) disk: SimDisk,
    pub(super) boot: u64,
    pub(super) name: Arc<str>,
}

impl SimState {
    fn with<T>(&self, work: impl FnOnce(&mut Disk, &Arc<str>) -> T) -> Result<T, DiskError> {
        Ok(work(&mut *self.disk.open(self.boot)?, &self.name))
    }
}

/// The file was made when the map was opened, and files are never removed.
fn file<'a>(disk: &'a mut Disk, name: &Arc<str>) -> &'a mut File<StateImage> {
    disk.states.entry(Arc::clone(name)).or_default()
}

impl StateStore for SimState {
    fn batch(&self, writes: Vec<Write>) -> Result<(), DiskError> {
        let batch = writes.into_iter().map(|(key, value)| (key.into(), value.map(Into::into)));
        let batch = batch.collect();
        self.with(|disk, name| {
            disk.check_room()?;
            file(disk, name).write(batch);
            Ok(())
        })?
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, DiskError> {
        self.with(|disk, name| file(disk, name).image.0.get(key).map(|value| value.to_vec()))
    }

    fn range(&self, range: KeyRange<'_>) -> Result<Vec<Pair>, DiskError> {
        if range.end.is_some_and(|end| end <= range.start) {
            return Ok(Vec::new());
        }
        self.with(|disk, name| {
            let end = range.end.map_or(Bound::Unbounded, Bound::Excluded);
            let map = &file(disk, name).image.0;
            let pairs = map.range::<[u8], _>((Bound::Included(range.start), end));
            let copy = |(key, value): (&Arc<[u8]>, &Arc<[u8]>)| (key.to_vec(), value.to_vec());
            if range.reverse {
                pairs.rev().take(range.limit).map(copy).collect()
            } else {
                pairs.take(range.limit).map(copy).collect()
            }
        })
    }

    fn flush(&self) -> Result<(), DiskError> {
        self.with(|disk, name| {
            disk.draw_sync_error()?;
            let file = file(disk, name);
            file.sync_to(file.issued);
            Ok(())
        })?
    }
}
