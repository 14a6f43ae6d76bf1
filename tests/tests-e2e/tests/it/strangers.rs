//! Certificates that are not of this cluster, shown to a server's port of the mesh by a program that does not care
//! whom it speaks to.

use std::{
    fs,
    net::{IpAddr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Duration,
};

use actors_runtime::Clock;
use nodes_pki::{Authority, NodeKey, NodeRole, NodeSubject};
use quinn::{ClientConfig, Connection, Endpoint, crypto::rustls::QuicClientConfig};
use rustls::{
    DigitallySignedStruct, Error, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
};
use serde_json::Value;
use tests_e2e::{Cluster, Lab, until};
use tokio::time::timeout;

/// How long the server may take to turn a stranger away.
const PATIENCE: Duration = Duration::from_secs(60);

/// A certificate and its key, PEM.
type Keys = (String, String);

/// Believes everybody.
#[derive(Debug)]
struct Careless(Arc<CryptoProvider>);

impl ServerCertVerifier for Careless {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(
            message,
            certificate,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(
            message,
            certificate,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Calls `server` with these keys, and returns the words with which it ends the connection.
fn call(lab: &Lab, server: &str, (certificate, key): &Keys) -> String {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).expect("PEM")];
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("PEM");
    let mut tls = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Careless(provider)))
        .with_client_auth_cert(chain, key)
        .expect("a key that fits");
    tls.alpn_protocols = vec![b"starling-mesh/1".to_vec()];
    let config = ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).expect("suites")));
    let from = SocketAddr::new(IpAddr::V4(lab.gateway()), 0);
    let to = SocketAddr::new(IpAddr::V4(lab.address(server)), 7_443);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let ended = runtime.block_on(async {
        let endpoint = Endpoint::client(from).expect("a socket");
        let connecting = endpoint.connect_with(config, to, server).expect("a call");
        let ended = async {
            match connecting.await {
                // The caller has ended its part of the handshake before the server looks at it.
                Ok(connection) => Connection::closed(&connection).await,
                Err(error) => error,
            }
        };
        timeout(PATIENCE, ended).await
    });
    ended.expect("the server turns it away").to_string()
}

/// How often `b` refused somebody on its mesh in exactly this sentence, as it tells.
fn counted(lab: &Lab, sentence: &str) -> u64 {
    let told = lab.json("b", &["mesh", "refusals"]);
    let is_it = |one: &&Value| {
        one["server"] == "b"
            && one["at"] == "mesh"
            && one["reason"] == sentence
            && one["from"].as_str().is_some_and(|from| from.starts_with(&lab.gateway().to_string()))
    };
    let all = told["refusals"].as_array().cloned().unwrap_or_default();
    all.iter().filter(is_it).filter_map(|one| one["count"].as_u64()).sum()
}

/// Turned away in this sentence, which the stranger hears too, and counted each time.
fn check(lab: &Lab, keys: &Keys, sentence: &str) {
    for calls in 1..=2 {
        let heard = call(lab, "b", keys);
        assert!(heard.contains(sentence), "{heard}");
        until("it is counted", || counted(lab, sentence) >= calls);
        assert_eq!(counted(lab, sentence), calls, "{sentence}");
    }
    let shown = lab.starling("b", &["mesh", "refusals"]);
    assert!(shown.contains(sentence), "{shown}");
}

/// What stands in the record of a computer's machine.
fn uid(lab: &Lab, name: &str) -> String {
    let keys = lab.keys(name, &lab.cluster);
    let record = keys.parent().expect("a machine").join("machine.json");
    let record: Value =
        serde_json::from_str(&fs::read_to_string(record).expect("a record")).expect("JSON");
    record["uid"].as_str().expect("a uid").to_owned()
}

#[test]
fn a_certificate_of_another_cluster_is_refused_in_one_sentence_and_counted() {
    if let Some(lack) = Cluster::lacking() {
        return println!("{lack}");
    }
    let lab = Lab::of(&["b", "x"]);
    // Two clusters of one name, as people who copy a line have them.
    let _lines = (lab.init("b"), lab.init("x"));
    let (ours, theirs) = (uid(&lab, "b"), uid(&lab, "x"));
    let read = |file: &str| {
        let path = lab.keys("x", &lab.cluster).join(file);
        fs::read_to_string::<&Path>(&path).expect(file)
    };
    let foreign = (read("node.crt"), read("node.key"));
    let sentence =
        format!("the certificate of server x is of cluster {theirs}, and this is cluster {ours}");
    check(&lab, &foreign, &sentence);

    // One that says to be of this cluster, and that another authority has signed.
    let now = Clock.now().wall;
    let made = NodeKey::create("d").expect("a key");
    let subject = NodeSubject {
        cluster: ours,
        site: "default".to_owned(),
        role: NodeRole::Agent,
        node: "d".to_owned(),
    };
    let other = Authority::create("starling-ca", now).expect("an authority");
    let forged = (other.sign_node(&made.csr_pem, &subject, now).expect("signed"), made.key_pem);
    check(
        &lab,
        &forged,
        "the certificate of agent d was not signed by an authority of this cluster",
    );
    lab.kubectl("b", "b", &["get", "nodes"]);
}
