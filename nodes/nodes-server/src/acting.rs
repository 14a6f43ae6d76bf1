//! What only the holder of the shards does: started when this member gets an epoch, stopped when it loses it.
//!
//! Way in: [`sit`].  So a server that does not lead spends nothing on controllers, and one that begins to looks at
//! everything, as every controller does at its start.
//! Invariant: what acts writes under the epoch that it was started with, or a later one of the same member: the store
//! refuses what an earlier holder still has on its way.

use std::time::Duration;

use actors_core::ChildSpec;
use actors_runtime::{Child, ChildError, Failure, Service, Tree};
use nodes_client::Calls;
use store_service::Store;
use tokio::time::timeout;

use crate::{bootstrap::Bootstrap, marker};

/// The name of the part that acts, below the supervisor of the seat.
const NAME: &str = "acting";

/// The pause before it is looked again whether an earlier part has ended.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Keeps the tree of `make` running beside itself for as long as this member holds the shards. What acts finds its
/// rights in the first objects, so they are made before it starts.
pub(crate) async fn sit(
    service: Service,
    (bootstrap, calls, store): (Bootstrap, Calls, Store),
    make: impl Fn() -> Tree,
) -> Result<(), Failure> {
    let above = service.path().rsplit_once('/').map(|(above, _)| above.to_owned());
    let above = above.unwrap_or_default();
    let supervisor = service.system().supervisor(&above)?;
    // An earlier life of the seat may have left it there.
    supervisor.remove(NAME).await?;
    let mut leadership = store.leadership();
    loop {
        let held = tokio::select! {
            () = service.stopping() => return Ok(()),
            held = leadership.wait_for(|present| present.epoch.is_some()) => held?.epoch,
        };
        tokio::select! {
            () = service.stopping() => return Ok(()),
            lost = leadership.wait_for(|present| present.epoch != held) => {
                drop(lost?);
                continue;
            }
            made = marker::ensure(&bootstrap, (&calls, &store)) => made?,
        }
        let spec = ChildSpec::permanent(NAME).shutdown(Duration::from_secs(10));
        match supervisor.add(spec, Child::supervisor(make())).await {
            // What acted under the epoch before is still stopping.
            Err(ChildError::Exists { .. }) => {
                if timeout(LOOK_AGAIN, service.stopping()).await.is_ok() {
                    return Ok(());
                }
                continue;
            }
            added => added?,
        }
        tracing::info!(?held, "this server holds the shards and acts");
        tokio::select! {
            () = service.stopping() => return Ok(()),
            lost = leadership.wait_for(|present| present.epoch != held) => drop(lost?),
        }
        supervisor.remove(NAME).await?;
        tracing::info!(?held, "this server holds the shards no longer");
    }
}
