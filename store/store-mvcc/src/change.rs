//! A version of a key, and the change that made it.
//!
//! Way in: [`Stored`], [`Change`].  Invariant: both are immutable; readers share them.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{Columns, Key, LeaseId, Revision};

/// One version of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// Which key.
    pub key: Key,
    /// When the key was created.
    pub create_revision: Revision,
    /// When this version was written.
    pub mod_revision: Revision,
    /// Counts the versions since the creation, from 1.
    pub version: u64,
    /// The value as it was proposed: `resourceVersion` left out.
    pub value: Bytes,
    /// What was extracted from the value.
    pub columns: Columns,
    /// The lease that the key is tied to.
    pub lease: Option<LeaseId>,
}

impl Stored {
    /// About how many bytes it takes to write it down, and rather too many.
    pub(crate) fn len_hint(&self) -> usize {
        /// Numbers, lengths, what is neither here nor there.
        const REST: usize = 128;
        self.key.as_bytes().len() + self.value.len() + self.columns.len_hint() + REST
    }
}

/// What is committed, in memory: a replica that keeps every object there need not read its disk to
/// apply an entry.
pub trait Residents: Send + Sync {
    /// The newest version of a key, exactly as it was committed last; none if it does not exist.
    fn newest(&self, key: &Key) -> Option<Arc<Stored>>;
}

/// One change, under one revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Its place in the order.
    pub revision: Revision,
    /// Which key changed.
    pub key: Key,
    /// What happened to it.
    pub kind: ChangeKind,
    /// The new version; `None` if the key was deleted.
    pub value: Option<Arc<Stored>>,
    /// The version before; `None` if the key was created.
    pub prev: Option<Arc<Stored>>,
}

/// What happened to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChangeKind {
    /// It was created or changed.
    Put,
    /// It was deleted.
    Delete,
}

impl Change {
    /// Whether the key did not exist before.
    #[must_use]
    pub fn is_creation(&self) -> bool {
        self.kind == ChangeKind::Put && self.prev.is_none()
    }
}
