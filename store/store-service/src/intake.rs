//! The intake: hands gathered proposals on to the peer, many in one event.
//!
//! Way in: [`child`].  Never: a queue of its own; what is gathered is in [`crate::shared::Intake`].
//! Under load a batch is what came while the last one was being synced and applied: so what costs
//! the same for one and for many (a sync, a message to each follower and its answer, waking those
//! who wait) is paid once for many. Without load it is one proposal, at once.

use std::{sync::Arc, time::Duration};

use actors_runtime::{Child, Failure, Ref, Service};
use store_raft::RaftEvent;
use tokio::time::timeout;

use crate::{shared::Shared, waiting::Reply};

/// Most proposals in one event.
const BATCH: usize = 512;

/// How long what is gathered waits at most for the batch before it: a quorum that is far away, or
/// busy, takes several batches under way.
const PATIENCE: Duration = Duration::from_millis(4);

/// The intake of a group.
pub(crate) fn child(shared: &Arc<Shared>) -> Child {
    let shared = Arc::clone(shared);
    Child::service(move |service| run(Arc::clone(&shared), service))
}

/// Takes proposals for as long as it lives; what it leaves is refused.
struct Open(Arc<Shared>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.intake.set_open(false);
        refuse(&self.0, RaftEvent::Propose { items: self.0.intake.take(usize::MAX) });
    }
}

async fn run(shared: Arc<Shared>, service: Service) -> Result<(), Failure> {
    shared.intake.set_open(true);
    let _open = Open(Arc::clone(&shared));
    let peer: Ref<RaftEvent> = service.system().actor_at(&shared.address("peer"));
    let mut progress = shared.progress.subscribe();
    loop {
        tokio::select! {
            () = service.stopping() => return Ok(()),
            () = shared.intake.filled.notified() => {}
        }
        loop {
            let items = shared.intake.take(BATCH);
            if items.is_empty() {
                break;
            }
            progress.mark_unchanged();
            if let Err(refused) = peer.tell(RaftEvent::Propose { items }).await {
                refuse(&shared, refused.event);
                continue;
            }
            // Who applies does so for as long as this store has users.
            drop(timeout(PATIENCE, progress.changed()).await);
        }
    }
}

/// The peer does not run: nothing was done.
fn refuse(shared: &Shared, event: RaftEvent) {
    if let RaftEvent::Propose { items } = event {
        for item in items {
            shared.waiting.answer(item.id, Reply::Unavailable);
        }
    }
}
