//! Certificates for keys that others hold: what they ask for, signed by the cluster's authority.
//!
//! Way in: [`Authority::sign_request`].  Never: a judgement of who asks; the caller has decided that.
//! Spec: RFC 2986 (PKCS#10), RFC 5280; Kubernetes documentation, "Certificates and Certificate Signing Requests": the
//! subject and the alternative names are the request's, the usages those of `spec.usages`, and it is no authority.

use std::time::Duration;

use actors_core::Wall;
use rcgen::{
    CertificateSigningRequestParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyUsagePurpose,
};
use x509_parser::{certification_request::X509CertificationRequest, prelude::FromDer as _};

use crate::{
    Authority, AuthorityError,
    authority::validity,
    node::{CSR_LEN_MAX, new_serial},
};

/// What is to be signed.
#[derive(Debug, Clone, Copy)]
pub struct RequestOrder<'a> {
    /// The request, PEM.
    pub request_pem: &'a str,
    /// The key usages, in Kubernetes' words: `client auth`. Others than those known here are left out.
    pub usages: &'a [&'a str],
    /// How long the certificate is valid from now.
    pub life: Duration,
    /// The time now.
    pub now: Wall,
}

impl Authority {
    /// Signs a request; the certificate, PEM.
    ///
    /// # Errors
    /// If the request is none, its signature is wrong, it wants extensions that are not known, or its subject cannot
    /// be written: one common name and at most two organizations can.
    pub fn sign_request(&self, order: &RequestOrder<'_>) -> Result<String, AuthorityError> {
        let refused =
            |source| AuthorityError::Refused { name: "certificate request".to_owned(), source };
        if order.request_pem.len() > CSR_LEN_MAX {
            return Err(refused(rcgen::Error::CouldNotParseCertificationRequest));
        }
        let mut request =
            CertificateSigningRequestParams::from_pem(order.request_pem).map_err(refused)?;
        let subject = subject_of(order.request_pem)
            .ok_or_else(|| refused(rcgen::Error::CouldNotParseCertificationRequest))?;
        let params = &mut request.params;
        params.distinguished_name = subject;
        // Whatever the request says of itself, it is no authority, and its usages are those that were decided on.
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = order.usages.iter().filter_map(|usage| key_usage(usage)).collect();
        params.extended_key_usages =
            order.usages.iter().filter_map(|usage| extended_usage(usage)).collect();
        params.serial_number =
            Some(new_serial().ok_or_else(|| refused(rcgen::Error::RingUnspecified))?);
        (params.not_before, params.not_after) = validity(order.now, order.life);
        Ok(request.signed_by(self.issuer()).map_err(refused)?.pem())
    }
}

/// The subject as the library writes it. It knows one value of each type, so that a second organization goes by its
/// number; for more there is no way.
fn subject_of(request_pem: &str) -> Option<DistinguishedName> {
    let (_, pem) = x509_parser::pem::parse_x509_pem(request_pem.as_bytes()).ok()?;
    let (_, request) = X509CertificationRequest::from_der(&pem.contents).ok()?;
    let subject = &request.certification_request_info.subject;
    let mut name = DistinguishedName::new();
    let mut types = [DnType::OrganizationName, DnType::CustomDnType(vec![2, 5, 4, 10])].into_iter();
    for organization in subject.iter_organization() {
        name.push(types.next()?, organization.as_str().ok()?);
    }
    let mut names = subject.iter_common_name();
    if let Some(common_name) = names.next() {
        name.push(DnType::CommonName, common_name.as_str().ok()?);
    }
    names.next().is_none().then_some(name)
}

