//! The herald: wakes watchers of what was published, off the path of writes.
//!
//! Way in: [`child`].  Owns: a cursor over everything.  Never: an event for a watcher; watchers
//! read for themselves.

use std::sync::Arc;

use actors_runtime::{Child, Failure, Service};
use store_catalog::{Cursor, Polled};
use store_mvcc::{Key, Revision};

use crate::{locks::read, shared::Shared};

/// Events that are looked at under one lock.
const BATCH: usize = 512;

/// The herald of a group.
pub(crate) fn child(shared: &Arc<Shared>) -> Child {
    let shared = Arc::clone(shared);
    Child::service(move |service| run(Arc::clone(&shared), service))
}

async fn run(shared: Arc<Shared>, service: Service) -> Result<(), Failure> {
    let mut progress = shared.progress.subscribe();
    // An earlier life may have missed something.
    let newest = progress.borrow_and_update().position.revision;
    shared.interest.wake_all(newest);
    let mut cursor = Cursor::new(newest, Key::default());
    loop {
        tokio::select! {
            () = service.stopping() => return Ok(()),
            changed = progress.changed() => changed?,
        }
        progress.borrow_and_update();
        while wake(&shared, &mut cursor) {
            tokio::task::yield_now().await;
        }
    }
}

/// Wakes the watchers of the next events; true if there are more.
fn wake(shared: &Shared, cursor: &mut Cursor) -> bool {
    let polled = cursor.poll(read(&shared.catalog).ring(), BATCH);
    match polled {
        Polled::Batch { events, more } => {
            if !events.is_empty() {
                shared.interest.wake(&events, cursor.after());
            }
            more
        }
        Polled::Lagged => {
            let newest: Revision = read(&shared.catalog).ring().newest();
            *cursor = Cursor::new(newest, Key::default());
            shared.interest.wake_all(newest);
            false
        }
    }
}
