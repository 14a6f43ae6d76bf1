//! The certificate by which a machine speaks on the mesh: who it is, its key, its request to be signed.
//!
//! Way in: [`NodeKey::create`] on the machine that joins, [`Authority::sign_node`] where the authority's key is,
//! [`NodeKeys`] on disk.  Invariant: a node's private key never leaves its machine.
//! Spec: the subject is that of Kubernetes' node authorizer (`system:node:NAME` of the group `system:nodes`); what the
//! mesh reads is the URI `starling://CLUSTER/SITE/ROLE/NODE`. The hash of an authority is kubeadm's: SHA-256 over the
//! SubjectPublicKeyInfo.

use std::{
    fmt, fs,
    net::{Ipv4Addr, SocketAddrV4},
    path::Path,
    time::Duration,
};

use actors_core::Wall;
use rcgen::{
    CertificateParams, CertificateSigningRequestParams, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType, SerialNumber,
};
use ring::{
    digest::{SHA256, digest},
    rand::{SecureRandom as _, SystemRandom},
};
use serde::{Deserialize, Serialize};
use x509_parser::{pem::parse_x509_pem, prelude::GeneralName};

use crate::{
    Authority, AuthorityError, Leaf, Pki, PkiError,
    authority::{subject, validity},
    files::{at, write_secret},
};

/// How long a node's certificate lives.
pub(crate) const NODE_LIFE: Duration = Duration::from_secs(90 * 86_400);

/// A node's certificate is renewed when this part of its life is left: 30 days of 90.
const RENEW_AT_LEFT: i64 = 3;

/// Longest certificate signing request that is looked at.
pub(crate) const CSR_LEN_MAX: usize = 16 * 1024;

/// What a machine is in its cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeRole {
    /// It holds the store and serves the API.
    Server,
    /// It runs pods.
    Agent,
}

/// Who a node's certificate speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeSubject {
    /// The cluster's uid.
    pub cluster: String,
    /// The site: `default`.
    pub site: String,
    /// What the machine is.
    pub role: NodeRole,
    /// The node's name.
    pub node: String,
}

/// A key that a machine made for itself, and the request to sign a certificate for it.
pub struct NodeKey {
    /// The key, PKCS#8 PEM. Secret; it stays on the machine.
    pub key_pem: String,
    /// The request, PEM: what is sent.
    pub csr_pem: String,
}

/// What a machine needs to speak on the mesh.
#[derive(Clone)]
pub struct NodeKeys {
    /// The authority whose certificates are believed, PEM.
    pub authority_pem: String,
    /// The node's certificate, PEM.
    pub certificate_pem: String,
    /// Its key, PEM. Secret.
    pub key_pem: String,
}

impl NodeRole {
    /// As certificates and routes write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Agent => "agent",
        }
    }
}

impl fmt::Display for NodeRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl NodeSubject {
    /// The URI in the certificate's alternative names.
    #[must_use]
    pub fn uri(&self) -> String {
        format!("starling://{}/{}/{}/{}", self.cluster, self.site, self.role, self.node)
    }

    /// The user that the certificate is to the API.
    #[must_use]
    pub fn user(&self) -> String {
        format!("system:node:{}", self.node)
    }
}

impl NodeKey {
    /// A new key (ECDSA P-256) and a request for it.
    ///
    /// # Errors
    /// If the library cannot make a key.
    pub fn create(node: &str) -> Result<Self, AuthorityError> {
        let key = KeyPair::generate().map_err(refused(node))?;
        Self::of(&key, node)
    }

    /// A new request for a key that is there: a renewal.
    ///
    /// # Errors
    /// If the text is no key.
    pub fn renew(node: &str, key_pem: &str) -> Result<Self, AuthorityError> {
        Self::of(&KeyPair::from_pem(key_pem).map_err(refused(node))?, node)
    }

