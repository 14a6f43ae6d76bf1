//! The roster's actor: every peer that is wanted or calls has an actor for its link.
//!
//! Way in: [`child`]; the actors are children of its sibling `links`.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use actors_core::{Backoff, ChildSpec};
use actors_runtime::{Child, ChildError, Failure, Service};
use tokio::time::timeout;

use crate::{link, shared::Shared};

/// The name of the supervisor of all links, beside the roster.
pub(crate) const LINKS: &str = "links";

/// How often it is looked whether actors are missing, for instance after the supervisor's restart; what
/// is wished is told at once.
const LOOK: Duration = Duration::from_secs(5);

/// When an actor is looked for again that is just ending.
const LOOK_SOON: Duration = Duration::from_millis(50);

pub(crate) fn child(shared: &Arc<Shared>) -> Child {
    let shared = Arc::clone(shared);
    Child::service(move |service| run(Arc::clone(&shared), service))
}

async fn run(shared: Arc<Shared>, service: Service) -> Result<(), Failure> {
    let parent = service.path().rsplit_once('/').map_or("", |(parent, _)| parent);
    let links = format!("{parent}/{LINKS}");
    loop {
        let is_whole = complete(&shared, &service, &links).await;
        shared.peers.forget_idle();
        let pause = if is_whole { LOOK } else { LOOK_SOON };
        tokio::select! {
            biased;
            () = service.stopping() => return Ok(()),
            // Late or not, it is looked again.
            _ = timeout(pause, shared.changed.notified()) => {}
        }
    }
}

/// Starts the actors that are missing; false if one could not be started yet.
async fn complete(shared: &Arc<Shared>, service: &Service, links: &str) -> bool {
    let missing = shared
        .peers
        .all()
        .into_iter()
        .filter(|slot| slot.is_needed() && !slot.is_running.load(Ordering::Acquire));
    let mut is_whole = true;
    for slot in missing {
        // A parent that is restarting is looked for again.
        let Ok(parent) = service.system().supervisor(links) else { return false };
        let child = link::child(shared, &slot);
        match parent.add(spec(&slot.node), child).await {
            Ok(()) => {}
            // The actor before is just ending, or waits to be started again.
            Err(ChildError::Exists { .. }) => is_whole = false,
            Err(error) => {
                tracing::warn!(node = slot.node, %error, "a link has no actor");
                is_whole = false;
            }
        }
    }
    is_whole
}

fn spec(node: &str) -> ChildSpec {
    let backoff = Backoff {
        initial: Duration::from_millis(50),
        max: Duration::from_secs(5),
        jitter_percent: 20,
    };
    ChildSpec::transient(node).backoff(backoff).shutdown(Duration::from_secs(1))
}
