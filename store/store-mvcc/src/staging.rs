//! What was applied but is not on disk yet, over what is.
//!
//! Way in: [`Staging`].  Owns: two layers of writes over the store: those of entries that were
//! applied since the last commit, and those of the entry that is being applied, which can be
//! undone.

use std::{collections::BTreeMap, sync::Arc};

use actors_core::ports::{DiskError, KeyRange, Pair, StateStore, Write};
use sha2::{Digest, Sha256};

use crate::{GroupId, Reader, StateHash, rows::Span};

type Layer = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// The rows as the entry that is being applied sees them.
pub(crate) struct Staging {
    store: Arc<dyn StateStore>,
    reader: Reader,
    applied: Layer,
    entry: Layer,
}

impl Staging {
    pub(crate) fn new(store: Arc<dyn StateStore>, group: GroupId) -> Self {
        let reader = Reader::new(Arc::clone(&store), group);
        Self { store, reader, applied: Layer::new(), entry: Layer::new() }
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

    /// The first row of a span in which every later write sorts before all earlier ones (versions
    /// of a key).
    pub(crate) fn newest(&self, span: &Span) -> Result<Option<Pair>, DiskError> {
        for layer in [&self.entry, &self.applied] {
            let first = layer.range(span.0.clone()..span.1.clone()).next();
            if let Some((key, Some(value))) = first {
                return Ok(Some((key.clone(), value.clone())));
            }
        }
        let range = KeyRange { start: &span.0, end: Some(&span.1), limit: 1, reverse: false };
        Ok(self.store.range(range)?.into_iter().next())
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
        self.applied.append(&mut self.entry);
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

/// The length goes first, so that no two different writes give the same stream of bytes.
fn hash_bytes(hasher: &mut Sha256, bytes: &[u8]) {
    hasher.update((bytes.len() as u64).to_be_bytes());
    hasher.update(bytes);
}
