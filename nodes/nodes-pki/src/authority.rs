//! A certificate authority and the leaves that it issues.
//!
//! Way in: [`Authority::create`], [`Authority::issue`].
//! Spec: Kubernetes documentation, "PKI certificates and requirements": a user is the subject's common name, its
//! group is the subject's organization.

use std::time::Duration;

use actors_core::Wall;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};
use time::OffsetDateTime;

/// The authority lives ten years; leaves are renewed long before they expire.
const AUTHORITY_LIFE: Duration = Duration::from_secs(10 * 365 * 86_400);

/// Certificates are valid from five minutes before now, for machines whose clocks are behind.
const CLOCK_SKEW_SECS: i64 = 300;

/// Signs certificates of one cluster.
pub struct Authority {
    certificate_pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// What a leaf is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    /// A server that clients verify.
    Server,
    /// A client that servers verify.
    Client,
}

/// What a leaf shall say.
#[derive(Debug, Clone)]
pub struct LeafRequest<'a> {
    /// The subject's common name: a user name, or a server's.
    pub common_name: &'a str,
    /// The subject's organization: the user's group.
    pub organization: Option<&'a str>,
    /// DNS names and IP addresses that a server answers to.
    pub names: &'a [String],
    /// What it is for.
    pub usage: Usage,
    /// How long it is valid from now.
    pub life: Duration,
}

/// A certificate and its private key.
#[derive(Clone)]
pub struct Leaf {
    /// The certificate, PEM.
    pub certificate_pem: String,
    /// Its key, PKCS#8 PEM. Secret.
    pub key_pem: String,
}

/// Why a certificate cannot be made. The operator looks at the named file or name.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// A name or key that the library refuses.
    #[error("cannot make the certificate {name:?}")]
    Refused {
        /// The subject's common name.
        name: String,
        /// What the library said.
        #[source]
        source: rcgen::Error,
    },
}

impl Authority {
    /// A new authority with a key of its own (ECDSA P-256).
    ///
    /// # Errors
    /// If the library cannot make a key or sign.
    pub fn create(name: &str, now: Wall) -> Result<Self, AuthorityError> {
        let refused = |source| AuthorityError::Refused { name: name.to_owned(), source };
        let mut params = CertificateParams::new(Vec::new()).map_err(refused)?;
        params.distinguished_name = subject(name, None);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        (params.not_before, params.not_after) = validity(now, AUTHORITY_LIFE);
        let key = KeyPair::generate().map_err(refused)?;
        let certificate_pem = params.self_signed(&key).map_err(refused)?.pem();
        Ok(Self { certificate_pem, issuer: Issuer::new(params, key) })
    }

    /// An authority that was stored.
    ///
    /// # Errors
    /// If the PEM texts are not a certificate and its key.
    pub fn from_pem(certificate_pem: String, key_pem: &str) -> Result<Self, AuthorityError> {
        let refused = |source| AuthorityError::Refused { name: "ca".to_owned(), source };
        let key = KeyPair::from_pem(key_pem).map_err(refused)?;
        let issuer = Issuer::from_ca_cert_pem(&certificate_pem, key).map_err(refused)?;
        Ok(Self { certificate_pem, issuer })
    }

    /// The authority's certificate, PEM: what clients trust.
    #[must_use]
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// The authority's private key, PEM. Secret.
    #[must_use]
    pub fn key_pem(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    pub(crate) fn issuer(&self) -> &Issuer<'static, KeyPair> {
        &self.issuer
    }

    /// Issues one certificate with a new key.
    ///
    /// # Errors
    /// If a name is no DNS name or address, or signing fails.
    pub fn issue(&self, request: &LeafRequest<'_>, now: Wall) -> Result<Leaf, AuthorityError> {
        let refused =
            |source| AuthorityError::Refused { name: request.common_name.to_owned(), source };
        let mut params = CertificateParams::new(request.names.to_vec()).map_err(refused)?;
        params.distinguished_name = subject(request.common_name, request.organization);
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![match request.usage {
            Usage::Server => ExtendedKeyUsagePurpose::ServerAuth,
            Usage::Client => ExtendedKeyUsagePurpose::ClientAuth,
        }];
        (params.not_before, params.not_after) = validity(now, request.life);
        let key = KeyPair::generate().map_err(refused)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(refused)?;
        Ok(Leaf { certificate_pem: certificate.pem(), key_pem: key.serialize_pem() })
    }
}

pub(crate) fn subject(common_name: &str, organization: Option<&str>) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    if let Some(organization) = organization {
        name.push(DnType::OrganizationName, organization);
    }
    name.push(DnType::CommonName, common_name);
    name
}

pub(crate) fn validity(now: Wall, life: Duration) -> (OffsetDateTime, OffsetDateTime) {
    let at = |seconds: i64| {
        OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    };
    let start = now.as_secs() - CLOCK_SKEW_SECS;
    (at(start), at(now.after(life).as_secs()))
}
