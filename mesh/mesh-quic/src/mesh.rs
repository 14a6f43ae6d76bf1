//! The handle of an endpoint: what other crates call.
//!
//! Way in: [`Mesh::open`], [`Mesh::tree`].

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use actors_core::{ChildSpec, Intensity, OnLimit};
use actors_runtime::{Child, Tree};
use bytes::Bytes;
use mesh_wire::{Lane, Peer, Service, TraceContext};
use tokio::sync::broadcast;

use crate::{
    AskError, DownReason, Handler, LinkEvent, LinkView, MeshConfig, MeshError, MeshStream,
    PeerAddress, Refusal, SendError, endpoint,
    ends::CloseCode,
    live::Live,
    roster::{self, LINKS},
    shared::Shared,
};

/// The mesh, as this process sees it. Cheap to clone; all clones are the same endpoint.
#[derive(Clone)]
pub struct Mesh(Arc<Shared>);

impl std::fmt::Debug for Mesh {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Mesh({} on {})", self.0.me, self.0.local_addr())
    }
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
        Ok(Self(Arc::new(Shared::open(config)?)))
    }

    /// What runs the endpoint, for a supervisor: its links come and go with [`Mesh::set_peers`] and
    /// with the peers that call.
    #[must_use]
    pub fn tree(&self, name: &str) -> Tree {
        let intensity = Intensity { restarts: 20, period: Duration::from_secs(30) };
        // One broken link must not take the others along soon.
        let links = Intensity { restarts: 200, period: Duration::from_secs(10) };
        let links = Tree::new(LINKS, links, OnLimit::Escalate);
        Tree::new(name, intensity, OnLimit::Escalate)
            .child(ChildSpec::permanent("endpoint"), endpoint::child(&self.0))
            .child(ChildSpec::permanent(LINKS), Child::supervisor(links))
            .child(ChildSpec::permanent("roster"), roster::child(&self.0))
    }

    /// Who this process is.
    #[must_use]
    pub fn me(&self) -> &Peer {
        &self.0.me
    }

    /// Where it listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.0.local_addr()
    }

    /// Has `handler` serve `service` from now on, in place of what did.
    pub fn serve(&self, service: Service, handler: Arc<dyn Handler>) {
        self.0.serve(service, handler);
    }

    /// Whom to keep links to, by node. Links to peers that were in the last set and are not in this
    /// one are closed; peers that call are welcome anyway, if their certificate is.
    pub fn set_peers(&self, mut peers: BTreeMap<String, PeerAddress>) {
        peers.remove(&self.0.me.node);
        self.0.peers.set_wanted(&peers, self.0.now());
        self.0.changed.notify_one();
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
        self.live(to)?.tell(lane, service, body)
    }

    /// Asks a service of a peer, and awaits the answer.
    ///
    /// # Errors
    /// [`AskError`]; only `NotSent` says that nothing was done.
    pub async fn ask(&self, to: &str, ask: Ask) -> Result<Bytes, AskError> {
        self.live(to)?.ask(ask).await
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
        self.live(to)?.open_stream(service, head, trace).await
    }

    /// All links that are kept, or came in, by node.
    #[must_use]
    pub fn links(&self) -> Vec<LinkView> {
        self.0.peers.all().iter().map(|slot| slot.view()).collect()
    }

    /// The link to one node, if it is kept or came in.
    #[must_use]
    pub fn link(&self, node: &str) -> Option<LinkView> {
        self.0.peers.get(node).map(|slot| slot.view())
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
        self.0.replace_identity(certificate_pem, key_pem)
    }

    /// Serial numbers that are not welcome any more, in place of the last set. Links of theirs are
    /// closed.
    pub fn set_revoked(&self, serials: Vec<String>) {
        self.0.trust.set_revoked(serials);
        for live in self.0.peers.all().iter().filter_map(|slot| slot.live()) {
            if let Some(text) = self.0.trust.revocation(&live.facts) {
                let from = live.connection.remote_address();
                self.0.refuse(from, Some(&live.facts), &text);
                live.close(CloseCode::Refused, &text, DownReason::Refused(text.clone()));
            }
        }
    }

    /// The link to a peer.
    fn live(&self, to: &str) -> Result<Arc<Live>, SendError> {
        let slot = self.0.peers.get(to).ok_or_else(|| SendError::Unknown(to.to_owned()))?;
        slot.live().ok_or_else(|| SendError::Unreachable(to.to_owned()))
    }
}
