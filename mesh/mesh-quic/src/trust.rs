//! Which certificates are welcome, with one sentence for those that are not.
//!
//! Way in: [`Trust`], a verifier for both ends of a handshake.  Owns: the authorities, the revoked
//! serial numbers.
//! Invariant: a certificate passes only if an authority of the cluster signed it, it is valid now,
//! it is of this cluster, it is of the node that was called, and it is not revoked.

use std::{
    collections::BTreeSet,
    sync::{Arc, PoisonError, RwLock},
};

use mesh_wire::Peer;
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore,
    SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::CryptoProvider,
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::{
        WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};

use crate::{
    MeshError,
    identity::{Facts, certificates},
};

/// What judges the certificates of others.
#[derive(Debug)]
pub(crate) struct Trust {
    me: Peer,
    as_client: Arc<dyn ClientCertVerifier>,
    as_server: Arc<WebPkiServerVerifier>,
    revoked: RwLock<BTreeSet<String>>,
}

impl Trust {
    /// Trusts what these authorities have signed.
    pub(crate) fn new(
        me: &Peer,
        authorities_pem: &str,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, MeshError> {
        let what = "the authorities of the cluster";
        let pem = |reason: String| MeshError::Pem { what, reason };
        let mut roots = RootCertStore::empty();
        for authority in certificates(what, authorities_pem)? {
            roots.add(authority).map_err(|error| pem(error.to_string()))?;
        }
        let roots = Arc::new(roots);
        let provider = || Arc::clone(provider);
        let as_client =
            WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), provider()).build();
        let as_client = as_client.map_err(|error| pem(error.to_string()))?;
        let as_server = WebPkiServerVerifier::builder_with_provider(roots, provider()).build();
        let as_server = as_server.map_err(|error| pem(error.to_string()))?;
        Ok(Self { me: me.clone(), as_client, as_server, revoked: RwLock::default() })
    }

    /// Replaces the set of revoked serial numbers.
    pub(crate) fn set_revoked(&self, serials: impl IntoIterator<Item = String>) {
        let serials = serials.into_iter().map(|serial| serial.to_ascii_lowercase()).collect();
        *self.revoked.write().unwrap_or_else(PoisonError::into_inner) = serials;
    }

    /// Why a certificate that was welcome is not any more; `None` if it still is.
    pub(crate) fn revocation(&self, facts: &Facts) -> Option<String> {
        let revoked = self.revoked.read().unwrap_or_else(PoisonError::into_inner);
        let is_revoked = revoked.contains(&facts.serial);
        is_revoked.then(|| format!("the certificate of {} is revoked", facts.peer))
    }

    /// `chain` is what the authorities' signatures and the times of validity said.
    fn judge(
        &self,
        end_entity: &CertificateDer<'_>,
        called: Option<&str>,
        chain: Result<(), Error>,
    ) -> Result<(), String> {
        let facts = Facts::read(end_entity).map_err(|error| error.to_string())?;
        let Facts { peer, .. } = &facts;
        if peer.cluster != self.me.cluster {
            let (theirs, ours) = (&peer.cluster, &self.me.cluster);
            return Err(format!(
                "the certificate of {peer} is of cluster {theirs}, and this is cluster {ours}"
            ));
        }
        if let Some(called) = called.filter(|called| *called != peer.node) {
            return Err(format!("{called} was called, and {peer} has answered"));
        }
        chain.map_err(|error| chain_sentence(peer, &error))?;
        self.revocation(&facts).map_or(Ok(()), Err)
    }
}

fn chain_sentence(peer: &Peer, error: &Error) -> String {
    let Error::InvalidCertificate(error) = error else {
        return format!("the certificate of {peer} is not valid: {error}");
    };
    match error {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            format!("the certificate of {peer} was not signed by an authority of this cluster")
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            format!("the certificate of {peer} has expired")
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            format!("the certificate of {peer} is not valid yet: compare the clocks")
        }
        other => format!("the certificate of {peer} is not valid: {other}"),
    }
}

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verifier = &self.as_server;
        let chain = verifier
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            .map(drop);
        let called = server_name.to_str();
        self.judge(end_entity, Some(&called), chain).map_err(Error::General)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.as_server.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.as_server.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.as_server.supported_verify_schemes()
    }
}

impl ClientCertVerifier for Trust {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        // Without hints the other end shows its one certificate whoever signed it, and is told
        // what is wrong with it.
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let chain = self.as_client.verify_client_cert(end_entity, intermediates, now).map(drop);
        self.judge(end_entity, None, chain).map_err(Error::General)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.as_client.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.as_client.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.as_client.supported_verify_schemes()
    }
}
