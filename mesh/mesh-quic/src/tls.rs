//! The settings of TLS and of the transport, all of them stated.
//!
//! Way in: [`Tls::new`], [`endpoint_config`].
//! Spec: RFC 9000 sections 10.3 (stateless reset), 18.2 (transport parameters); RFC 9001.

use std::{sync::Arc, time::Duration};

use mesh_wire::Lane;
use quinn::{
    AckFrequencyConfig, ClientConfig, EndpointConfig, IdleTimeout, ServerConfig, TransportConfig,
    VarInt,
    crypto::rustls::{QuicClientConfig, QuicServerConfig},
};
use quinn_proto::HashedConnectionIdGenerator;
use ring::hmac;
use rustls::{
    client::Resumption, crypto::CryptoProvider, server::NoServerSessionStorage, version::TLS13,
};

use crate::{IDLE, KEEP_ALIVE, Limits, MeshError, identity::Identity, trust::Trust};

/// What both ends must speak; the number rises with an incompatible change of openings or frames.
const PROTOCOL: &[u8] = b"starling-mesh/1";

/// What is assumed of the round trip before it is measured: a lost first datagram is sent again
/// after three times as long.
const INITIAL_RTT: Duration = Duration::from_millis(100);

/// Packets that are acknowledged together, unless an answer carries the acknowledgement or time is
/// up: each one by itself costs both ends nearly as much as a packet with something in it. Less than
/// what may be under way on a new link, or its sender would wait for that time.
const ACKNOWLEDGED_TOGETHER: u32 = 8;

/// Calls that may wait to be looked at, and bytes that may come for each of them meanwhile.
const INCOMING_MAX: usize = 256;
const INCOMING_BYTES_MAX: u64 = 64 * 1024;

/// The settings of both directions, for one identity.
#[derive(Debug, Clone)]
pub(crate) struct Tls {
    pub(crate) server: ServerConfig,
    pub(crate) client: ClientConfig,
}

impl Tls {
    /// Settings that show `identity` and trust `trust`.
    pub(crate) fn new(
        identity: Identity,
        trust: &Arc<Trust>,
        provider: &Arc<CryptoProvider>,
        limits: &Limits,
    ) -> Result<Self, MeshError> {
        let Identity { chain, key } = identity;
        let transport = Arc::new(transport(limits));
        let provider = || Arc::clone(provider);
        let mut tls = rustls::ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])
            .map_err(MeshError::Tls)?
            .with_client_cert_verifier(Arc::<Trust>::clone(trust))
            .with_single_cert(chain.clone(), key.clone_key())
            .map_err(MeshError::Tls)?;
        tls.alpn_protocols = vec![PROTOCOL.to_vec()];
        // A resumed session would skip the look at the certificate, and with it revocation.
        tls.session_storage = Arc::new(NoServerSessionStorage {});
        tls.send_tls13_tickets = 0;
        tls.max_early_data_size = 0;
        let tls = QuicServerConfig::try_from(tls).map_err(|error| no_suite(&error))?;
        let mut server = ServerConfig::with_crypto(Arc::new(tls));
        server.transport_config(Arc::clone(&transport));
        // Machines of a cluster keep their addresses; who moves is called again.
        server.migration(false);
        server.max_incoming(INCOMING_MAX);
        server.incoming_buffer_size(INCOMING_BYTES_MAX);
        server.incoming_buffer_size_total(INCOMING_BYTES_MAX * INCOMING_MAX as u64);

        let mut tls = rustls::ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])
            .map_err(MeshError::Tls)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::<Trust>::clone(trust))
            .with_client_auth_cert(chain, key)
            .map_err(MeshError::Tls)?;
        tls.alpn_protocols = vec![PROTOCOL.to_vec()];
        tls.resumption = Resumption::disabled();
        tls.enable_early_data = false;
        let tls = QuicClientConfig::try_from(tls).map_err(|error| no_suite(&error))?;
        let mut client = ClientConfig::new(Arc::new(tls));
        client.transport_config(transport);
        Ok(Self { server, client })
    }
}

fn no_suite(error: &quinn::crypto::rustls::NoInitialCipherSuite) -> MeshError {
    MeshError::Tls(rustls::Error::General(error.to_string()))
}

/// Settings of one endpoint. With the same `reset_key` after a restart it recognises the connection
/// ids of its former life, and tells its former peers that it knows nothing of them.
pub(crate) fn endpoint_config(reset_key: &[u8; 32]) -> EndpointConfig {
    let key = hmac::Key::new(hmac::HMAC_SHA256, reset_key);
    let derived = hmac::sign(&key, b"connection ids");
    let ids = derived.as_ref().first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes));
    let mut config = EndpointConfig::new(Arc::new(key));
    config.cid_generator(move || Box::new(HashedConnectionIdGenerator::from_key(ids)));
    config
}

fn transport(limits: &Limits) -> TransportConfig {
    let streams = limits.streams_max.saturating_mul(2) + Lane::ALL.len() as u32;
    // So large that streams which nobody reads never keep the lanes from moving.
    let window = streams.saturating_mul(limits.stream_window);
    let mut acknowledgements = AckFrequencyConfig::default();
    acknowledgements.ack_eliciting_threshold(VarInt::from_u32(ACKNOWLEDGED_TOGETHER));
    let mut config = TransportConfig::default();
    config
        .max_idle_timeout(IdleTimeout::try_from(IDLE).ok())
        .keep_alive_interval(Some(KEEP_ALIVE))
        // The other end counts a stream until both directions are read to their ends, so a stream
        // that is opened in place of one that was dropped needs room meanwhile.
        .max_concurrent_bidi_streams(VarInt::from_u32(streams))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .stream_receive_window(VarInt::from_u32(limits.stream_window))
        .receive_window(VarInt::from_u32(window.min(1 << 30)))
        .send_window(u64::from(window))
        .datagram_receive_buffer_size(None)
        .initial_rtt(INITIAL_RTT)
        .allow_spin(false)
        .ack_frequency_config(Some(acknowledgements))
        .enable_segmentation_offload(limits.segmentation_offload);
    config
}
