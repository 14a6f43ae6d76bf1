//! Tests of the catalog through its public surface.

mod index;
mod items;
mod replica;
mod shelf;
mod watches;

use std::sync::Arc;

use bytes::Bytes;
use store_mvcc::{Change, ChangeKind, Columns, Key, Revision, Stored};

use crate::{Catalog, RingLimits};

/// The columns of an object with a uid and owners.
fn columns(uid: &str, owners: &[&str]) -> Columns {
    let owners = owners.iter().map(|owner| (*owner).to_owned()).collect();
    Columns { uid: uid.to_owned(), owners, ..Columns::default() }
}

/// Makes the changes that a store would, and publishes each.
struct Feed {
    catalog: Catalog,
    revision: u64,
    changes: Vec<Arc<Change>>,
}

impl Feed {
    fn new() -> Self {
        Self::with_ring(RingLimits::default())
    }

    fn with_ring(limits: RingLimits) -> Self {
        Self { catalog: Catalog::new(limits, None), revision: 0, changes: Vec::new() }
    }

    fn put(&mut self, key: &str, columns: Columns) {
        let name = key.rsplit('/').next().unwrap_or(key);
        let value = Bytes::from(format!(r#"{{"kind":"Pod","metadata":{{"name":"{name}"}}}}"#));
        let rv_at = u32::try_from(value.len() - 2).unwrap();
        let prev = self.catalog.snapshot().get(&key.into()).map(|item| Arc::clone(item.stored()));
        let revision = Revision(self.revision + 1);
        let stored = Stored {
            key: key.into(),
            create_revision: prev.as_ref().map_or(revision, |prev| prev.create_revision),
            mod_revision: revision,
            version: prev.as_ref().map_or(1, |prev| prev.version + 1),
            value,
            columns: Columns { rv_at, ..columns },
            lease: None,
        };
        self.publish(key.into(), Some(Arc::new(stored)), prev);
    }

    fn delete(&mut self, key: &str) {
        let prev = self.catalog.snapshot().get(&key.into()).map(|item| Arc::clone(item.stored()));
        self.publish(key.into(), None, prev);
    }

    fn publish(&mut self, key: Key, value: Option<Arc<Stored>>, prev: Option<Arc<Stored>>) {
        self.revision += 1;
        let revision = Revision(self.revision);
        let kind = if value.is_some() { ChangeKind::Put } else { ChangeKind::Delete };
        let change = Arc::new(Change { revision, key, kind, value, prev });
        self.changes.push(Arc::clone(&change));
        let published = self.catalog.publish(&[Arc::clone(&change)], revision);
        assert_eq!((published.revision, published.events.len()), (revision, 1));
        assert!(published.touches(&change.key) && !published.touches(&"/elsewhere/".into()));
    }
}