    fn of(key: &KeyPair, node: &str) -> Result<Self, AuthorityError> {
        let mut params = CertificateParams::new(Vec::new()).map_err(refused(node))?;
        // The signer writes the subject that it decided on; this one is for people who look at the request.
        params.distinguished_name = subject(&format!("system:node:{node}"), Some("system:nodes"));
        let request = params.serialize_request(key).map_err(refused(node))?;
        let csr_pem = request.pem().map_err(refused(node))?;
        Ok(Self { key_pem: key.serialize_pem(), csr_pem })
    }
}

impl Authority {
    /// Signs a request for this subject. Of the request only the public key counts, and that its owner signed it.
    ///
    /// # Errors
    /// If the request is none, or its signature is wrong.
    pub fn sign_node(
        &self,
        csr_pem: &str,
        of: &NodeSubject,
        now: Wall,
    ) -> Result<String, AuthorityError> {
        let refused = refused(&of.node);
        if csr_pem.len() > CSR_LEN_MAX {
            return Err(refused(rcgen::Error::CouldNotParseCertificationRequest));
        }
        let request = CertificateSigningRequestParams::from_pem(csr_pem).map_err(&refused)?;
        let uri = of.uri().try_into().map_err(&refused)?;
        let dns = of.node.clone().try_into().map_err(&refused)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = subject(&of.user(), Some("system:nodes"));
        params.subject_alt_names = vec![SanType::URI(uri), SanType::DnsName(dns)];
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        // Without one the library takes the key's hash, and a renewed certificate could not be revoked by itself.
        params.serial_number = Some(new_serial().ok_or(refused(rcgen::Error::RingUnspecified))?);
        (params.not_before, params.not_after) = validity(now, NODE_LIFE);
        let request = CertificateSigningRequestParams { params, public_key: request.public_key };
        Ok(request.signed_by(self.issuer()).map_err(&refused)?.pem())
    }
}

/// Sixteen random bytes, positive as RFC 5280 section 4.1.2.2 wants it.
pub(crate) fn new_serial() -> Option<SerialNumber> {
    let mut bytes = [0; 16];
    SystemRandom::new().fill(&mut bytes).ok()?;
    bytes[0] = bytes[0] & 0x7f | 0x40;
    Some(SerialNumber::from_slice(&bytes))
}

fn refused(node: &str) -> impl Fn(rcgen::Error) -> AuthorityError {
    let name = format!("system:node:{node}");
    move |source| AuthorityError::Refused { name: name.clone(), source }
}

impl NodeKeys {
    /// Reads the authority (`ca.crt`) and the pair `node` of the folder.
    ///
    /// # Errors
    /// If a file cannot be read, or the pair is none.
    pub fn open(folder: &Path) -> Result<Self, PkiError> {
        let path = folder.join("ca.crt");
        let authority_pem = fs::read_to_string(&path).map_err(at(&path))?;
        let Leaf { certificate_pem, key_pem } = Leaf::open(folder, "node")?;
        Ok(Self { authority_pem, certificate_pem, key_pem })
    }

    /// Writes the authority and the pair; each is there wholly or not at all.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn store(&self, folder: &Path) -> Result<(), PkiError> {
        let (certificate_pem, key_pem) = (self.certificate_pem.clone(), self.key_pem.clone());
        Leaf { certificate_pem, key_pem }.store(folder, "node")?;
        write_secret(&folder.join("ca.crt"), self.authority_pem.as_bytes())
    }

    /// Whether the certificate is to be renewed.
    #[must_use]
    pub fn is_due(&self, now: Wall) -> bool {
        self.due_in(now).is_zero()
    }

    /// In what time the certificate is to be renewed: when a third of its life is left, which is more than enough to
    /// try again every hour. Nothing if it is due, or is no certificate.
    #[must_use]
    pub fn due_in(&self, now: Wall) -> Duration {
        let Some((from, until)) = life_of(&self.certificate_pem) else { return Duration::ZERO };
        let due = until - (until - from) / RENEW_AT_LEFT;
        Duration::from_secs(u64::try_from(due - now.as_secs()).unwrap_or(0))
    }
}

