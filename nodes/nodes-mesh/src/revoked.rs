//! Certificates that are worth nothing any more, told by servers to machines that have no replica to read it from.
//!
//! Way in: [`tell_revocations`] on servers, [`hear_revocations`] on agents.
//! Invariant: what was revoked stays revoked: a server that lags behind takes nothing back.

use std::{collections::BTreeSet, sync::Arc};

use actors_core::ChildSpec;
use actors_runtime::{Child, Failure, Service as Hosted};
use bytes::Bytes;
use mesh_quic::{Handler, Mesh};
use mesh_wire::{Lane, Peer, Service};
use tokio::sync::watch;

use crate::wire;

/// Most serial numbers that an agent keeps; those of certificates that have expired are of no use.
const SERIALS_MAX: usize = 16_384;

/// Tells a machine which certificates are revoked, as far as this server knows.
pub fn tell_revocations(mesh: &Mesh, to: &str, serials: &BTreeSet<String>) {
    if serials.is_empty() {
        return;
    }
    let told = wire::encode(serials).map_err(|error| error.to_string()).and_then(|body| {
        mesh.tell(to, Lane::Rpc, Service::REVOKED, body).map_err(|error| error.to_string())
    });
    if let Err(error) = told {
        // It is told when its link comes up again.
        tracing::debug!(to, error, "revoked certificates were not told");
    }
}

/// Refuses the certificates that servers call revoked, from now on. For a supervisor.
#[must_use]
pub fn hear_revocations(mesh: &Mesh) -> (ChildSpec, Child) {
    let mesh = mesh.clone();
    let heard = Arc::new(watch::Sender::new(BTreeSet::new()));
    mesh.serve(Service::REVOKED, Arc::new(Ear(Arc::clone(&heard))));
    let child = Child::service(move |service| follow(service, mesh.clone(), heard.subscribe()));
    (ChildSpec::permanent("revoked"), child)
}

async fn follow(
    service: Hosted,
    mesh: Mesh,
    mut heard: watch::Receiver<BTreeSet<String>>,
) -> Result<(), Failure> {
    loop {
        let serials: Vec<String> = heard.borrow_and_update().iter().cloned().collect();
        mesh.set_revoked(serials);
        tokio::select! {
            () = service.stopping() => return Ok(()),
            changed = heard.changed() => changed?,
        }
    }
}

struct Ear(Arc<watch::Sender<BTreeSet<String>>>);

impl Handler for Ear {
    fn tell(&self, from: &Peer, body: Bytes) {
        let told: BTreeSet<String> = match wire::decode(&body) {
            Ok(told) => told,
            Err(error) => return tracing::debug!(%from, %error, "a message was dropped"),
        };
        self.0.send_if_modified(|known| {
            let before = known.len();
            let room = SERIALS_MAX.saturating_sub(before);
            let news: Vec<String> = told.difference(known).take(room).cloned().collect();
            known.extend(news);
            known.len() > before
        });
    }
}