fn key_usage(word: &str) -> Option<KeyUsagePurpose> {
    Some(match word {
        "signing" | "digital signature" => KeyUsagePurpose::DigitalSignature,
        "content commitment" => KeyUsagePurpose::ContentCommitment,
        "key encipherment" => KeyUsagePurpose::KeyEncipherment,
        "key agreement" => KeyUsagePurpose::KeyAgreement,
        "data encipherment" => KeyUsagePurpose::DataEncipherment,
        "encipher only" => KeyUsagePurpose::EncipherOnly,
        "decipher only" => KeyUsagePurpose::DecipherOnly,
        _ => return None,
    })
}

fn extended_usage(word: &str) -> Option<ExtendedKeyUsagePurpose> {
    Some(match word {
        "any" => ExtendedKeyUsagePurpose::Any,
        "server auth" => ExtendedKeyUsagePurpose::ServerAuth,
        "client auth" => ExtendedKeyUsagePurpose::ClientAuth,
        "code signing" => ExtendedKeyUsagePurpose::CodeSigning,
        "email protection" | "s/mime" => ExtendedKeyUsagePurpose::EmailProtection,
        "timestamping" => ExtendedKeyUsagePurpose::TimeStamping,
        "ocsp signing" => ExtendedKeyUsagePurpose::OcspSigning,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, KeyPair};
    use x509_parser::pem::parse_x509_pem;

    use super::*;

    const NOW: Wall = Wall(1_800_000_000 * 1_000_000_000);

    fn request(organizations: &[DnType]) -> String {
        let mut params = CertificateParams::new(vec!["web".to_owned()]).expect("a name");
        params.distinguished_name = DistinguishedName::new();
        for (number, kind) in organizations.iter().enumerate() {
            params.distinguished_name.push(kind.clone(), format!("group-{number}"));
        }
        params.distinguished_name.push(DnType::CommonName, "jane");
        // What a greedy requester writes.
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().expect("a key");
        params.serialize_request(&key).expect("a request").pem().expect("PEM")
    }

    fn order<'a>(request_pem: &'a str, usages: &'a [&'a str]) -> RequestOrder<'a> {
        RequestOrder { request_pem, usages, life: Duration::from_secs(600), now: NOW }
    }

    #[test]
    fn the_subject_is_the_requests_and_the_powers_are_not() {
        let authority = Authority::create("starling-ca", NOW).expect("an authority");
        let request = request(&[DnType::OrganizationName, DnType::CustomDnType(vec![2, 5, 4, 10])]);
        let usages = ["client auth", "digital signature"];
        let pem = authority.sign_request(&order(&request, &usages)).expect("signed");
        let (_, der) = parse_x509_pem(pem.as_bytes()).expect("PEM");
        let told = crate::subject_of(&der.contents).expect("a subject");
        assert_eq!(told.common_name, "jane");
        assert_eq!(told.organizations, ["group-0", "group-1"]);
        let certificate = der.parse_x509().expect("a certificate");
        assert!(!certificate.is_ca());
        let usage = certificate.key_usage().expect("an extension").expect("there").value;
        assert!(usage.digital_signature() && !usage.key_cert_sign());
        let purposes = certificate.extended_key_usage().expect("an extension").expect("there");
        assert!(purposes.value.client_auth && !purposes.value.server_auth);
        assert_eq!(crate::seconds_left(&pem, NOW), Some(600));
        assert!(certificate.subject_alternative_name().expect("an extension").is_some());
        let (_, issuer) = parse_x509_pem(authority.certificate_pem().as_bytes()).expect("PEM");
        let issuer = issuer.parse_x509().expect("a certificate");
        assert_eq!(certificate.issuer(), issuer.subject());
    }

    #[test]
    fn what_cannot_be_written_whole_is_refused() {
        let authority = Authority::create("starling-ca", NOW).expect("an authority");
        for text in ["", "x", authority.certificate_pem(), &"x".repeat(20_000)] {
            assert!(authority.sign_request(&order(text, &[])).is_err(), "{text:.30}");
        }
        let broken = request(&[]).replacen("MII", "MIJ", 1);
        assert!(authority.sign_request(&order(&broken, &[])).is_err());
    }
}
