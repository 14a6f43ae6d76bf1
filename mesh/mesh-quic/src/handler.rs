//! What serves a service: the one trait between the mesh and those who use it.
//!
//! Way in: [`Handler`].

use std::pin::Pin;

use bytes::Bytes;
use mesh_wire::{Peer, TraceContext};

use crate::MeshStream;

/// Something that comes later.
pub type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Serves one service. `from` is what the certificate of the other end says, and it may speak to
/// this service: that was checked.
///
/// A handler that panics loses the one frame or stream that it panicked over.
pub trait Handler: Send + Sync + 'static {
    /// A message came. Called on the task that reads the lane, so it must not block: whoever needs
    /// time passes the message on, and drops it if there is no room.
    fn tell(&self, from: &Peer, body: Bytes) {
        tracing::debug!(%from, len = body.len(), "a message for a service that takes none");
    }

    /// A question came. The future is dropped when nobody waits for it any more: the deadline has
    /// passed, the asker has gone, the link is lost.
    fn ask(&self, from: &Peer, body: Bytes, trace: TraceContext) -> Later<Result<Bytes, String>> {
        let (_, _, _) = (from, body, trace);
        Box::pin(async { Err("the service answers no questions".to_owned()) })
    }

    /// A stream was opened. The future is dropped when the link is lost; the stream may be moved
    /// elsewhere and used after the future's end.
    fn stream(&self, from: &Peer, head: Bytes, stream: MeshStream) -> Later<()> {
        let (_, _) = (from, head);
        // Dropped, it is reset.
        drop(stream);
        Box::pin(async {})
    }
}
