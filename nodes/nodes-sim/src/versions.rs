//! What the replicas of one simulation have read already: each decodes a version only if none did
//! before.
//!
//! Way in: [`Versions::share`].  Never: a version that a replica does not have itself; a replica
//! whose bytes differ from the others' reads its own.

use std::{collections::BTreeMap, sync::Arc};

use actors_object::Object;
use store_catalog::{Item, Tree};
use store_mvcc::{Revision, Stored};

/// The latest versions, by the revision that they are shown at.
#[derive(Debug, Default)]
pub(crate) struct Versions {
    items: BTreeMap<Revision, Arc<Item>>,
}

impl Versions {
    /// Most versions that are kept: more than replicas are apart, and more than there are objects.
    const LEN_MAX: usize = 4_096;

    /// Lets a replica's version have the tree that another one's copy of it has.
    pub(crate) fn share(&mut self, item: &Arc<Item>) {
        match self.items.get(&item.revision()) {
            Some(known) => {
                item.share_object(known);
            }
            None => self.keep(Arc::clone(item)),
        }
    }

    /// The tree of a version, for who looks on.
    pub(crate) fn object(&mut self, stored: &Arc<Stored>) -> Arc<Object> {
        let item = Arc::new(Item::new(Arc::clone(stored), None));
        self.share(&item);
        item.object()
    }

    /// Takes the tree that a version was written from: whoever wrote it has it, in a server, too.
    pub(crate) fn adopt(&mut self, stored: &Arc<Stored>, tree: &Tree) {
        let item = Arc::new(Item::new(Arc::clone(stored), None));
        // What is sealed cannot be read, and so not be compared, without the server's key.
        if stored.key == tree.key && !stored.columns.sealed && item.adopt(&tree.object) {
            self.keep(item);
        }
    }

    fn keep(&mut self, item: Arc<Item>) {
        self.items.insert(item.revision(), item);
        if self.items.len() > Self::LEN_MAX {
            self.items.pop_first();
        }
    }
}
