//! A peer that speaks by hand: with a good certificate, and with whatever manners a test needs.

use std::sync::Arc;

use mesh_quic::MeshConfig;
use mesh_wire::{Frame, Hello, Opening, Splitter, prefix};
use quinn::{Connection, Endpoint, RecvStream, SendStream, crypto::rustls::QuicClientConfig};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

use crate::scene::{Process, within};

/// One such peer.
pub(crate) struct Raw {
    pub(crate) connection: Connection,
    _endpoint: Endpoint,
}

impl Raw {
    pub(crate) async fn call(config: &MeshConfig, server: &Process) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let pem = config.authorities_pem.as_bytes();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(pem).unwrap()).unwrap();
        let chain =
            vec![CertificateDer::from_pem_slice(config.certificate_pem.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(config.key_pem.as_bytes()).unwrap();
        let mut tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)
            .unwrap();
        tls.alpn_protocols = vec![b"starling-mesh/1".to_vec()];
        let client = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));
        let endpoint = Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
        let (address, name) = (server.mesh.local_addr(), &server.mesh.me().node);
        let connecting = endpoint.connect_with(client, address, name).unwrap();
        let connection = within("the handshake", connecting).await.unwrap();
        Self { connection, _endpoint: endpoint }
    }

    /// Opens a stream, and writes these bytes as they are.
    pub(crate) async fn write(&self, bytes: &[u8]) -> (SendStream, RecvStream) {
        let (mut send, recv) = self.connection.open_bi().await.unwrap();
        // The other end may be faster in closing.
        drop(send.write_all(bytes).await);
        (send, recv)
    }

    pub(crate) async fn greet(&self) -> (SendStream, RecvStream) {
        self.write(&message(&Opening::Link(Hello { incarnation: 1, feature_level: 1 }).encode()))
            .await
    }
}

pub(crate) fn message(bytes: &[u8]) -> Vec<u8> {
    [&prefix(bytes.len()).unwrap()[..], bytes].concat()
}

/// The next frame on a stream.
pub(crate) async fn next_frame(recv: &mut RecvStream, splitter: &mut Splitter) -> Frame {
    loop {
        if let Some(message) = splitter.next_message().unwrap() {
            return Frame::decode(&message).unwrap();
        }
        let chunk = within("a frame", recv.read_chunk(4_096, true)).await.unwrap().unwrap();
        splitter.push(&chunk.bytes);
    }
}
