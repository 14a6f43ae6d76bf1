//! Requests, answers and events of the door as they travel between machines.
//!
//! Way in: [`Asked`], [`Answered`], [`Told`].  Form: postcard; objects travel as their JSON, which is how they are
//! stored.  Never: an identity; the receiver takes that from the sender's certificate.

use std::sync::Arc;

use actors_object::{ApiError, Object, Value, json};
use bytes::Bytes;
use nodes_door::{
    Body, Entry, Identity, List, Options, Request, Response, ResponseBody, Target, Verb, WatchEvent,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use store_mvcc::Revision;

/// Deepest and largest object that is read from another machine: what the store itself may hold, and its frame.
const OBJECT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// What a machine asks of a door elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Asked {
    /// Nothing: whether it answers, and can serve.
    Ping,
    /// One request.
    Call(Box<WireRequest>),
    /// Whether a path that is no object's may be used.
    Url {
        /// `get`.
        verb: String,
        /// The path.
        path: String,
    },
}

/// What it is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Answered {
    /// It can serve, or cannot for the moment.
    Pong(bool),
    /// The door's answer.
    Response(WireResponse),
    /// Whether the path may be used.
    Allowed(bool),
    /// The answer is too large for a frame: ask again by a stream.
    TooLarge,
}

/// The head of a stream that carries one request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StreamedCall {
    /// The request.
    pub(crate) request: WireRequest,
    /// Whether its body comes in messages of its own, until the sender finishes.
    pub(crate) body_follows: bool,
}

/// One message of an answer by a stream. An object may be larger than a message, so the head comes in pieces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Part {
    /// A piece of the encoded [`WireResponse`].
    Head(Bytes),
    /// Entries of the list whose head is complete.
    Entries(Vec<Bytes>),
}

/// A request without its identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WireRequest {
    pub(crate) verb: Verb,
    target: Target,
    options: Options,
    pub(crate) body: Body,
    user_agent: String,
}

/// The head of an answer; entries that do not fit follow in messages of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WireResponse {
    code: u16,
    body: WireBody,
    warnings: Vec<String>,
    revision: Option<Revision>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum WireBody {
    Entry(Bytes),
    List(WireList),
    Success(Bytes),
    Error(WireError),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct WireList {
    api_version: String,
    kind: String,
    revision: Revision,
    continue_token: Option<String>,
    remaining: Option<u64>,
    entries: Vec<Bytes>,
}

/// A refusal: its code and its `Status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WireError {
    code: u16,
    status: Bytes,
}

/// What a watcher elsewhere hears, in batches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Told {
    /// An object is there.
    Added(Bytes),
    /// It changed.
    Modified(Bytes),
    /// It is gone.
    Deleted(Bytes),
    /// Nothing to tell up to here.
    Bookmark(Revision, bool),
    /// The watch ends.
    Error(WireError),
}

/// What cannot be understood: another version, or damaged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a message that this version does not understand: {0}")]
pub(crate) struct NotUnderstood(String);

impl NotUnderstood {
    pub(crate) fn because(why: impl std::fmt::Display) -> Self {
        Self(why.to_string())
    }
}

/// Writes a message.
pub(crate) fn encode<T: Serialize>(message: &T) -> Result<Bytes, NotUnderstood> {
    postcard::to_stdvec(message).map(Bytes::from).map_err(NotUnderstood::because)
}

/// Reads a message.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, NotUnderstood> {
    postcard::from_bytes(bytes).map_err(NotUnderstood::because)
}

impl WireRequest {
    pub(crate) fn of(request: Request) -> Self {
        let Request { verb, target, options, body, user_agent, identity: _ } = request;
        Self { verb, target, options, body, user_agent }
    }

    /// The request, under the identity that the receiver found out for itself.
    pub(crate) fn under(self, identity: Identity) -> Request {
        let Self { verb, target, options, body, user_agent } = self;
        Request { identity, verb, target, options, body, user_agent }
    }
}

