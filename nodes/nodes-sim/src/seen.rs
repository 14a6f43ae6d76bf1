//! What the trace sees of requests, answers and events of watches: what they say, not how they
//! look.
//!
//! Way in: [`Shown`].  Invariant: two that differ in anything that a machine could act on are seen
//! as different. A stored version is seen by its key and revision: what it holds was seen when it
//! was proposed.

use std::{
    fmt::{Debug, Write},
    sync::Arc,
};

use actors_object::ApiError;
use actors_sim::Digest;
use nodes_door::{Entry, List, Request, Response, ResponseBody, WatchEvent};
use nodes_pods::PodEvent;
use serde::{Serialize, Serializer, ser::SerializeSeq};

/// Something that cannot be encoded itself.
#[derive(Debug, Clone)]
pub(crate) struct Shown<T>(pub(crate) T);

impl Serialize for Shown<Box<Request>> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Request { identity, verb, target, options, body, user_agent } = &*self.0;
        let who = (&identity.user, &identity.uid, &identity.groups, &identity.extra);
        let body = (body.media, Bytes(&body.bytes));
        (who, verb, target, options, body, user_agent).serialize(serializer)
    }
}

impl Serialize for Shown<Box<Response>> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Response { code, body, warnings, revision } = &*self.0;
        (code, Answered(body), warnings, revision).serialize(serializer)
    }
}

impl Serialize for Shown<Arc<Vec<WatchEvent>>> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut events = serializer.serialize_seq(Some(self.0.len()))?;
        for event in self.0.iter() {
            match event {
                WatchEvent::Added(entry) => events.serialize_element(&(b'a', One(entry)))?,
                WatchEvent::Modified(entry) => events.serialize_element(&(b'm', One(entry)))?,
                WatchEvent::Deleted(entry) => events.serialize_element(&(b'd', One(entry)))?,
                WatchEvent::Bookmark(revision, ends) => {
                    events.serialize_element(&(b'b', revision, ends))?;
                }
                WatchEvent::Error(error) => events.serialize_element(&(b'e', Refused(error)))?,
            }
        }
        events.end()
    }
}

impl Serialize for Shown<Box<PodEvent>> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(digest_of(&self.0))
    }
}

struct Answered<'a>(&'a ResponseBody);

impl Serialize for Answered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            ResponseBody::Entry(entry) => (b'o', One(entry)).serialize(serializer),
            ResponseBody::List(list) => {
                let List { api_version, kind, revision, continue_token, remaining, entries } = list;
                let entries: Vec<One<'_>> = entries.iter().map(One).collect();
                (b'l', api_version, kind, revision, continue_token, remaining, entries)
                    .serialize(serializer)
            }
            ResponseBody::Success(value) => (b's', value).serialize(serializer),
            ResponseBody::Error(error) => (b'e', Refused(error)).serialize(serializer),
        }
    }
}

struct One<'a>(&'a Entry);

impl Serialize for One<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Entry::Stored(item) => {
                (b's', Bytes(item.key().as_bytes()), item.revision()).serialize(serializer)
            }
            Entry::Made(object) => (b'm', &object.0).serialize(serializer),
        }
    }
}

struct Refused<'a>(&'a ApiError);

impl Serialize for Refused<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(digest_of(self.0))
    }
}

struct Bytes<'a>(&'a [u8]);

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

/// What there is no encoding of, by what its `Debug` shows.
fn digest_of(what: &impl Debug) -> u64 {
    let mut digest = Digest::default();
    // A digest takes whatever it is given.
    let _never = write!(digest, "{what:?}");
    digest.finish()
}