impl Pki {
    /// The keys of the server's own machine: read, or made and signed here, for this machine holds the authority.
    ///
    /// # Errors
    /// If a file cannot be read or written, or the name is no node's.
    pub fn node_keys(
        &self,
        folder: &Path,
        of: &NodeSubject,
        now: Wall,
    ) -> Result<NodeKeys, PkiError> {
        if let Ok(keys) = NodeKeys::open(folder)
            && uri_of(&keys.certificate_pem).is_some_and(|uri| uri == of.uri())
            && !keys.is_due(now)
        {
            return Ok(keys);
        }
        let made = NodeKey::create(&of.node)?;
        let keys = NodeKeys {
            authority_pem: self.authority.certificate_pem().to_owned(),
            certificate_pem: self.authority.sign_node(&made.csr_pem, of, now)?,
            key_pem: made.key_pem,
        };
        keys.store(folder)?;
        Ok(keys)
    }
}

/// The hash that a joiner is told beside its token: `sha256:` and 64 hexadecimal digits; `None` if the text is no
/// certificate.
#[must_use]
pub fn authority_hash(certificate_pem: &str) -> Option<String> {
    let (_, pem) = parse_x509_pem(certificate_pem.as_bytes()).ok()?;
    let certificate = pem.parse_x509().ok()?;
    Some(format!("sha256:{}", hex(digest(&SHA256, certificate.public_key().raw).as_ref())))
}

/// The serial number of a certificate, in hexadecimal digits: how revocations name it.
#[must_use]
pub fn serial_of(certificate_pem: &str) -> Option<String> {
    let (_, pem) = parse_x509_pem(certificate_pem.as_bytes()).ok()?;
    let certificate = pem.parse_x509().ok()?;
    Some(hex(certificate.raw_serial()))
}

/// How many seconds a certificate is still valid; negative if it is no more.
#[must_use]
pub fn seconds_left(certificate_pem: &str, now: Wall) -> Option<i64> {
    life_of(certificate_pem).map(|(_, until)| until - now.as_secs())
}

/// From when to when a certificate is valid, in seconds of the clock on the wall.
fn life_of(certificate_pem: &str) -> Option<(i64, i64)> {
    let (_, pem) = parse_x509_pem(certificate_pem.as_bytes()).ok()?;
    let validity = pem.parse_x509().ok()?.validity().clone();
    Some((validity.not_before.timestamp(), validity.not_after.timestamp()))
}

