//! What all parts of an endpoint share.
//!
//! Way in: [`Shared`].  Owns: the socket, the identity, the handlers, the peers, the refusals.

use std::{
    collections::BTreeMap,
    io,
    net::{SocketAddr, UdpSocket},
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use actors_core::Wall;
use actors_runtime::Clock;
use mesh_wire::{Hello, Peer, Service};
use quinn::{ClientConfig, Endpoint, TokioRuntime};
use rustls::crypto::CryptoProvider;
use tokio::sync::{Notify, Semaphore, broadcast};

use crate::{
    Handler, Limits, LinkEvent, MeshConfig, MeshError,
    identity::{Facts, Identity},
    peers::Peers,
    refusals::Refusals,
    tls::{Tls, endpoint_config},
    trust::Trust,
};

/// Events that a listener may be behind.
const EVENTS_MAX: usize = 1_024;

pub(crate) struct Shared {
    pub(crate) me: Peer,
    pub(crate) limits: Limits,
    pub(crate) peers: Peers,
    /// Rung when a peer may need an actor, or may not need it any more.
    pub(crate) changed: Notify,
    pub(crate) refusals: Refusals,
    pub(crate) events: broadcast::Sender<LinkEvent>,
    pub(crate) trust: Arc<Trust>,
    /// One permit for each handshake that may go on.
    pub(crate) handshakes: Arc<Semaphore>,
    hello: Hello,
    reset_key: [u8; 32],
    socket: UdpSocket,
    address: SocketAddr,
    provider: Arc<CryptoProvider>,
    tls: RwLock<Tls>,
    /// While its actor runs.
    endpoint: Mutex<Option<Endpoint>>,
    handlers: RwLock<BTreeMap<Service, Arc<dyn Handler>>>,
}

impl Shared {
    /// Reads what the configuration names, and binds the socket.
    pub(crate) fn open(config: MeshConfig) -> Result<Self, MeshError> {
        let MeshConfig { me, limits, listen, .. } = config;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let trust = Arc::new(Trust::new(&me, &config.authorities_pem, &provider)?);
        trust.set_revoked(config.revoked);
        let identity = Identity::read(&me, &config.certificate_pem, &config.key_pem)?;
        let tls = Tls::new(identity, &trust, &provider, &limits)?;
        let refused = |source| MeshError::Listen { address: listen, source };
        let socket = UdpSocket::bind(listen).map_err(refused)?;
        socket.set_nonblocking(true).map_err(refused)?;
        widen(&socket);
        let address = socket.local_addr().map_err(refused)?;
        let started = Clock.now().wall;
        let incarnation = u64::try_from(started.0).unwrap_or(0);
        Ok(Self {
            me,
            limits,
            peers: Peers::default(),
            changed: Notify::new(),
            refusals: Refusals::default(),
            events: broadcast::Sender::new(EVENTS_MAX),
            trust,
            handshakes: Arc::new(Semaphore::new(limits.handshakes_max.max(1))),
            hello: Hello { incarnation, feature_level: config.feature_level },
            reset_key: config.reset_key,
            socket,
            address,
            provider,
            tls: RwLock::new(tls),
            endpoint: Mutex::new(None),
            handlers: RwLock::default(),
        })
    }

    pub(crate) fn now(&self) -> Wall {
        Clock.now().wall
    }

    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// What this process says of itself.
    pub(crate) fn hello(&self) -> Hello {
        self.hello
    }

    /// The endpoint, while it runs.
    pub(crate) fn endpoint(&self) -> Option<Endpoint> {
        self.endpoint.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The endpoint that runs, or a new one on the same socket.
    pub(crate) fn start_endpoint(&self) -> io::Result<Endpoint> {
        let mut present = self.endpoint.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(endpoint) = present.as_ref() {
            return Ok(endpoint.clone());
        }
        let config = endpoint_config(&self.reset_key);
        let server = self.tls.read().unwrap_or_else(PoisonError::into_inner).server.clone();
        let socket = self.socket.try_clone()?;
        let endpoint = Endpoint::new(config, Some(server), socket, Arc::new(TokioRuntime))?;
        *present = Some(endpoint.clone());
        Ok(endpoint)
    }

    /// Forgets the endpoint: the next start makes a new one.
    pub(crate) fn drop_endpoint(&self) {
        let endpoint = self.endpoint.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(endpoint);
    }

    pub(crate) fn client_config(&self) -> ClientConfig {
        self.tls.read().unwrap_or_else(PoisonError::into_inner).client.clone()
    }

    /// Shows another certificate from now on.
    pub(crate) fn replace_identity(
        &self,
        certificate_pem: &str,
        key_pem: &str,
    ) -> Result<(), MeshError> {
        let identity = Identity::read(&self.me, certificate_pem, key_pem)?;
        let tls = Tls::new(identity, &self.trust, &self.provider, &self.limits)?;
        let server = tls.server.clone();
        *self.tls.write().unwrap_or_else(PoisonError::into_inner) = tls;
        if let Some(endpoint) = self.endpoint() {
            endpoint.set_server_config(Some(server));
        }
        Ok(())
    }

    pub(crate) fn serve(&self, service: Service, handler: Arc<dyn Handler>) {
        self.handlers.write().unwrap_or_else(PoisonError::into_inner).insert(service, handler);
    }

    pub(crate) fn handler(&self, service: Service) -> Option<Arc<dyn Handler>> {
        self.handlers.read().unwrap_or_else(PoisonError::into_inner).get(&service).cloned()
    }

    /// Counts a refusal, and logs the first of its kind.
    pub(crate) fn refuse(&self, from: SocketAddr, facts: Option<&Facts>, reason: &str) {
        let peer = facts.map(|facts| &facts.peer);
        if self.refusals.add(from, peer, reason.to_owned(), self.now()) {
            tracing::warn!(%from, reason, "refused in the mesh");
        }
    }
}

/// Asks for room for bursts. The kernel gives what its limits allow, which is no error.
fn widen(socket: &UdpSocket) {
    use nix::sys::socket::{setsockopt, sockopt};
    const BUFFER: usize = 4 * 1024 * 1024;
    let received = setsockopt(socket, sockopt::RcvBuf, &BUFFER);
    let sent = setsockopt(socket, sockopt::SndBuf, &BUFFER);
    if let Err(error) = received.and(sent) {
        tracing::debug!(%error, "the socket's buffers keep their size");
    }
}
