//! Follows a part of the API through outages: a list, then changes, then a list again when they
//! broke off.
//!
//! Way in: [`Follower::follow`], [`follow`].  Never: an end, but with the service it is called by.
//! Time and order: changes come in the order of the API; a list says everything, so what it does
//! not have is gone. An error says nothing, nor does a list that is older than what was heard
//! before, from a server that has lost its past: what was told stays.

use std::{sync::Arc, time::Duration};

use actors_object::{ApiError, Object};
use actors_runtime::Service;
use nodes_client::{Calls, WatchStream};
use nodes_door::{Options, Target, WatchEvent};

/// What a follower hears.
pub(crate) enum News {
    /// All objects there are.
    All(Vec<Arc<Object>>),
    /// One that is new or has changed.
    Changed(Arc<Object>),
    /// One that is gone, as it last was.
    Gone(Arc<Object>),
    /// No more for the moment: a good time to act on what came.
    Pause,
}

/// The wait after the first failure; doubled up to [`WAIT_MAX`].
const WAIT_MIN: Duration = Duration::from_millis(100);
/// No wait is longer.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// Tells `hear` of everything that `target` and `options` name, until the service is asked to stop.
pub(crate) async fn follow(
    service: &Service,
    calls: &Calls,
    what: (Target, Options),
    hear: impl FnMut(News),
) {
    Follower::default().follow(service, calls, what, hear).await;
}

/// Follows, and remembers how far it has come.
#[derive(Debug, Default)]
pub(crate) struct Follower {
    /// The newest revision that a list was made at.
    newest: u64,
}

impl Follower {
    /// A follower that takes no list which is older than this object.
    pub(crate) fn beyond(&mut self, object: &Object) {
        self.newest = self.newest.max(object.resource_version().parse().unwrap_or(0));
    }

    /// See [`follow`]. It may be dropped and begun again: then a list is read anew.
    pub(crate) async fn follow(
        &mut self,
        service: &Service,
        calls: &Calls,
        (target, options): (Target, Options),
        mut hear: impl FnMut(News),
    ) {
        let mut wait = WAIT_MIN;
        while !service.is_stopping() {
            let done = tokio::select! {
                () = service.stopping() => return,
                done = follow_once(calls, (&target, &options), (&mut self.newest, &mut hear)) => done,
            };
            match done {
                Ok(()) => wait = WAIT_MIN,
                Err(error) => {
                    tracing::debug!(%error, resource = target.resource, "following the API");
                    if pause(service, wait).await {
                        return;
                    }
                    wait = (wait * 2).min(WAIT_MAX);
                }
            }
        }
    }
}

/// Waits; true if the service is to stop.
pub(crate) async fn pause(service: &Service, span: Duration) -> bool {
    tokio::time::timeout(span, service.stopping()).await.is_ok()
}

async fn follow_once(
    calls: &Calls,
    (target, options): (&Target, &Options),
    (newest, hear): (&mut u64, &mut impl FnMut(News)),
) -> Result<(), ApiError> {
    let list = calls.list(target.clone(), options.clone()).await?;
    if list.revision.0 < *newest {
        return Err(ApiError::service_unavailable("a server answers with an older state"));
    }
    *newest = list.revision.0;
    let revision = list.revision.0.to_string();
    hear(News::All(list.entries.iter().map(nodes_door::Entry::object).collect()));
    hear(News::Pause);
    let mut watch =
        Options { resource_version: Some(revision), allow_bookmarks: true, ..options.clone() };
    loop {
        let stream = calls.watch(target.clone(), watch.clone()).await?;
        match drain(stream, hear).await? {
            // The watch ended in order, as it does every now and then.
            Some(revision) => watch.resource_version = Some(revision),
            None => return Ok(()),
        }
    }
}

/// Reads one watch to its end; the last revision that it told of.
async fn drain(
    mut stream: WatchStream,
    hear: &mut impl FnMut(News),
) -> Result<Option<String>, ApiError> {
    let mut last = None;
    while let Some(batch) = stream.next().await {
        for event in batch {
            match event {
                WatchEvent::Added(entry) | WatchEvent::Modified(entry) => {
                    let object = entry.object();
                    last = Some(object.resource_version().to_owned());
                    hear(News::Changed(object));
                }
                WatchEvent::Deleted(entry) => {
                    let object = entry.object();
                    last = Some(object.resource_version().to_owned());
                    hear(News::Gone(object));
                }
                WatchEvent::Bookmark(revision, _) => last = Some(revision.0.to_string()),
                WatchEvent::Error(error) => return Err(error),
            }
        }
        hear(News::Pause);
    }
    Ok(last)
}
