//! What an endpoint is opened with: identity, address, limits.
//!
//! Way in: [`MeshConfig`].

use std::{io, net::SocketAddr};

use mesh_wire::{Peer, Role};

/// What [`crate::Mesh::open`] needs.
#[derive(Clone)]
pub struct MeshConfig {
    /// Who this process is. The certificate must say the same.
    pub me: Peer,
    /// The certificate of this process and what links it to an authority, PEM. Its leaf carries
    /// [`Peer::uri`] and the DNS name [`Peer::node`] as subject alternative names, and both usages,
    /// server and client.
    pub certificate_pem: String,
    /// Its private key, PEM. Secret.
    pub key_pem: String,
    /// The authorities of the cluster, PEM, one or more.
    pub authorities_pem: String,
    /// Where to listen, UDP. Port 0 takes a free one: see [`crate::Mesh::local_addr`].
    pub listen: SocketAddr,
    /// Serial numbers that are not welcome any more: lower-case hexadecimal without leading zeros.
    pub revoked: Vec<String>,
    /// Kept over restarts by whoever owns the data folder, and random at first: with it, peers
    /// learn of a restart in one round trip. Secret.
    pub reset_key: [u8; 32],
    /// What peers are told that this process can do.
    pub feature_level: u16,
    /// How much of everything.
    pub limits: Limits,
}

impl std::fmt::Debug for MeshConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MeshConfig({} on {})", self.me, self.listen)
    }
}

/// Bounds of an endpoint and its links. All of them hold for each link of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Frames that may wait in each lane for the wire.
    pub lane_frames_max: usize,
    /// Bytes of bodies that may wait in each lane for the wire, beyond the first frame.
    pub lane_bytes_max: usize,
    /// Questions of one peer that may be answered at a time; the next one is told that it is busy
    /// here.
    pub asks_max: usize,
    /// Questions to one peer that may wait for an answer.
    pub waiting_max: usize,
    /// Streams that each end may open besides the lanes.
    pub streams_max: u32,
    /// Bytes that may be on the way in one lane or stream and not read.
    pub stream_window: u32,
    /// Handshakes that may go on at a time in the whole endpoint.
    pub handshakes_max: usize,
    /// Whether the kernel cuts big buffers into datagrams. Some network cards and tunnels say that
    /// they can, and cannot.
    pub segmentation_offload: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            lane_frames_max: 1_024,
            lane_bytes_max: 32 * 1024 * 1024,
            asks_max: 256,
            waiting_max: 1_024,
            streams_max: 128,
            stream_window: 256 * 1024,
            handshakes_max: 64,
            segmentation_offload: true,
        }
    }
}

/// Where a peer listens, and what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerAddress {
    /// What it is said to be. What counts is its certificate.
    pub role: Role,
    /// Where it listens, UDP.
    pub address: SocketAddr,
}

/// Why an endpoint cannot be opened, or an identity not be taken. The operator mends the named
/// thing.
#[derive(Debug, thiserror::Error)]
pub enum MeshError {
    /// The address cannot be used.
    #[error("cannot listen on {address}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A PEM text holds something else than it should.
    #[error("{what} cannot be read: {reason}")]
    Pem {
        /// Which text.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The certificate says something else than the configuration.
    #[error("the certificate is of {certificate}, and this process is {configured}")]
    OtherPeer {
        /// Its URI.
        certificate: String,
        /// The URI that it should have.
        configured: String,
    },
    /// TLS does not take certificate and key.
    #[error("the certificate and its key cannot be used")]
    Tls(#[source] rustls::Error),
}
