//! Raft between servers: its frames on a lane of their own, requests to the leader, images of the state by streams.
//!
//! Way in: [`MeshTransport`], which is the store's transport; [`MeshTransport::serve`] for what comes in.
//! Invariant: a frame is believed to be of the member that sits on the sending node, by its certificate; who says to
//! be another is not heard.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use mesh_quic::{Ask, Handler, Mesh, MeshStream};
use mesh_wire::{Lane, Peer, Service, TraceContext};
use store_raft::{NodeId, SnapshotDelivery};
use store_service::{AskError, Delivery, Later, OutgoingImage, Store, Transport};

use crate::Directory;

/// A request of the store is given up by the store itself; this is only longer than any of its own times.
const ASK_WITHIN: Duration = Duration::from_secs(60);

/// What the receiver of an image says when it has all of it.
const WHOLE: &[u8] = b"whole";

/// Bytes of a member's number behind a frame.
const MEMBER_LEN: usize = 8;

/// Carries the store's group over the mesh. Cheap to clone.
#[derive(Clone)]
pub struct MeshTransport {
    mesh: Mesh,
    directory: Directory,
    me: NodeId,
}

impl MeshTransport {
    /// The transport of the member `me`.
    #[must_use]
    pub fn new(mesh: Mesh, directory: Directory, me: NodeId) -> Self {
        Self { mesh, directory, me }
    }

    /// From now on what other members send reaches this store.
    pub fn serve(&self, store: &Store) {
        let receiver =
            Arc::new(Receiver { directory: self.directory.clone(), store: store.clone() });
        for service in [Service::RAFT, Service::PROPOSE, Service::SNAPSHOT] {
            self.mesh.serve(service, Arc::clone(&receiver) as Arc<dyn Handler>);
        }
    }

    /// Bytes with this member's number behind them.
    fn signed(&self, mut bytes: Vec<u8>) -> Bytes {
        bytes.extend_from_slice(&self.me.0.to_be_bytes());
        bytes.into()
    }

    async fn open(&self, node: &str, head: Bytes) -> Option<MeshStream> {
        self.mesh.open_stream(node, Service::SNAPSHOT, head, TraceContext::NONE).await.ok()
    }

    async fn deliver(&self, to: NodeId, mut image: OutgoingImage) -> Option<()> {
        let node = self.directory.node_of(to)?;
        let head = self.signed(image.head().to_vec());
        let MeshStream { mut send, mut recv, .. } = self.open(&node, head).await?;
        while let Some(piece) = image.next().await {
            send.send(piece.into()).await.ok()?;
        }
        send.finish().ok()?;
        let said = recv.next().await.ok()??;
        (said == WHOLE).then_some(())
    }
}

impl Transport for MeshTransport {
    fn send(&self, to: NodeId, frame: Vec<u8>) {
        let Some(node) = self.directory.node_of(to) else { return };
        // A full lane or a missing link is a lossy network: Raft sends again.
        drop(self.mesh.tell(&node, Lane::Raft, Service::RAFT, self.signed(frame)));
    }

    fn ask(&self, to: NodeId, request: Vec<u8>) -> Later<Result<Vec<u8>, AskError>> {
        let (mesh, node) = (self.mesh.clone(), self.directory.node_of(to));
        let request = self.signed(request);
        Box::pin(async move {
            let node = node.ok_or(AskError::Unreachable)?;
            let ask = Ask::new(Lane::Raft, Service::PROPOSE, request, ASK_WITHIN);
            mesh.ask(&node, ask).await.map(Vec::from).map_err(|error| match error {
                mesh_quic::AskError::Lost(_) | mesh_quic::AskError::Timeout(_) => AskError::Lost,
                mesh_quic::AskError::NotSent(_) | mesh_quic::AskError::Refused(_) => {
                    AskError::Unreachable
                }
            })
        })
    }

    fn send_image(&self, to: NodeId, image: OutgoingImage) -> Delivery {
        let this = self.clone();
        Box::pin(async move {
            match this.deliver(to, image).await {
                Some(()) => SnapshotDelivery::Delivered,
                None => SnapshotDelivery::Failed,
            }
        })
    }
}

/// What comes in from other members.
struct Receiver {
    directory: Directory,
    store: Store,
}

impl Receiver {
    /// Takes the sender's number off; `None` if the certificate speaks of another member's node.
    fn verified(&self, from: &Peer, bytes: &Bytes) -> Option<(NodeId, Bytes)> {
        let body = bytes.len().checked_sub(MEMBER_LEN)?;
        let number = <[u8; MEMBER_LEN]>::try_from(bytes.get(body..)?).ok()?;
        let member = NodeId(u64::from_be_bytes(number));
        match self.directory.member_of(&from.node) {
            Some(known) if known != member => {
                tracing::warn!(%from, member = member.0, "a server spoke for another member than its own");
                return None;
            }
            Some(_) => {}
            None => self.directory.learn(member, &from.node),
        }
        Some((member, bytes.slice(..body)))
    }
}

impl Handler for Receiver {
    fn tell(&self, from: &Peer, body: Bytes) {
        if let Some((member, frame)) = self.verified(from, &body) {
            self.store.receive(member, frame.to_vec());
        }
    }

    fn ask(
        &self,
        from: &Peer,
        body: Bytes,
        _trace: TraceContext,
    ) -> mesh_quic::Later<Result<Bytes, String>> {
        let verified = self.verified(from, &body);
        let store = self.store.clone();
        Box::pin(async move {
            let (member, request) = verified.ok_or("the member is another node's")?;
            Ok(store.serve_peer(member, request.to_vec()).await.into())
        })
    }

    fn stream(&self, from: &Peer, head: Bytes, stream: MeshStream) -> mesh_quic::Later<()> {
        let verified = self.verified(from, &head);
        let store = self.store.clone();
        Box::pin(async move {
            let Some((member, head)) = verified else { return };
            if let Err(error) = take_image(&store, (member, head), stream).await {
                tracing::info!(%error, member = member.0, "an image was not taken");
            }
        })
    }
}

async fn take_image(
    store: &Store,
    (from, head): (NodeId, Bytes),
    mut stream: MeshStream,
) -> Result<(), String> {
    let failed = |error: &dyn std::fmt::Display| error.to_string();
    let mut image = store.receive_image(from, head.to_vec()).map_err(|error| failed(&error))?;
    while let Some(piece) = stream.recv.next().await.map_err(|error| failed(&error))? {
        image.push(piece.to_vec()).await.map_err(|error| failed(&error))?;
    }
    image.finish().await.map_err(|error| failed(&error))?;
    stream.send.send(Bytes::from_static(WHOLE)).await.map_err(|error| failed(&error))?;
    stream.send.finish().map_err(|error| failed(&error))
}
