//! What the door answers.
//!
//! Way in: [`Response`].  Stored objects travel as their bytes; nothing is encoded twice.

use std::sync::Arc;

use actors_object::{ApiError, Object, Value};
use store_catalog::Item;
use store_mvcc::Revision;

/// An answer: a code, what is sent, and warnings for the client.
#[derive(Debug, Clone)]
pub struct Response {
    /// The HTTP status code.
    pub code: u16,
    /// What is sent.
    pub body: ResponseBody,
    /// Sentences for the `Warning` header (RFC 9111 section 5.5, code 299).
    pub warnings: Vec<String>,
    /// The revision from which on a replica shows what this answer tells, where that is known.
    pub revision: Option<Revision>,
}

/// What is sent.
#[derive(Debug, Clone)]
pub enum ResponseBody {
    /// One object.
    Entry(Entry),
    /// Many.
    List(List),
    /// A `metav1.Status` that tells of success.
    Success(Value),
    /// A refusal.
    Error(ApiError),
}

/// One object of an answer.
#[derive(Debug, Clone)]
pub enum Entry {
    /// As it is stored.
    Stored(Arc<Item>),
    /// Made for this answer: unsealed, virtual, or not stored (a dry run).
    Made(Arc<Object>),
}

/// A list at one revision.
#[derive(Debug, Clone)]
pub struct List {
    /// `apps/v1`.
    pub api_version: String,
    /// `DeploymentList`.
    pub kind: String,
    /// The revision at which all of it was true.
    pub revision: Revision,
    /// Where the next page begins; `None` on the last.
    pub continue_token: Option<String>,
    /// How many more there are, where that is known.
    pub remaining: Option<u64>,
    /// The objects.
    pub entries: Vec<Entry>,
}

/// What a watcher hears.
#[derive(Debug, Clone)]
pub enum WatchEvent {
    /// An object is there that was not (or did not match).
    Added(Entry),
    /// It changed.
    Modified(Entry),
    /// It is gone (or matches no longer); its last state, with the revision of the deletion.
    Deleted(Entry),
    /// Nothing to tell up to this revision; `true` if the initial events end here (KEP-3157).
    Bookmark(Revision, bool),
    /// The watch ends: `Expired` and the like.
    Error(ApiError),
}

impl Response {
    /// An answer without warnings.
    #[must_use]
    pub fn new(code: u16, body: ResponseBody) -> Self {
        Self { code, body, warnings: Vec::new(), revision: None }
    }

    /// The object of an answer that has exactly one.
    ///
    /// # Errors
    /// The refusal; an internal error if the answer is something else.
    pub fn into_object(self) -> Result<Arc<Object>, ApiError> {
        match self.body {
            ResponseBody::Entry(entry) => Ok(entry.object()),
            ResponseBody::Error(error) => Err(error),
            ResponseBody::Success(value) => Ok(Arc::new(Object(value))),
            ResponseBody::List(_) => Err(ApiError::internal("an object was expected, a list came")),
        }
    }

    /// The list of an answer that has one.
    ///
    /// # Errors
    /// The refusal; an internal error if the answer is something else.
    pub fn into_list(self) -> Result<List, ApiError> {
        match self.body {
            ResponseBody::List(list) => Ok(list),
            ResponseBody::Error(error) => Err(error),
            _ => Err(ApiError::internal("a list was expected, an object came")),
        }
    }
}

impl From<ApiError> for Response {
    fn from(error: ApiError) -> Self {
        Self::new(error.code, ResponseBody::Error(error))
    }
}

impl Entry {
    /// The object as a tree, decoded at most once a version.
    #[must_use]
    pub fn object(&self) -> Arc<Object> {
        match self {
            Self::Stored(item) => item.object(),
            Self::Made(object) => Arc::clone(object),
        }
    }

    /// The same, but a stored version's tree is not kept: for those who pass over many.
    #[must_use]
    pub fn read_object(&self) -> Arc<Object> {
        match self {
            Self::Stored(item) => item.read_object().unwrap_or_default(),
            Self::Made(object) => Arc::clone(object),
        }
    }
}