fn uri_of(certificate_pem: &str) -> Option<String> {
    let (_, pem) = parse_x509_pem(certificate_pem.as_bytes()).ok()?;
    let certificate = pem.parse_x509().ok()?;
    let names = certificate.subject_alternative_name().ok()??;
    names.value.general_names.iter().find_map(|name| match name {
        GeneralName::URI(uri) => Some((*uri).to_owned()),
        _ => None,
    })
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether a text is an IPv4 address with a port, as addresses of the mesh and the API are told.
pub(crate) fn is_endpoint(text: &str) -> bool {
    text.parse::<SocketAddrV4>().is_ok_and(|at| is_reachable(*at.ip()) && at.port() > 0)
}

/// Whether other machines can reach an address at all.
pub(crate) fn is_reachable(address: Ipv4Addr) -> bool {
    !address.is_unspecified() && !address.is_multicast() && !address.is_broadcast()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Wall = Wall(1_800_000_000 * 1_000_000_000);

    fn subject() -> NodeSubject {
        NodeSubject {
            cluster: "00112233445566778899aabbccddeeff".to_owned(),
            site: "default".to_owned(),
            role: NodeRole::Agent,
            node: "agent-1".to_owned(),
        }
    }

    #[test]
    fn a_signed_request_says_what_the_signer_decided_and_keeps_the_joiners_key() {
        let authority = Authority::create("starling-ca", NOW).expect("an authority");
        let made = NodeKey::create("somebody-else").expect("a key");
        let pem = authority.sign_node(&made.csr_pem, &subject(), NOW).expect("signed");
        assert_eq!(uri_of(&pem), Some(subject().uri()));
        assert_eq!(seconds_left(&pem, NOW), Some(NODE_LIFE.as_secs().cast_signed()));
        let (_, der) = parse_x509_pem(pem.as_bytes()).expect("PEM");
        let told = crate::subject_of(&der.contents).expect("a subject");
        assert_eq!(told.common_name, "system:node:agent-1");
        assert_eq!(told.organizations, ["system:nodes"]);
        assert_eq!(Some(told.serial), serial_of(&pem), "as revocations name it");
        let (_, csr) = parse_x509_pem(made.csr_pem.as_bytes()).expect("PEM");
        let key = KeyPair::from_pem(&made.key_pem).expect("a key");
        let spki = rcgen::PublicKeyData::subject_public_key_info(&key);
        let certificate = der.parse_x509().expect("a certificate");
        assert_eq!(certificate.public_key().raw, spki);
        assert!(!csr.contents.is_empty() && !made.csr_pem.contains("PRIVATE"));
    }

    #[test]
    fn a_certificate_is_renewed_when_a_third_of_its_life_is_left() {
        let authority = Authority::create("starling-ca", NOW).expect("an authority");
        let made = NodeKey::create("agent-1").expect("a key");
        let certificate_pem = authority.sign_node(&made.csr_pem, &subject(), NOW).expect("signed");
        let keys =
            NodeKeys { authority_pem: String::new(), certificate_pem, key_pem: made.key_pem };
        let after = |days: u64| NOW.after(Duration::from_secs(days * 86_400));
        let check = |days: u64, is_due: bool| {
            assert_eq!(keys.is_due(after(days)), is_due, "after {days} days");
            assert_eq!(keys.due_in(after(days)).is_zero(), is_due, "after {days} days");
        };
        [0, 30, 59].into_iter().for_each(|days| check(days, false));
        [60, 75, 90, 100].into_iter().for_each(|days| check(days, true));
        let in_all = keys.due_in(NOW) + Duration::from_secs(NODE_LIFE.as_secs() / 3);
        let off = in_all.abs_diff(NODE_LIFE);
        assert!(off < Duration::from_secs(300), "{off:?}: the five minutes for clocks behind");
        let none = NodeKeys { certificate_pem: "none".to_owned(), ..keys.clone() };
        assert!(none.is_due(NOW));
    }

    #[test]
    fn each_certificate_has_a_serial_of_its_own_even_for_one_key() {
        let authority = Authority::create("starling-ca", NOW).expect("an authority");
        let made = NodeKey::create("agent-1").expect("a key");
        let again = NodeKey::renew("agent-1", &made.key_pem).expect("renewed");
        let sign = |csr: &str| authority.sign_node(csr, &subject(), NOW).expect("signed");
        let (one, two) = (serial_of(&sign(&made.csr_pem)), serial_of(&sign(&again.csr_pem)));
        assert_eq!(one.as_ref().map(String::len), Some(32));
        assert_ne!(one, two);
    }

    #[test]
    fn what_is_no_request_is_refused() {
        let authority = Authority::create("starling-ca", NOW).expect("an authority");
        let made = NodeKey::create("agent-1").expect("a key");
        let broken = made.csr_pem.replacen("MIG", "MIH", 1).replacen("MII", "MIJ", 1);
        for text in ["", "x", authority.certificate_pem(), &broken, &"x".repeat(20_000)] {
            assert!(authority.sign_node(text, &subject(), NOW).is_err(), "{text:.30}");
        }
    }

    #[test]
    fn the_hash_is_of_the_public_key_alone() {
        let authority = Authority::create("starling-ca", NOW).expect("an authority");
        let hash = authority_hash(authority.certificate_pem()).expect("a hash");
        assert_eq!(hash.len(), "sha256:".len() + 64);
        let key = KeyPair::from_pem(&authority.key_pem()).expect("a key");
        let spki = rcgen::PublicKeyData::subject_public_key_info(&key);
        assert_eq!(hash, format!("sha256:{}", hex(digest(&SHA256, &spki).as_ref())));
        assert_eq!(authority_hash("no certificate"), None);
    }
}
