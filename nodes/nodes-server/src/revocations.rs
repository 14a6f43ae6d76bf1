//! Certificates that were revoked: kept in the store, told to the mesh and the edge of every server, and by the mesh to
//! agents.
//!
//! Way in: [`run`].

use std::collections::BTreeSet;

use actors_runtime::{Failure, Service};
use mesh_quic::{LinkEvent, LinkState, Mesh};
use mesh_wire::Role;
use nodes_mesh::tell_revocations;
use store_service::{Store, WatchEnd};
use tokio::sync::{broadcast::error::RecvError, watch};

use crate::marker::{self, Marker};

/// Tells the mesh and the edge which certificates are worth nothing, whenever that changes; and agents, also when they
/// come.
pub(crate) async fn run(
    service: Service,
    store: Store,
    mesh: Mesh,
    edge: watch::Sender<BTreeSet<String>>,
) -> Result<(), Failure> {
    let mut told = None;
    let mut links = mesh.link_events();
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
                edge.send_replace(revoked.clone());
                tell_agents(&mesh, &revoked);
                told = Some(revoked.clone());
            }
            let next = tokio::select! {
                () = service.stopping() => return Ok(()),
                next = changes.next() => next,
                link = links.recv() => {
                    match link {
                        Ok(LinkEvent::Up { peer, .. }) if peer.role == Role::Agent => {
                            tell_revocations(&mesh, &peer.node, &revoked);
                        }
                        Ok(_) => {}
                        Err(RecvError::Lagged(_)) => tell_agents(&mesh, &revoked),
                        Err(RecvError::Closed) => return Err("the mesh is gone".into()),
                    }
                    continue;
                }
            };
            match next {
                Ok(_) => {}
                Err(WatchEnd::Expired { .. }) => break,
                Err(closed) => return Err(closed.into()),
            }
        }
    }
}

/// Tells all agents that are linked to this server.
fn tell_agents(mesh: &Mesh, revoked: &BTreeSet<String>) {
    for link in mesh.links() {
        if link.role == Role::Agent && matches!(link.state, LinkState::Up { .. }) {
            tell_revocations(mesh, &link.node, revoked);
        }
    }
}
