//! What chitchat takes for its socket: frames of the mesh.
//!
//! Way in: [`MeshTransport`].  Never: a datagram that leaves the machine.

use std::{net::SocketAddr, sync::Arc};

use anyhow::bail;
use async_trait::async_trait;
use bytes::Bytes;
use chitchat::{
    ChitchatEnvelope,
    transport::{RecvOutcome, SendOutcome, Socket, Transport},
};
use tokio::sync::{Mutex, OwnedMutexGuard, mpsc};

use crate::{carrier::Wire, codec::Codec, names::Names};

/// A frame of gossip, and the node that sent it.
pub(crate) type Frame = (String, Bytes);

/// Opens sockets over the mesh, one at a time: the frames that come are for the last one.
pub(crate) struct MeshTransport {
    pub(crate) wire: Arc<dyn Wire>,
    pub(crate) names: Arc<Names>,
    pub(crate) frames: Arc<Mutex<mpsc::Receiver<Frame>>>,
}

struct MeshSocket {
    codec: Codec,
    wire: Arc<dyn Wire>,
    names: Arc<Names>,
    frames: OwnedMutexGuard<mpsc::Receiver<Frame>>,
    /// Who sent what is being decoded, and how long it is.
    sender: Option<(SocketAddr, usize)>,
}

#[async_trait]
impl Transport for MeshTransport {
    async fn open(&self, _listen: SocketAddr) -> anyhow::Result<Box<dyn Socket>> {
        Ok(Box::new(MeshSocket {
            codec: Codec::open().await?,
            wire: Arc::clone(&self.wire),
            names: Arc::clone(&self.names),
            // An earlier life lets go of it when its task has ended.
            frames: Arc::clone(&self.frames).lock_owned().await,
            sender: None,
        }))
    }
}

#[async_trait]
impl Socket for MeshSocket {
    fn local_addr(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.codec.address())
    }

    async fn send(
        &mut self,
        to: SocketAddr,
        envelope: ChitchatEnvelope,
    ) -> anyhow::Result<SendOutcome> {
        // Of an address alone nobody can be reached; its name comes with the next digest's delta.
        let Some(node) = self.names.name_of(&to) else {
            return Ok(SendOutcome { num_bytes_sent: 0 });
        };
        let bytes = self.codec.encode(envelope).await?;
        let num_bytes_sent = bytes.len();
        self.wire.send(&node, bytes);
        Ok(SendOutcome { num_bytes_sent })
    }

    async fn recv(&mut self) -> anyhow::Result<RecvOutcome> {
        loop {
            if !self.codec.is_decoding() {
                let Some((from, bytes)) = self.frames.recv().await else {
                    bail!("the mesh is gone");
                };
                self.sender = Some((self.names.learn(&from), bytes.len()));
                self.codec.begin_decoding(&bytes);
            }
            if let Some(envelope) = self.codec.decoded().await?
                && let Some((from_addr, num_bytes_received)) = self.sender.take()
            {
                return Ok(RecvOutcome { from_addr, envelope, num_bytes_received });
            }
        }
    }
}
