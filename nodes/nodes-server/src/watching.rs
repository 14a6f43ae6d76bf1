//! Pumps one watch: the store's changes, through the door's plan, to one client.
//!
//! Way in: [`pump`].  Ends when the client is gone, its time is over, or the store says why it must.
//! Spec: Kubernetes API concepts, "Watch bookmarks": about once a minute, and just before the end.

use std::time::Duration;

use actors_object::ApiError;
use nodes_door::{WatchEvent, WatchPlan};
use store_service::{Watch, WatchEnd};
use tokio::{
    sync::mpsc::Sender,
    time::{Instant, interval_at, timeout_at},
};

/// How often a watcher that wants bookmarks gets one.
const BOOKMARK_EVERY: Duration = Duration::from_secs(60);

/// Initial events are sent in batches of this many.
const INITIAL_BATCH: usize = 500;

/// Serves one watcher; `seconds` is how long at most if it did not say.
pub(crate) async fn pump(
    mut plan: WatchPlan,
    mut changes: Watch,
    sender: Sender<Vec<WatchEvent>>,
    seconds: u64,
) {
    let deadline = Instant::now() + Duration::from_secs(plan.timeout_seconds.unwrap_or(seconds));
    let mut initial = std::mem::take(&mut plan.initial).into_iter().peekable();
    while initial.peek().is_some() {
        let batch = initial.by_ref().take(INITIAL_BATCH).collect();
        if sender.send(batch).await.is_err() {
            return;
        }
    }
    let mut bookmarks = interval_at(Instant::now() + BOOKMARK_EVERY, BOOKMARK_EVERY);
    loop {
        let batch = tokio::select! {
            () = sender.closed() => return,
            _ = bookmarks.tick(), if plan.bookmarks => vec![WatchEvent::Bookmark(changes.revision(), false)],
            next = timeout_at(deadline, changes.next()) => match next {
                Ok(Ok(events)) => events.iter().filter_map(|event| plan.show(event)).collect(),
                Ok(Err(end)) => {
                    // The client may be gone; then nobody needs to be told.
                    let _gone = sender.send(vec![WatchEvent::Error(why(&end))]).await;
                    return;
                }
                Err(_) => {
                    if plan.bookmarks {
                        let _gone = sender.send(vec![WatchEvent::Bookmark(changes.revision(), false)]).await;
                    }
                    return;
                }
            },
        };
        if !batch.is_empty() && sender.send(batch).await.is_err() {
            return;
        }
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
