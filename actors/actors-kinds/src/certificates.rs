//! What a certificate signing request asks for, and what the built-in signers want of it.
//!
//! Way in: [`Wanted::read`], [`fault`].  Never: a signature; whether the requester holds the key, is verified by who signs.
//! Spec: RFC 2986 (PKCS#10) in DER (X.690), PEM (RFC 7468); Kubernetes documentation, "Certificates and Certificate
//! Signing Requests", "Kubernetes signers".

mod der;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use der::{Reader, Tag};

/// The signer of certificates by which users speak to the API.
pub const CLIENT: &str = "kubernetes.io/kube-apiserver-client";
/// The signer of certificates by which nodes speak to the API.
pub const NODE_CLIENT: &str = "kubernetes.io/kube-apiserver-client-kubelet";
/// The signer of certificates by which nodes are spoken to.
pub const NODE_SERVING: &str = "kubernetes.io/kubelet-serving";
/// The signer without rules, of old.
pub const LEGACY: &str = "kubernetes.io/legacy-unknown";

/// The signers that a cluster has by itself.
pub const SIGNERS: [&str; 4] = [CLIENT, NODE_CLIENT, NODE_SERVING, LEGACY];

const LABEL: &str = "CERTIFICATE REQUEST";
/// Largest request that is looked at, in bytes of DER.
const LEN_MAX: usize = 16 * 1024;

const COMMON_NAME: &[u8] = &[0x55, 4, 3];
const ORGANIZATION: &[u8] = &[0x55, 4, 10];
/// `extensionRequest` of PKCS#9.
const EXTENSION_REQUEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 14];
const ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1d, 17];

/// Whom a request wants a certificate to speak of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    /// The subject's common name: the user.
    pub common_name: String,
    /// The subject's organizations: its groups.
    pub organizations: Vec<String>,
    /// DNS names.
    pub dns_names: Vec<String>,
    /// How many IP addresses.
    pub addresses: usize,
    /// How many e-mail addresses.
    pub emails: usize,
    /// How many URIs, and names of other forms.
    pub uris: usize,
}

impl Wanted {
    /// Reads `spec.request`: base64 of PEM. `None` if it is no request.
    #[must_use]
    pub fn read(request: &str) -> Option<Self> {
        let der = der_of(request)?;
        let mut whole = Reader::new(&der);
        let mut request = whole.enter(Tag::SEQUENCE)?;
        whole.at_end().then_some(())?;
        let mut info = request.enter(Tag::SEQUENCE)?;
        info.take(Tag::INTEGER)?;
        let mut wanted = Self::default();
        read_subject(info.enter(Tag::SEQUENCE)?, &mut wanted)?;
        info.take(Tag::SEQUENCE)?;
        if let Some(attributes) = info.enter(Tag::context(0)) {
            read_attributes(attributes, &mut wanted)?;
        }
        Some(wanted)
    }

    /// Whether it speaks of a node: the group `system:nodes` alone, a user `system:node:NAME`.
    #[must_use]
    pub fn is_node(&self) -> bool {
        self.organizations == ["system:nodes"]
            && self.common_name.strip_prefix("system:node:").is_some_and(|name| !name.is_empty())
    }

    fn has_names(&self) -> bool {
        !self.dns_names.is_empty() || self.addresses + self.emails + self.uris > 0
    }
}

/// Why a signer refuses a request of these usages; `None` if it does not. Other signers than the built-in ones have no
/// rules here.
#[must_use]
pub fn fault(signer: &str, wanted: &Wanted, usages: &[&str]) -> Option<&'static str> {
    let only = |required: &str| {
        let known = ["digital signature", "key encipherment", required];
        usages.contains(&required) && usages.iter().all(|usage| known.contains(usage))
    };
    match signer {
        CLIENT if !only("client auth") => {
            Some("usages must be client auth, and may be digital signature and key encipherment")
        }
        NODE_CLIENT | NODE_SERVING if !wanted.is_node() => {
            Some("the subject must be system:node:NAME of the organization system:nodes alone")
        }
        NODE_CLIENT if wanted.has_names() => Some("subject alternative names are not allowed"),
        NODE_CLIENT if !only("client auth") => {
            Some("usages must be client auth, and may be digital signature and key encipherment")
        }
        NODE_SERVING if wanted.dns_names.is_empty() && wanted.addresses == 0 => {
            Some("at least one DNS name or IP address is required")
        }
        NODE_SERVING if wanted.emails + wanted.uris > 0 => {
            Some("e-mail addresses and URIs are not allowed")
        }
        NODE_SERVING if !only("server auth") => {
            Some("usages must be server auth, and may be digital signature and key encipherment")
        }
        _ => None,
    }
}

/// The DER within base64 of PEM.
fn der_of(request: &str) -> Option<Vec<u8>> {
    let pem = STANDARD.decode(request).ok()?;
    let pem = String::from_utf8(pem).ok()?;
    let begin = format!("-----BEGIN {LABEL}-----");
    let end = format!("-----END {LABEL}-----");
    let (before, rest) = pem.split_once(&begin)?;
    let (body, after) = rest.split_once(&end)?;
    // One request, and nothing beside it.
    if !before.trim().is_empty() || !after.trim().is_empty() {
        return None;
    }
    let body: String = body.split_whitespace().collect();
    STANDARD.decode(body).ok().filter(|der| der.len() <= LEN_MAX)
}

/// `Name`: a sequence of sets of attributes.
fn read_subject(mut name: Reader<'_>, wanted: &mut Wanted) -> Option<()> {
    while !name.at_end() {
        let mut set = name.enter(Tag::SET)?;
        while !set.at_end() {
            let mut attribute = set.enter(Tag::SEQUENCE)?;
            let kind = attribute.take(Tag::OBJECT_ID)?;
            let (_, text) = attribute.any()?;
            let text = String::from_utf8(text.to_vec()).ok();
            match kind {
                COMMON_NAME => wanted.common_name = text?,
                ORGANIZATION => wanted.organizations.push(text?),
                _ => {}
            }
        }
    }
    Some(())
}

fn read_attributes(mut attributes: Reader<'_>, wanted: &mut Wanted) -> Option<()> {
    while !attributes.at_end() {
        let mut attribute = attributes.enter(Tag::SEQUENCE)?;
        if attribute.take(Tag::OBJECT_ID)? != EXTENSION_REQUEST {
            continue;
        }
        let mut extensions = attribute.enter(Tag::SET)?.enter(Tag::SEQUENCE)?;
        while !extensions.at_end() {
            let mut extension = extensions.enter(Tag::SEQUENCE)?;
            let kind = extension.take(Tag::OBJECT_ID)?;
            // Whether it is critical: a boolean that is left out when it is not.
            extension.take(Tag::BOOLEAN);
            let value = extension.take(Tag::OCTETS)?;
            if kind == ALTERNATIVE_NAMES {
                read_names(Reader::new(value).enter(Tag::SEQUENCE)?, wanted)?;
            }
        }
    }
    Some(())
}

/// `GeneralNames`: each one's form is its tag.
fn read_names(mut names: Reader<'_>, wanted: &mut Wanted) -> Option<()> {
    while !names.at_end() {
        match names.any()? {
            (Tag(0x81), _) => wanted.emails += 1,
            (Tag(0x82), name) => wanted.dns_names.push(String::from_utf8(name.to_vec()).ok()?),
            (Tag(0x87), _) => wanted.addresses += 1,
            _ => wanted.uris += 1,
        }
    }
    Some(())
}

#[cfg(test)]
mod tests;
