//! How the catalog looks into objects: with the key for what is sealed, and an eye for bindings.
//!
//! Way in: [`Lens`].

use std::sync::Arc;

use bytes::Bytes;
use store_catalog::{Item, Opener};
use store_mvcc::{Key, Stored};

use crate::{Sealer, authz};

/// See the module.
pub(crate) struct Lens(pub(crate) Option<Arc<Sealer>>);

impl Opener for Lens {
    fn open(&self, stored: &Stored) -> Result<Bytes, String> {
        let sealer = self.0.as_ref().ok_or("there is no key here")?;
        let of = (&stored.key, stored.columns.uid.as_str());
        sealer.open(of, &stored.value).map_err(|error| error.to_string())
    }

    fn has_marks(&self, key: &Key) -> bool {
        authz::has_marks(key)
    }

    fn marks(&self, item: &Item) -> Vec<String> {
        authz::marks(item)
    }
}
