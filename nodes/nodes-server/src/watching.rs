//! Serves one watch: the store's changes, through the door's plan, as its reader takes them.
//!
//! Way in: [`watch`].  Owns: a cursor and a place among the initial objects; no queue, so that a reader who
//! does not read holds nothing back and costs nothing.
//! Ends when the reader is gone, its time is over, somebody kills its part, or the store says why it must.
//! Spec: Kubernetes API concepts, "Watch bookmarks": about once a minute, and just before the end.

use std::{future::Future, time::Duration};

use actors_object::ApiError;
use futures_util::{Stream, stream::unfold};
use nodes_client::WatchStream;
use nodes_door::{WatchEvent, WatchPlan};
use store_service::{Watch, WatchEnd};
use tokio::{
    sync::oneshot,
    time::{Instant, timeout_at},
};

/// How often a watcher that wants bookmarks gets one.
const BOOKMARK_EVERY: Duration = Duration::from_secs(60);

/// One watch that is being served.
struct Served {
    plan: WatchPlan,
    changes: Watch,
    deadline: Instant,
    bookmark_at: Instant,
    /// Answers when the part of this watch was killed.
    killed: oneshot::Receiver<()>,
    /// Ends the part when this is dropped.
    _lease: oneshot::Sender<()>,
    is_over: bool,
}

/// The events of one watcher, and the part by which it is seen in the tree and killed. `seconds` is how long it
/// lasts if the client did not say.
pub(crate) fn watch(
    plan: WatchPlan,
    changes: Watch,
    seconds: u64,
) -> (impl Stream<Item = Vec<WatchEvent>> + Send, impl Future<Output = ()> + Send) {
    let now = Instant::now();
    let (kill, killed) = oneshot::channel::<()>();
    let (lease, ended) = oneshot::channel::<()>();
    let served = Served {
        deadline: now + Duration::from_secs(plan.timeout_seconds.unwrap_or(seconds)),
        bookmark_at: now + BOOKMARK_EVERY,
        plan,
        changes,
        killed,
        _lease: lease,
        is_over: false,
    };
    let part = async move {
        let _kill = kill;
        // An error is what is awaited: nobody ever sends.
        drop(ended.await);
    };
    (unfold(served, next), part)
}

async fn next(mut served: Served) -> Option<(Vec<WatchEvent>, Served)> {
    if served.is_over {
        return None;
    }
    let initial = served.plan.take_initial(WatchStream::BATCH);
    if !initial.is_empty() {
        return Some((initial, served));
    }
    loop {
        let batch = served.batch().await?;
        if !batch.is_empty() {
            return Some((batch, served));
        }
    }
}

impl Served {
    /// The next events, perhaps none; `None` at the end.
    async fn batch(&mut self) -> Option<Vec<WatchEvent>> {
        let now = Instant::now();
        if now >= self.deadline {
            self.is_over = true;
            return self.plan.bookmarks.then(|| self.bookmark());
        }
        if self.plan.bookmarks && now >= self.bookmark_at {
            self.bookmark_at = now + BOOKMARK_EVERY;
            return Some(self.bookmark());
        }
        let until =
            if self.plan.bookmarks { self.deadline.min(self.bookmark_at) } else { self.deadline };
        let changed = tokio::select! {
            biased;
            _ = &mut self.killed => return None,
            changed = timeout_at(until, self.changes.next()) => changed,
        };
        match changed {
            Ok(Ok(events)) => {
                Some(events.iter().filter_map(|event| self.plan.show(event)).collect())
            }
            Ok(Err(end)) => {
                self.is_over = true;
                Some(vec![WatchEvent::Error(why(&end))])
            }
            // It is time for a bookmark or for the end.
            Err(_) => Some(Vec::new()),
        }
    }

    fn bookmark(&self) -> Vec<WatchEvent> {
        vec![WatchEvent::Bookmark(self.changes.revision(), false)]
    }
}

fn why(end: &WatchEnd) -> ApiError {
    match end {
        WatchEnd::Expired { after, compacted } => {
            ApiError::expired(format!("too old resource version: {after} ({compacted})"))
        }
        WatchEnd::Closed => ApiError::service_unavailable("the store is closed").retry_after(1),
    }
}
