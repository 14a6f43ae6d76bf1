//! The endpoint's actor: welcomes calls, and leaves in order.
//!
//! Way in: [`child`].
//! Time and order: it is the first to start and the last to stop, so that the links' farewells are
//! sent.

use std::{sync::Arc, time::Duration};

use actors_runtime::{Child, Failure, Service};
use quinn::Incoming;
use tokio::{sync::OwnedSemaphorePermit, time::timeout};

use crate::{
    ends::CloseCode,
    greet::{NoLink, welcome},
    shared::Shared,
};

/// How long farewells may take.
const FAREWELL_MAX: Duration = Duration::from_secs(1);

pub(crate) fn child(shared: &Arc<Shared>) -> Child {
    let shared = Arc::clone(shared);
    Child::service(move |service| run(Arc::clone(&shared), service))
}

async fn run(shared: Arc<Shared>, service: Service) -> Result<(), Failure> {
    let endpoint = shared.start_endpoint()?;
    loop {
        tokio::select! {
            biased;
            () = service.stopping() => break,
            incoming = endpoint.accept() => match incoming {
                Some(incoming) => admit(&shared, &service, incoming),
                None => {
                    shared.drop_endpoint();
                    return Err("the socket is gone".into());
                }
            },
        }
    }
    endpoint.close(CloseCode::Orderly.number(), b"the process stops");
    // Who does not hear it notices by itself.
    drop(timeout(FAREWELL_MAX, endpoint.wait_idle()).await);
    shared.drop_endpoint();
    Ok(())
}

/// Begins a handshake if there is room for it.
fn admit(shared: &Arc<Shared>, service: &Service, incoming: Incoming) {
    let Ok(permit) = Arc::clone(&shared.handshakes).try_acquire_owned() else {
        incoming.refuse();
        return;
    };
    let is_busy = shared.handshakes.available_permits() < shared.limits.handshakes_max / 2;
    if is_busy && !incoming.remote_address_validated() && incoming.may_retry() {
        // Whoever only pretends an address does not hear this.
        if let Err(error) = incoming.retry() {
            error.into_incoming().refuse();
        }
        return;
    }
    let shared = Arc::clone(shared);
    let handshake = async move { receive(&shared, incoming, permit).await };
    if let Err(error) = service.spawn("handshake", handshake) {
        tracing::debug!(%error, "a call comes too late");
    }
}

async fn receive(shared: &Shared, incoming: Incoming, permit: OwnedSemaphorePermit) {
    let from = incoming.remote_address();
    let connecting = match incoming.accept() {
        Ok(connecting) => connecting,
        Err(error) => {
            tracing::debug!(%from, %error, "a call that is none");
            return;
        }
    };
    let welcomed = welcome(shared, connecting).await;
    drop(permit);
    match welcomed {
        Ok(link) => match shared.peers.call(link, shared.now()) {
            Ok(()) => shared.changed.notify_one(),
            Err(link) => {
                let text = format!("{} calls too often", link.facts.peer);
                link.connection.close(CloseCode::Refused.number(), text.as_bytes());
                shared.refuse(from, Some(&link.facts), &text);
            }
        },
        Err(NoLink { own_refusal: Some(text), .. }) => shared.refuse(from, None, &text),
        Err(NoLink { why, .. }) => tracing::debug!(%from, %why, "a call came to nothing"),
    }
}
