//! What was applied but is not on disk yet, over what is.
//!
//! Way in: [`Staging`].  Owns: two layers of writes over the store: those of entries that were
//! applied since the last commit, and those of the entry that is being applied, which can be
//! undone.

use std::{collections::BTreeMap, ops::Bound, sync::Arc};

use actors_core::ports::{DiskError, KeyRange, StateStore, Write};
use sha2::{Digest, Sha256};

use crate::{
    GroupId, Key, Reader, Residents, Revision, StateHash, Stored,
    rows::{self, Rows, Span, VersionRow},
};

type Layer = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// The rows as the entry that is being applied sees them.
pub(crate) struct Staging {
    store: Arc<dyn StateStore>,
    reader: Reader,
    applied: Layer,
    entry: Layer,
    /// What is committed, in memory, if somebody holds it there.
    residents: Option<Arc<dyn Residents>>,
}

impl Staging {
    pub(crate) fn new(store: Arc<dyn StateStore>, group: GroupId) -> Self {
        let reader = Reader::new(Arc::clone(&store), group);
        Self { store, reader, applied: Layer::new(), entry: Layer::new(), residents: None }
    }

    pub(crate) fn set_residents(&mut self, residents: Option<Arc<dyn Residents>>) {
        self.residents = residents;
    }

    pub(crate) fn store(&self) -> &Arc<dyn StateStore> {
        &self.store
    }

    pub(crate) fn reader(&self) -> &Reader {
        &self.reader
    }

    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, DiskError> {
        match self.entry.get(key).or_else(|| self.applied.get(key)) {
            Some(staged) => Ok(staged.clone()),
            None => self.store.get(key),
        }
    }

    /// The newest version of a key; none if it does not exist.
    pub(crate) fn current(&self, rows: Rows, key: &Key) -> Result<Option<Arc<Stored>>, DiskError> {
        let span = rows.versions(key, Revision(u64::MAX));
        let bounds = (Bound::Included(&*span.0), Bound::Excluded(&*span.1));
        // Later versions sort before earlier ones.
        let staged = |layer: &Layer| {
            let (row, value) = layer.range::<[u8], _>(bounds).next()?;
            value.as_ref().map(|value| newest(row, value))
        };
        if let Some(found) = staged(&self.entry).or_else(|| staged(&self.applied)) {
            return found;
        }
        if let Some(residents) = &self.residents {
            return Ok(residents.newest(key));
        }
        let range = KeyRange { start: &span.0, end: Some(&span.1), limit: 1, reverse: false };
        let found = self.store.range(range)?.into_iter().next();
        found.map_or(Ok(None), |(row, value)| newest(&row, &value))
    }

    /// The keys of all rows of a span, in order.
    pub(crate) fn keys(&self, span: &Span) -> Result<Vec<Vec<u8>>, DiskError> {
        let mut rows = BTreeMap::new();
        self.reader.scan(span, |key, _| {
            rows.insert(key.to_vec(), true);
            Ok(true)
        })?;
        for layer in [&self.applied, &self.entry] {
            let staged = layer.range(span.0.clone()..span.1.clone());
            rows.extend(staged.map(|(key, value)| (key.clone(), value.is_some())));
        }
        Ok(rows.into_iter().filter_map(|(key, exists)| exists.then_some(key)).collect())
    }

    pub(crate) fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.entry.insert(key, Some(value));
    }

    pub(crate) fn delete(&mut self, key: Vec<u8>) {
        self.entry.insert(key, None);
    }

    /// Undoes what the entry wrote so far.
    pub(crate) fn undo_entry(&mut self) {
        self.entry.clear();
    }

    /// Ends the entry: its writes count from now on. Gives the hash of everything including them.
    pub(crate) fn end_entry(&mut self, before: StateHash) -> StateHash {
        let mut hasher = Sha256::new_with_prefix(before.0);
        for (key, value) in &self.entry {
            hash_bytes(&mut hasher, key);
            hasher.update([u8::from(value.is_some())]);
            hash_bytes(&mut hasher, value.as_deref().unwrap_or_default());
        }
        // Not `append`: that rebuilds the whole map, once for each entry of a batch.
        self.applied.extend(std::mem::take(&mut self.entry));
        StateHash(hasher.finalize().into())
    }

    /// What the next batch on disk must hold.
    pub(crate) fn writes(&self) -> Vec<Write> {
        self.applied.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    /// Forgets what that batch held: it is on disk.
    pub(crate) fn clear(&mut self) {
        self.applied.clear();
    }
}

/// What a row of versions holds.
fn newest(row: &[u8], value: &[u8]) -> Result<Option<Arc<Stored>>, DiskError> {
    Ok(rows::decode::<VersionRow>(row, value)?.map(Arc::new))
}

/// The length goes first, so that no two different writes give the same stream of bytes.
fn hash_bytes(hasher: &mut Sha256, bytes: &[u8]) {
    hasher.update((bytes.len() as u64).to_be_bytes());
    hasher.update(bytes);
}
