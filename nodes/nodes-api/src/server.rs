//! Listens, speaks TLS, and learns who is on the other side.
//!
//! Way in: [`serve`].  Spec: TLS 1.2 and 1.3 (RFC 8446); a client certificate is asked for and optional.

use std::{any::Any, io, net::TcpListener, sync::Arc, time::Duration};

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::{
    App, HttpServer,
    dev::{Extensions, Server},
    rt::net::TcpStream,
    web,
};
use actors_runtime::Service;
use nodes_pki::subject_of;
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, pem::PemObject as _},
    server::WebPkiClientVerifier,
};

use crate::{
    certificate::ServingCertificate,
    connection,
    crowd::Crowd,
    edge::{EdgeParts, handle},
    identity::Peer,
    tape::Tapes,
};

/// Most connections of one worker.
const CONNECTIONS_MAX: usize = 10_000;

/// Most TLS handshakes at once on one worker: as many as connections, for those that never end must not keep others
/// waiting.
const HANDSHAKES_MAX: usize = CONNECTIONS_MAX;

/// How long a TLS handshake may take.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(5);

/// How long the head of a request may take to arrive.
const HEAD_WITHIN: Duration = Duration::from_secs(10);

/// How long a connection without a request is kept. Spec: upstream's API server has an idle timeout of 90 s.
const IDLE_FOR: Duration = Duration::from_secs(90);

/// What serving needs besides its parts.
pub struct ServeConfig {
    /// Bound listeners: whether the port is free was found out before anything else started.
    pub listeners: Vec<TcpListener>,
    /// The API's own certificate.
    pub certificate: Arc<ServingCertificate>,
    /// The authority of client certificates, PEM.
    pub authority_pem: String,
    /// HTTP workers.
    pub workers: usize,
}

/// Why the edge cannot serve. The operator mends the keys.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A certificate or key cannot be used.
    #[error("cannot use {what}: {why}")]
    Keys {
        /// Which.
        what: &'static str,
        /// Why.
        why: String,
    },
    /// The socket failed.
    #[error("the API's listener failed")]
    Io(#[from] io::Error),
}

/// Serves until the service is asked to stop.
///
/// # Errors
/// If the keys cannot be used or the listener fails.
pub async fn serve(
    service: Service,
    config: ServeConfig,
    parts: EdgeParts,
) -> Result<(), ServeError> {
    connection::allow_descriptors();
    let server = build(config, parts)?;
    let handle = server.handle();
    tokio::pin!(server);
    tokio::select! {
        ended = &mut server => return Ok(ended?),
        () = service.stopping() => {}
    }
    // Watches never end by themselves: those who wait for them would wait for ever.
    tokio::join!(handle.stop(false), async { server.await.map_err(ServeError::from) }).1
}

fn build(config: ServeConfig, parts: EdgeParts) -> Result<Server, ServeError> {
    let tls = tls(&config)?;
    let parts = web::Data::new(parts);
    let crowd = web::Data::new(Crowd::default());
    let mut server = HttpServer::new(move || {
        let tapes = web::Data::new(Tapes::default());
        let app = App::new().app_data(parts.clone()).app_data(crowd.clone()).app_data(tapes);
        app.default_service(web::to(handle))
    })
    .workers(config.workers)
    .max_connections(CONNECTIONS_MAX)
    .max_connection_rate(HANDSHAKES_MAX)
    .keep_alive(IDLE_FOR)
    .client_request_timeout(HEAD_WITHIN)
    .tls_handshake_timeout(HANDSHAKE_WITHIN)
    .on_connect(|connection, data| {
        remember_peer(connection, data);
        connection::prepare(connection, data);
    })
    .disable_signals()
    .shutdown_timeout(1);
    for listener in config.listeners {
        server = server.listen_rustls_0_23(listener, tls.clone())?;
    }
    Ok(server.run())
}

fn tls(config: &ServeConfig) -> Result<ServerConfig, ServeError> {
    let bad = |what: &'static str| {
        move |why: &dyn std::fmt::Display| ServeError::Keys { what, why: why.to_string() }
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_slice(config.authority_pem.as_bytes());
    let authority = authority.map_err(|error| bad("the authority's certificate")(&error))?;
    roots.add(authority).map_err(|error| bad("the authority's certificate")(&error))?;
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .allow_unauthenticated()
            .build()
            .map_err(|error| bad("the authority's certificate")(&error))?;
    let resolver = Arc::clone(&config.certificate);
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map(|builder| builder.with_client_cert_verifier(verifier).with_cert_resolver(resolver))
        .map_err(|error| bad("the versions of TLS")(&error))
}

/// Puts the verified subject of the client's certificate beside its connection.
fn remember_peer(connection: &dyn Any, data: &mut Extensions) {
    let stream = connection.downcast_ref::<TlsStream<TcpStream>>();
    let certificates = stream.and_then(|stream| stream.get_ref().1.peer_certificates());
    let subject = certificates.and_then(|chain| chain.first()).and_then(|leaf| subject_of(leaf));
    data.insert(Peer::of(subject));
}
