//! A watch of a server elsewhere, read where it is used.
//!
//! Way in: [`Following::watch`].  Invariant: it ends in order, or with an error event that says why; never silently.

use std::sync::{Arc, atomic::Ordering};

use actors_object::ApiError;
use bytes::Bytes;
use futures_util::stream;
use mesh_member::MemberState;
use mesh_quic::{MeshStream, StreamError};
use nodes_client::WatchStream;
use nodes_door::WatchEvent;
use tokio::sync::broadcast::{self, error::RecvError};

use crate::{
    View,
    remote::Inner,
    wire::{self, NotUnderstood, Told},
};

/// One watch, and what tells that its server is gone.
pub(crate) struct Following {
    server: String,
    view: View,
    failed: broadcast::Receiver<String>,
    _counted: Counted,
}

/// Counts a watch for as long as it lives.
struct Counted(Arc<Inner>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.watches.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Following {
    /// Begins to listen for the end of a server.
    pub(crate) fn new(inner: &Arc<Inner>, server: &str) -> Self {
        inner.watches.fetch_add(1, Ordering::Relaxed);
        let (view, failed) = inner.ends();
        Self { server: server.to_owned(), view, failed, _counted: Counted(Arc::clone(inner)) }
    }

    /// The events of a stream that has begun.
    pub(crate) fn watch(self, stream: MeshStream) -> WatchStream {
        let state = Some((self, stream));
        WatchStream::from_stream(stream::unfold(state, |state| async move {
            let (mut following, mut stream) = state?;
            let next = tokio::select! {
                next = stream.recv.next() => next,
                () = following.gone() => Err(StreamError::Lost("the server is gone".to_owned())),
            };
            match next.map_err(|error| error.to_string()).and_then(|next| understand(next.as_ref()))
            {
                Ok(Some(events)) => Some((events, Some((following, stream)))),
                Ok(None) => None,
                Err(why) => {
                    let why = format!("the watch at server {} broke off: {why}", following.server);
                    let error = ApiError::service_unavailable(why).retry_after(1);
                    Some((vec![WatchEvent::Error(error)], None))
                }
            }
        }))
    }

    /// Resolves when the server is believed to be gone.
    async fn gone(&mut self) {
        loop {
            tokio::select! {
                failed = self.failed.recv() => match failed {
                    Ok(server) if server == self.server => return,
                    Ok(_) | Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return,
                },
                changed = self.view.changed() => {
                    if changed.is_err() || self.is_doubted() {
                        return;
                    }
                }
            }
        }
    }

    /// Whether membership does not believe the server alive.
    fn is_doubted(&mut self) -> bool {
        let view = self.view.borrow_and_update();
        let found = view.iter().find(|one| one.info.node == self.server);
        found.is_some_and(|one| one.state != MemberState::Alive)
    }
}

/// The events of one message; `None` at the end.
fn understand(message: Option<&Bytes>) -> Result<Option<Vec<WatchEvent>>, String> {
    let Some(message) = message else { return Ok(None) };
    let read = || -> Result<Vec<WatchEvent>, NotUnderstood> {
        let told: Vec<Told> = wire::decode(message)?;
        told.iter().map(Told::read).collect()
    };
    read().map(Some).map_err(|error| error.to_string())
}
