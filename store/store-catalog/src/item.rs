//! One version of an object, and its forms: the stored bytes, the bytes that clients see, the tree.
//!
//! Way in: [`Item`].  Invariant: each form is made once, on first demand, and shared by all
//! readers.

use std::sync::{Arc, OnceLock};

use actors_object::{Object, json};
use bytes::Bytes;
use store_mvcc::{Key, Revision, Stored};

/// Makes readable what was sealed before it was proposed.
pub trait Opener: Send + Sync {
    /// The canonical JSON of a sealed version.
    ///
    /// # Errors
    /// A sentence that says why it cannot be opened.
    fn open(&self, stored: &Stored) -> Result<Bytes, String>;
}

/// Why a version has no readable form. Nothing but damage or a lost key gets here: what is stored
/// came through the door.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ItemError {
    /// It is sealed, and there is no key for it here.
    #[error("{key} is sealed and cannot be opened: {cause}")]
    Sealed {
        /// Whose version.
        key: Key,
        /// What the opener said.
        cause: String,
    },
    /// The bytes are not the JSON of an object.
    #[error("{key} does not hold an object: {cause}")]
    Malformed {
        /// Whose version.
        key: Key,
        /// What the decoder said.
        cause: String,
    },
}

/// One version of an object.
pub struct Item {
    stored: Arc<Stored>,
    /// What clients see as `resourceVersion`; a deletion shows the last version under the
    /// deletion's revision.
    revision: Revision,
    opener: Option<Arc<dyn Opener>>,
    object: OnceLock<Result<Arc<Object>, ItemError>>,
    bytes: OnceLock<Result<Bytes, ItemError>>,
}

impl Item {
    /// A version under its own revision. Only sealed ones use `opener`.
    #[must_use]
    pub fn new(stored: Arc<Stored>, opener: Option<&Arc<dyn Opener>>) -> Self {
        let revision = stored.mod_revision;
        Self::shown_at(stored, revision, opener)
    }

    /// A version under a later revision: that of its deletion.
    #[must_use]
    pub fn shown_at(
        stored: Arc<Stored>,
        revision: Revision,
        opener: Option<&Arc<dyn Opener>>,
    ) -> Self {
        let opener = opener.filter(|_| stored.columns.sealed).map(Arc::clone);
        Self { stored, revision, opener, object: OnceLock::new(), bytes: OnceLock::new() }
    }

    /// What the store holds.
    #[must_use]
    pub fn stored(&self) -> &Arc<Stored> {
        &self.stored
    }

    /// Its key.
    #[must_use]
    pub fn key(&self) -> &Key {
        &self.stored.key
    }

    /// Its uid.
    #[must_use]
    pub fn uid(&self) -> &str {
        &self.stored.columns.uid
    }

    /// The revision that clients see as its `resourceVersion`.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// One of its labels, from the index: nothing is decoded.
    #[must_use]
    pub fn label(&self, name: &str) -> Option<&str> {
        find(&self.stored.columns.labels, name)
    }

    /// One of its selectable fields, from the index: nothing is decoded.
    #[must_use]
    pub fn field(&self, path: &str) -> Option<&str> {
        find(&self.stored.columns.fields, path)
    }

    /// The object, `resourceVersion` filled in.
    ///
    /// # Errors
    /// [`ItemError`], the same each time.
    pub fn try_object(&self) -> Result<Arc<Object>, ItemError> {
        self.object.get_or_init(|| self.decode()).clone()
    }

    /// The object, `resourceVersion` filled in.
    ///
    /// Damage or a lost key gives an object without a kind, so that one bad version does not stop
    /// all the others; who serves a single object asks [`Item::try_object`] and says what is wrong.
    #[must_use]
    pub fn object(&self) -> Arc<Object> {
        self.try_object().unwrap_or_default()
    }

    /// Its JSON, `resourceVersion` filled in.
    ///
    /// # Errors
    /// [`ItemError`], the same each time.
    pub fn try_bytes(&self) -> Result<Bytes, ItemError> {
        self.bytes.get_or_init(|| self.splice()).clone()
    }

    /// Its JSON, `resourceVersion` filled in; `{}` where [`Item::object`] has no kind.
    #[must_use]
    pub fn bytes_with_rv(&self) -> Bytes {
        self.try_bytes().unwrap_or(Bytes::from_static(b"{}"))
    }

    /// The canonical JSON without `resourceVersion`.
    fn plain(&self) -> Result<Bytes, ItemError> {
        if !self.stored.columns.sealed {
            return Ok(self.stored.value.clone());
        }
        let opened = self.opener.as_ref().ok_or_else(|| "there is no key here".to_owned());
        let opened = opened.and_then(|opener| opener.open(&self.stored));
        opened.map_err(|cause| ItemError::Sealed { key: self.stored.key.clone(), cause })
    }

    fn decode(&self) -> Result<Arc<Object>, ItemError> {
        let value =
            json::from_slice(&self.plain()?).map_err(|cause| self.malformed(cause.to_string()))?;
        if value.as_map().is_none() {
            return Err(self.malformed("it is no JSON object".to_owned()));
        }
        let mut object = Object(value);
        object.set_resource_version(&self.revision.to_string());
        Ok(Arc::new(object))
    }

    fn splice(&self) -> Result<Bytes, ItemError> {
        let plain = self.plain()?;
        let at = usize::try_from(self.stored.columns.rv_at).ok();
        let Some((head, tail)) = at.and_then(|at| plain.split_at_checked(at)) else {
            return Err(
                self.malformed("the place of resourceVersion lies behind its end".to_owned())
            );
        };
        let field = format!(",\"resourceVersion\":\"{}\"", self.revision);
        Ok(Bytes::from([head, field.as_bytes(), tail].concat()))
    }

    fn malformed(&self, cause: String) -> ItemError {
        ItemError::Malformed { key: self.stored.key.clone(), cause }
    }
}

fn find<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(known, _)| known == name).map(|(_, text)| text.as_str())
}

impl std::fmt::Debug for Item {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Item({}@{})", self.stored.key, self.revision)
    }
}
