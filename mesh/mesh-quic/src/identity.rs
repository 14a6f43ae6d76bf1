//! Who a certificate says that a process is; this process's own certificate and key.
//!
//! Way in: [`Facts::read`], [`Identity::read`].
//! Spec: RFC 5280 sections 4.1.2.2 (serial number), 4.1.2.5 (validity), 4.2.1.6 (subject alternative
//! name).

use mesh_wire::{Peer, PeerError};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use x509_parser::{
    extensions::GeneralName,
    prelude::{FromDer, X509Certificate},
};

use crate::MeshError;

/// What a certificate says, whoever signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Who it is of.
    pub(crate) peer: Peer,
    /// Lower-case hexadecimal, without leading zeros.
    pub(crate) serial: String,
    /// Seconds since the Unix epoch.
    pub(crate) not_after: i64,
}

/// Why a certificate says nothing about who it is of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FactsError {
    #[error("the certificate cannot be read")]
    Unreadable,
    #[error("the certificate names {0} peers of a mesh instead of one")]
    Names(usize),
    #[error("the certificate names no peer of a mesh: {0}")]
    Peer(#[source] PeerError),
}

impl Facts {
    /// Reads one certificate.
    pub(crate) fn read(der: &[u8]) -> Result<Self, FactsError> {
        let parsed = X509Certificate::from_der(der);
        let (_, certificate) = parsed.map_err(|_| FactsError::Unreadable)?;
        let names = certificate.subject_alternative_name().map_err(|_| FactsError::Unreadable)?;
        let uris: Vec<&str> = names
            .iter()
            .flat_map(|names| &names.value.general_names)
            .filter_map(|name| match name {
                GeneralName::URI(uri) if Peer::is_ours(uri) => Some(*uri),
                _ => None,
            })
            .collect();
        let [uri] = uris[..] else { return Err(FactsError::Names(uris.len())) };
        Ok(Self {
            peer: Peer::from_uri(uri).map_err(FactsError::Peer)?,
            serial: format!("{:x}", certificate.serial),
            not_after: certificate.validity().not_after.timestamp(),
        })
    }
}

/// The certificates and the key that this process shows.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
}

impl Identity {
    /// Reads both, and looks whether they are of `me`.
    pub(crate) fn read(me: &Peer, certificate_pem: &str, key_pem: &str) -> Result<Self, MeshError> {
        let chain = certificates("the certificate", certificate_pem)?;
        let pem = |reason: String| MeshError::Pem { what: "the certificate", reason };
        let leaf = chain.first().ok_or_else(|| pem("it is empty".to_owned()))?;
        let facts = Facts::read(leaf).map_err(|error| pem(error.to_string()))?;
        if facts.peer != *me {
            let (certificate, configured) = (facts.peer.uri(), me.uri());
            return Err(MeshError::OtherPeer { certificate, configured });
        }
        let key = PrivateKeyDer::from_pem_slice(key_pem.as_bytes());
        let key = key.map_err(|error| MeshError::Pem {
            what: "the key of the certificate",
            reason: error.to_string(),
        })?;
        Ok(Self { chain, key })
    }
}

/// All certificates of a PEM text.
pub(crate) fn certificates(
    what: &'static str,
    pem: &str,
) -> Result<Vec<CertificateDer<'static>>, MeshError> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    all.map_err(|error| MeshError::Pem { what, reason: error.to_string() })
}
