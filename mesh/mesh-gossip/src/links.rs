//! What happens to links, told to the machine.
//!
//! Way in: [`child`].  Never: a decision.
//! Time and order: each life begins with the links that are up; so does one that missed events.

use std::sync::Arc;

use actors_runtime::{Child, Failure, Service};
use mesh_member::{LinkChange, LinkEnd, MemberEvent};
use mesh_quic::{DownReason, LinkEvent, LinkState};
use tokio::sync::broadcast::error::RecvError;

use crate::shared::Shared;

pub(crate) fn child(shared: &Arc<Shared>) -> Child {
    let shared = Arc::clone(shared);
    Child::service(move |service| run(Arc::clone(&shared), service))
}

async fn run(shared: Arc<Shared>, service: Service) -> Result<(), Failure> {
    let mut events = shared.mesh.link_events();
    tell_all(&shared);
    loop {
        let event = tokio::select! {
            () = service.stopping() => return Ok(()),
            event = events.recv() => event,
        };
        let (peer, change) = match event {
            Ok(LinkEvent::Up { peer, .. }) => (peer, LinkChange::Up),
            Ok(LinkEvent::Down { peer, why }) => (peer, LinkChange::Down { why: end_of(why) }),
            Err(RecvError::Lagged(_)) => {
                tell_all(&shared);
                continue;
            }
            Err(RecvError::Closed) => return Err("the mesh is gone".into()),
        };
        shared.machine.tell(MemberEvent::Link { peer: peer.node, change });
    }
}

fn tell_all(shared: &Shared) {
    let up = |state: &LinkState| matches!(state, LinkState::Up { .. });
    for link in shared.mesh.links().into_iter().filter(|link| up(&link.state)) {
        shared.machine.tell(MemberEvent::Link { peer: link.node, change: LinkChange::Up });
    }
}

fn end_of(why: DownReason) -> LinkEnd {
    match why {
        DownReason::Closed => LinkEnd::Closed,
        DownReason::Reset => LinkEnd::Reset,
        DownReason::Idle => LinkEnd::Idle,
        DownReason::Refused(why) => LinkEnd::Refused(why),
        DownReason::Error(why) => LinkEnd::Failed(why),
    }
}
