//! Who a certificate speaks of.
//!
//! Way in: [`subject_of`].

use ring::digest::{SHA256, digest};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::node::hex;

/// The parts of a subject that name a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The common name: the user.
    pub common_name: String,
    /// The organizations: its groups.
    pub organizations: Vec<String>,
    /// Which certificate it is: SHA-256 of its DER, in hexadecimal digits.
    pub fingerprint: String,
    /// Its serial number, in hexadecimal digits: how revocations name it.
    pub serial: String,
}

/// The subject of a DER certificate whose chain was verified already; `None` if it has no common name.
#[must_use]
pub fn subject_of(der: &[u8]) -> Option<Subject> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let subject = certificate.subject();
    let common_name = subject.iter_common_name().next()?.as_str().ok()?.to_owned();
    let organizations =
        subject.iter_organization().filter_map(|name| name.as_str().ok()).map(str::to_owned);
    let fingerprint = hex(digest(&SHA256, der).as_ref());
    let serial = hex(certificate.raw_serial());
    Some(Subject { common_name, organizations: organizations.collect(), fingerprint, serial })
}
