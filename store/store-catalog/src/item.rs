//! One version of an object, and its forms: the stored bytes, the bytes that clients see, the tree.
//!
//! Way in: [`Item`].  Invariant: a form is made on first demand and shared by all readers: the tree
//! for as long as the version lives, encodings for as long as the [`Shelf`] has room.

use std::{
    borrow::Cow,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use actors_object::{Object, json};
use bytes::Bytes;
use store_mvcc::{Key, Revision, Stored};

use crate::{Form, Shelf};

/// Knows what is in objects: makes readable what was sealed before it was proposed, and says by what
/// else they are found.
pub trait Opener: Send + Sync {
    /// The canonical JSON of a sealed version.
    ///
    /// # Errors
    /// A sentence that says why it cannot be opened.
    fn open(&self, stored: &Stored) -> Result<Bytes, String>;

    /// Whether objects at this key are also found by marks; asked of every change.
    fn has_marks(&self, _key: &Key) -> bool {
        false
    }

    /// By which marks an object is found, besides its key, its uid and its owners. The same version
    /// always has the same.
    fn marks(&self, _item: &Item) -> Vec<String> {
        Vec::new()
    }
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
    shelf: Option<Arc<Shelf>>,
    object: OnceLock<Result<Arc<Object>, ItemError>>,
    forms: Mutex<Vec<Encoded>>,
}

/// One encoding: how long it is stays known when its bytes are dropped.
#[derive(Debug)]
struct Encoded {
    form: Form,
    len: usize,
    bytes: Option<Bytes>,
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
        let (object, forms) = (OnceLock::new(), Mutex::default());
        Self { stored, revision, opener, shelf: None, object, forms }
    }

    /// The same version, whose encodings are kept on a shelf.
    pub(crate) fn on(self, shelf: &Arc<Shelf>) -> Self {
        Self { shelf: Some(Arc::clone(shelf)), ..self }
    }

    /// The same version under a later revision: that at which it ceased to match a selector.
    #[must_use]
    pub fn at(&self, revision: Revision) -> Self {
        let item = Self::shown_at(Arc::clone(&self.stored), revision, self.opener.as_ref());
        Self { shelf: self.shelf.clone(), ..item }
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

    /// Takes over the tree that another replica's copy of this very version has made, so that
    /// several replicas in one process read each version once; whether it did.
    pub fn share_object(&self, other: &Self) -> bool {
        let is_same = || self.revision == other.revision && self.stored == other.stored;
        match other.object.get() {
            Some(Ok(object)) if is_same() => self.object.set(Ok(Arc::clone(object))).is_ok(),
            _ => false,
        }
    }

    /// Takes over the tree that this version's bytes were written from, `resourceVersion` not yet
    /// filled in, so that whoever wrote it need not read it again; whether it did.
    pub fn adopt(&self, tree: &Object) -> bool {
        let mut object = tree.clone();
        object.set_resource_version(&self.revision.to_string());
        debug_assert_eq!(self.decode().as_deref(), Ok(&object), "a tree of other bytes");
        self.object.set(Ok(Arc::new(object))).is_ok()
    }

    /// The object, as [`Item::try_object`] has it, but not kept: for those who pass over many.
    ///
    /// # Errors
    /// [`ItemError`], the same each time.
    pub fn read_object(&self) -> Result<Arc<Object>, ItemError> {
        self.object.get().cloned().unwrap_or_else(|| self.decode())
    }

    /// Its JSON, `resourceVersion` filled in.
    ///
    /// # Errors
    /// [`ItemError`], the same each time.
    pub fn try_bytes(&self) -> Result<Bytes, ItemError> {
        match self.kept(Form::JSON) {
            Some(bytes) => Ok(bytes),
            None => self.pieces().map(|pieces| pieces.concat().into()),
        }
    }

    /// Its JSON, `resourceVersion` filled in; `{}` where [`Item::object`] has no kind.
    #[must_use]
    pub fn bytes_with_rv(&self) -> Bytes {
        self.try_bytes().unwrap_or(Bytes::from_static(b"{}"))
    }

    /// Its JSON in three parts, to be written one behind the other: what is stored before
    /// `resourceVersion`, that field, and the rest. Nothing is copied.
    ///
    /// # Errors
    /// [`ItemError`], the same each time.
    pub fn pieces(&self) -> Result<[Bytes; 3], ItemError> {
        let plain = self.plain()?;
        let at = self.revision_at(&plain)?;
        let field = format!(",\"resourceVersion\":\"{}\"", self.revision);
        Ok([plain.slice(..at), field.into(), plain.slice(at..)])
    }

    /// Its canonical JSON without `resourceVersion`, and the place in there where that belongs.
    /// What is not sealed is lent, not shared: who reads many writes to no counter of theirs.
    ///
    /// # Errors
    /// [`ItemError`], the same each time.
    pub fn canonical(&self) -> Result<(Cow<'_, [u8]>, usize), ItemError> {
        let plain = match self.stored.columns.sealed {
            false => Cow::Borrowed(&self.stored.value[..]),
            true => Cow::Owned(self.plain()?.into()),
        };
        let at = self.revision_at(&plain)?;
        Ok((plain, at))
    }

    /// A form of this version: the one that was made before, or what `make` makes, which is then
    /// kept for others as long as the shelf has room.
    ///
    /// # Errors
    /// That of `make`.
    pub fn form<E>(
        self: &Arc<Self>,
        form: Form,
        make: impl FnOnce() -> Result<Bytes, E>,
    ) -> Result<Bytes, E> {
        if let Some(bytes) = self.kept(form) {
            return Ok(bytes);
        }
        let bytes = make()?;
        self.note(form, bytes.len());
        if let Some(shelf) = &self.shelf {
            shelf.keep(self, form, &bytes);
        }
        Ok(bytes)
    }

    /// How long a form is, if it was ever made.
    #[must_use]
    pub fn form_len(&self, form: Form) -> Option<usize> {
        self.forms().iter().find(|encoded| encoded.form == form).map(|encoded| encoded.len)
    }

    /// Whether it is among the latest versions, which many watchers are told of at once.
    #[must_use]
    pub fn is_recent(&self) -> bool {
        self.shelf.as_ref().is_some_and(|shelf| shelf.is_recent(self.revision))
    }

    fn kept(&self, form: Form) -> Option<Bytes> {
        self.forms().iter().find(|encoded| encoded.form == form)?.bytes.clone()
    }

    /// Remembers how long a form is, for those who must know that before they send it.
    pub fn note(&self, form: Form, len: usize) {
        let mut forms = self.forms();
        if !forms.iter().any(|encoded| encoded.form == form) {
            // Most versions have one, and there are many versions.
            forms.reserve_exact(1);
            forms.push(Encoded { form, len, bytes: None });
        }
    }

    /// Holds the bytes of a form that was noted; false if it has them already.
    pub(crate) fn put(&self, form: Form, bytes: &Bytes) -> bool {
        let mut forms = self.forms();
        let noted = forms.iter_mut().find(|encoded| encoded.form == form);
        let Some(encoded) = noted.filter(|encoded| encoded.bytes.is_none()) else { return false };
        encoded.bytes = Some(bytes.clone());
        true
    }

    /// Lets go of the bytes of a form.
    pub(crate) fn forget(&self, form: Form) {
        if let Some(encoded) = self.forms().iter_mut().find(|encoded| encoded.form == form) {
            encoded.bytes = None;
        }
    }

    fn forms(&self) -> MutexGuard<'_, Vec<Encoded>> {
        // Each change is whole before anything can panic.
        self.forms.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// The place of `resourceVersion` in the canonical JSON.
    fn revision_at(&self, plain: &[u8]) -> Result<usize, ItemError> {
        let at = usize::try_from(self.stored.columns.rv_at).unwrap_or(usize::MAX);
        if at > plain.len() {
            let cause = "the place of resourceVersion lies behind its end".to_owned();
            return Err(self.malformed(cause));
        }
        Ok(at)
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
