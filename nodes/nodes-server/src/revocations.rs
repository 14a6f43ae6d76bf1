//! Certificates that were revoked: kept in the store, told to the mesh of every server.
//!
//! Way in: [`run`].

use actors_runtime::{Failure, Service};
use mesh_quic::Mesh;
use store_service::{Store, WatchEnd};

use crate::marker::{self, Marker};

/// Tells the mesh which certificates are worth nothing, whenever that changes.
pub(crate) async fn run(service: Service, store: Store, mesh: Mesh) -> Result<(), Failure> {
    let mut told = None;
    let mut progress = store.progress();
    // Before the replica is loaded there is nothing to follow.
    tokio::select! {
        () = service.stopping() => return Ok(()),
        loaded = progress.wait_for(|progress| progress.position.index > 0) => drop(loaded?),
    }
    loop {
        let mut changes = store.watch(store.snapshot().revision(), marker::key());
        loop {
            let revoked = Marker::read(&store).unwrap_or_default().revoked;
            if told.as_ref() != Some(&revoked) {
                mesh.set_revoked(revoked.iter().cloned().collect());
                told = Some(revoked);
            }
            let next = tokio::select! {
                () = service.stopping() => return Ok(()),
                next = changes.next() => next,
            };
            match next {
                Ok(_) => {}
                Err(WatchEnd::Expired { .. }) => break,
                Err(closed) => return Err(closed.into()),
            }
        }
    }
}
