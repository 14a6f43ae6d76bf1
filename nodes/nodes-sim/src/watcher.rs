//! A list and then a watch of one kind, kept up over lost messages, dead servers and expired
//! revisions.
//!
//! Way in: [`Watcher::begin`], [`Watcher::take_answer`], [`Watcher::take_batch`].
//! Owns: which server is listened to, and from which revision it would go on elsewhere.

use std::{sync::Arc, time::Duration};

use actors_core::{Mono, Rng};
use actors_object::{ApiError, Object};
use actors_sim::NodeId;
use nodes_door::{Entry, Request, Response, ResponseBody, Verb, WatchEvent};

/// One watch, over however many streams.
#[derive(Debug)]
pub(crate) struct Watcher {
    list: Request,
    stage: Stage,
    /// Everything up to here is known.
    pub(crate) after: Option<u64>,
    next_look: Mono,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Idle,
    Listing { id: u64, since: Mono },
    Watching { server: NodeId, id: u64, next: u64, heard: Mono },
}

/// What a watcher tells its owner.
#[derive(Debug)]
pub(crate) enum News {
    /// Everything, as it was when it was listed.
    Listed(Vec<Arc<Object>>),
    /// A new stream begins behind this revision.
    Resumed(u64),
    /// An object is there, or changed.
    Put(Arc<Object>),
    /// An object is gone.
    Gone(Arc<Object>),
    /// Everything up to this revision was told.
    UpTo(u64),
}

impl Watcher {
    /// A stream that is silent for longer is dead.
    const SILENCE_MAX: Duration = Duration::from_secs(3);
    /// A list that has no answer after this time is asked for again.
    const PATIENCE: Duration = Duration::from_secs(5);

    pub(crate) fn new(list: Request) -> Self {
        Self { list, stage: Stage::Idle, after: None, next_look: Mono::default() }
    }

    /// Asks for the next thing, if it is time; the caller sends the request to a server under this
    /// number.
    pub(crate) fn look(
        &mut self,
        now: Mono,
        server: NodeId,
        id: impl FnOnce() -> u64,
        rng: &mut Rng,
    ) -> Option<(u64, Request)> {
        match self.stage {
            Stage::Listing { since, .. } if now.since(since) < Self::PATIENCE => return None,
            Stage::Watching { heard, .. } if now.since(heard) < Self::SILENCE_MAX => return None,
            _ => {}
        }
        if now < self.next_look {
            return None;
        }
        self.next_look = now.after(Duration::from_millis(rng.between(50, 400)));
        let id = id();
        let mut request = self.list.clone();
        if let Some(after) = self.after {
            request.verb = Verb::Watch;
            request.options.resource_version = Some(after.to_string());
            request.options.allow_bookmarks = true;
            self.stage = Stage::Watching { server, id, next: 0, heard: now };
        } else {
            self.stage = Stage::Listing { id, since: now };
        }
        Some((id, request))
    }

    /// Whether an answer with this number is this watcher's.
    pub(crate) fn awaits(&self, number: u64) -> bool {
        match self.stage {
            Stage::Idle => false,
            Stage::Listing { id, .. } | Stage::Watching { id, .. } => id == number,
        }
    }

    pub(crate) fn take_answer(&mut self, response: &Response, news: &mut Vec<News>) {
        match (&response.body, self.stage) {
            // A watch from revision 0 begins wherever the server likes: an empty store is listed
            // again.
            (ResponseBody::List(list), Stage::Listing { .. }) if list.revision.0 == 0 => {
                self.stage = Stage::Idle;
            }
            (ResponseBody::List(list), Stage::Listing { .. }) => {
                let objects = list.entries.iter().map(Entry::object).collect();
                self.after = Some(list.revision.0);
                self.stage = Stage::Idle;
                news.push(News::Listed(objects));
            }
            (ResponseBody::Error(error), _) => self.fail(error),
            _ => {}
        }
    }

    fn fail(&mut self, error: &ApiError) {
        self.stage = Stage::Idle;
        if error.is_expired() {
            self.after = None;
        }
    }

    /// Takes a batch of a stream; whether the caller should tell the server that nobody listens.
    pub(crate) fn take_batch(
        &mut self,
        (from, id, batch): (NodeId, u64, u64),
        events: &[WatchEvent],
        now: Mono,
        news: &mut Vec<News>,
    ) -> Listening {
        let Stage::Watching { server, id: own, next, heard } = &mut self.stage else {
            return Listening::No;
        };
        if (*server, *own) != (from, id) {
            return Listening::No;
        }
        if batch < *next {
            return Listening::Yes;
        }
        if batch > *next {
            // Something was lost on the way: go on from what is known.
            self.stage = Stage::Idle;
            return Listening::No;
        }
        *next += 1;
        *heard = now;
        if batch == 0 {
            news.push(News::Resumed(self.after.unwrap_or_default()));
        }
        for event in events {
            match event {
                WatchEvent::Added(entry) | WatchEvent::Modified(entry) => {
                    let object = entry.object();
                    self.reach(revision_of(&object));
                    news.push(News::Put(object));
                }
                WatchEvent::Deleted(entry) => {
                    let object = entry.object();
                    self.reach(revision_of(&object));
                    news.push(News::Gone(object));
                }
                WatchEvent::Bookmark(revision, _) => {
                    self.reach(revision.0);
                    news.push(News::UpTo(revision.0));
                }
                WatchEvent::Error(error) => {
                    self.fail(&error.clone());
                    return Listening::Yes;
                }
            }
        }
        Listening::Yes
    }

    fn reach(&mut self, revision: u64) {
        self.after = Some(self.after.unwrap_or_default().max(revision));
    }
}

/// Whether a stream is still listened to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listening {
    Yes,
    No,
}

/// An object's revision.
pub(crate) fn revision_of(object: &Object) -> u64 {
    object.resource_version().parse().unwrap_or_default()
}