impl WireResponse {
    pub(crate) fn of(response: &Response) -> Self {
        let body = match &response.body {
            ResponseBody::Entry(entry) => WireBody::Entry(bytes_of(entry)),
            ResponseBody::List(list) => WireBody::List(WireList {
                api_version: list.api_version.clone(),
                kind: list.kind.clone(),
                revision: list.revision,
                continue_token: list.continue_token.clone(),
                remaining: list.remaining,
                entries: list.entries.iter().map(bytes_of).collect(),
            }),
            ResponseBody::Success(value) => WireBody::Success(json::to_vec(value).into()),
            ResponseBody::Error(error) => WireBody::Error(WireError::of(error)),
        };
        let (code, warnings) = (response.code, response.warnings.clone());
        Self { code, body, warnings, revision: response.revision }
    }

    pub(crate) fn read(self) -> Result<Response, NotUnderstood> {
        let body = match self.body {
            WireBody::Entry(bytes) => ResponseBody::Entry(entry_of(&bytes)?),
            WireBody::List(list) => ResponseBody::List(List {
                api_version: list.api_version,
                kind: list.kind,
                revision: list.revision,
                continue_token: list.continue_token,
                remaining: list.remaining,
                entries: list
                    .entries
                    .iter()
                    .map(|bytes| entry_of(bytes))
                    .collect::<Result<_, _>>()?,
            }),
            WireBody::Success(bytes) => ResponseBody::Success(value_of(&bytes)?),
            WireBody::Error(error) => ResponseBody::Error(error.read()?),
        };
        Ok(Response { code: self.code, body, warnings: self.warnings, revision: self.revision })
    }

    /// Takes the entries of a list out, to be sent in pieces behind the head.
    pub(crate) fn take_entries(&mut self) -> Vec<Bytes> {
        match &mut self.body {
            WireBody::List(list) => std::mem::take(&mut list.entries),
            _ => Vec::new(),
        }
    }

    /// Puts entries back that came behind the head.
    pub(crate) fn put_entries(&mut self, more: Vec<Bytes>) {
        if let WireBody::List(list) = &mut self.body {
            list.entries.extend(more);
        }
    }
}

impl WireError {
    pub(crate) fn of(error: &ApiError) -> Self {
        Self { code: error.code, status: json::to_vec(&error.to_value()).into() }
    }

    pub(crate) fn read(&self) -> Result<ApiError, NotUnderstood> {
        Ok(ApiError::from_value(&value_of(&self.status)?, self.code))
    }
}

impl Told {
    pub(crate) fn of(event: &WatchEvent) -> Self {
        match event {
            WatchEvent::Added(entry) => Self::Added(bytes_of(entry)),
            WatchEvent::Modified(entry) => Self::Modified(bytes_of(entry)),
            WatchEvent::Deleted(entry) => Self::Deleted(bytes_of(entry)),
            WatchEvent::Bookmark(revision, ends_initial) => {
                Self::Bookmark(*revision, *ends_initial)
            }
            WatchEvent::Error(error) => Self::Error(WireError::of(error)),
        }
    }

    pub(crate) fn read(&self) -> Result<WatchEvent, NotUnderstood> {
        Ok(match self {
            Self::Added(bytes) => WatchEvent::Added(entry_of(bytes)?),
            Self::Modified(bytes) => WatchEvent::Modified(entry_of(bytes)?),
            Self::Deleted(bytes) => WatchEvent::Deleted(entry_of(bytes)?),
            Self::Bookmark(revision, ends_initial) => {
                WatchEvent::Bookmark(*revision, *ends_initial)
            }
            Self::Error(error) => WatchEvent::Error(error.read()?),
        })
    }

    /// About how many bytes it takes.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Added(bytes) | Self::Modified(bytes) | Self::Deleted(bytes) => bytes.len() + 8,
            Self::Bookmark(..) => 16,
            Self::Error(error) => error.status.len() + 16,
        }
    }
}

fn bytes_of(entry: &Entry) -> Bytes {
    match entry {
        Entry::Stored(item) => item.bytes_with_rv(),
        Entry::Made(object) => json::to_vec(&object.0).into(),
    }
}

fn entry_of(bytes: &[u8]) -> Result<Entry, NotUnderstood> {
    Ok(Entry::Made(Arc::new(Object(value_of(bytes)?))))
}

fn value_of(bytes: &[u8]) -> Result<Value, NotUnderstood> {
    let limits = json::Limits { bytes: OBJECT_BYTES_MAX, ..json::Limits::default() };
    json::parse(bytes, limits).map(|parsed| parsed.value).map_err(NotUnderstood::because)
}

#[cfg(test)]
mod tests;
