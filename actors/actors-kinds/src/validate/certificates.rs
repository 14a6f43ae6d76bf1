//! `CertificateSigningRequest`: the wish for a certificate, and what was decided about it.
//!
//! Spec: documentation, "certificates and certificate signing requests"; RFC 7468 (PEM).

use actors_object::{FieldError, Value};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{ChangeRule, Errors, PLAIN, Rules, Spot, errors::is_same, text};

/// The rules of this kind.
pub(super) const RULES: &[Rules] = &[Rules {
    group: "certificates.k8s.io",
    kind: "CertificateSigningRequest",
    name: text::path_segment,
    object: validate,
    change: validate_change,
    status: validate_status,
    subresources: &[("approval", validate_approval as ChangeRule)],
    ..PLAIN
}];

/// The shortest life of a certificate, in seconds.
const SECONDS_MIN: i64 = 600;
/// A signer of requests of old, which cannot be asked for any more.
const LEGACY_SIGNER: &str = "kubernetes.io/legacy-unknown";
/// What a certificate can be used for.
const USAGES: [&str; 23] = [
    "any",
    "cert sign",
    "client auth",
    "code signing",
    "content commitment",
    "crl sign",
    "data encipherment",
    "decipher only",
    "digital signature",
    "email protection",
    "encipher only",
    "ipsec end system",
    "ipsec tunnel",
    "ipsec user",
    "key agreement",
    "key encipherment",
    "microsoft sgc",
    "netscape sgc",
    "ocsp signing",
    "s/mime",
    "server auth",
    "signing",
    "timestamping",
];
/// What is decided by those who approve, and by nobody else.
const DECISIONS: [&str; 2] = ["Approved", "Denied"];

fn validate(root: &Spot<'_>, out: &mut Errors) {
    let spec = root.field("spec");
    validate_request(&spec.field("request"), out);
    let usages = spec.field("usages");
    if usages.is_empty() {
        out.required(&usages, "");
    }
    for usage in spec.each("usages") {
        out.one_of_required(&usage, &USAGES);
    }
    out.distinct(&spec, "usages");
    let signer = spec.field("signerName");
    if signer.text() == LEGACY_SIGNER {
        out.invalid(&signer, "the legacy signerName is not allowed via this API version");
    } else {
        out.check_required(&signer, signer_name);
    }
    let seconds = spec.field("expirationSeconds");
    if seconds.int().is_some_and(|seconds| seconds < SECONDS_MIN) {
        out.invalid(&seconds, "may not specify a duration less than 600 seconds (10 minutes)");
    }
    validate_conditions(&root.field("status"), out);
}

/// A domain with a dot, a slash, and a name.
fn signer_name(text: &str) -> text::Faults {
    let Some((domain, name)) = text.split_once('/') else {
        return vec![
            "must be a fully qualified domain and path of the form 'example.com/signer-name'"
                .to_owned(),
        ];
    };
    let mut faults = text::dns_subdomain(domain);
    if !domain.contains('.') {
        faults.push("should be a domain with at least two segments separated by dots".to_owned());
    }
    faults.extend(text::dns_subdomain(name));
    faults
}

/// One PEM block of the right sort.
fn validate_request(request: &Spot<'_>, out: &mut Errors) {
    if request.is_empty() {
        out.required(request, "");
        return;
    }
    let detail = match pem_label(request.text()).as_deref() {
        Some("CERTIFICATE REQUEST") => return,
        Some(_) => "PEM block type must be CERTIFICATE REQUEST",
        None => "must hold a PEM block",
    };
    out.invalid(request, detail);
}

/// The label of the first PEM block in bytes that are given as base64, if it is whole.
fn pem_label(encoded: &str) -> Option<String> {
    let bytes = STANDARD.decode(encoded).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (_, rest) = text.split_once("-----BEGIN ")?;
    let (label, rest) = rest.split_once("-----")?;
    let (body, _) = rest.split_once(&format!("-----END {label}-----"))?;
    let body: String = body.split_whitespace().collect();
    STANDARD.decode(body).ok().filter(|bytes| !bytes.is_empty())?;
    Some(label.to_owned())
}

/// Each condition once, a decision is true, and there is one decision at most.
fn validate_conditions(status: &Spot<'_>, out: &mut Errors) {
    for condition in status.each("conditions") {
        let (sort, state) = (condition.field("type"), condition.field("status"));
        out.filled(&sort);
        let is_final = DECISIONS.contains(&sort.text()) || sort.text() == "Failed";
        out.filled(&state);
        let states: &[&str] = if is_final { &["True"] } else { &["False", "True", "Unknown"] };
        out.one_of(&state, states);
    }
    out.unique(status, "conditions", "type");
    let has = |name: &str| status.each("conditions").any(|it| it.field("type").text() == name);
    if DECISIONS.iter().all(|name| has(name)) {
        let conditions = status.field("conditions");
        let last =
            status.each("conditions").filter(|it| DECISIONS.contains(&it.field("type").text()));
        let last = last.last().map(|it| it.field("type").text().to_owned()).unwrap_or_default();
        let detail = "Approved and Denied conditions are mutually exclusive";
        out.invalid_value(&conditions, last, detail);
    }
}

/// What was asked for never changes, and a decision is final.
fn validate_change(new: &Spot<'_>, old: &Spot<'_>, out: &mut Errors) {
    out.immutable(&new.field("spec"), &old.field("spec"));
    validate_final(new, old, out);
    keep_certificate(new, old, out);
}

fn condition<'a>(root: &Spot<'a>, sort: &str) -> Option<&'a Value> {
    let all = root.value.at("status").at("conditions").as_list().unwrap_or_default();
    all.iter().find(|one| one.at("type").as_str() == Some(sort))
}

/// Conditions that are set stay.
fn validate_final(new: &Spot<'_>, old: &Spot<'_>, out: &mut Errors) {
    let status = new.field("status");
    let path = status.field("conditions").path();
    for sort in ["Approved", "Denied", "Failed"] {
        if condition(old, sort).is_some() && condition(new, sort).is_none() {
            let detail = format!("updates may not remove a condition of type \"{sort}\"");
            out.push(FieldError::forbidden(&path, detail));
        }
    }
}

fn keep_certificate(new: &Spot<'_>, old: &Spot<'_>, out: &mut Errors) {
    let (new, old) = (new.field("status"), old.field("status"));
    let (certificate, before) = (new.field("certificate"), old.field("certificate"));
    if !before.is_empty() && !is_same(certificate.value, before.value) {
        out.forbidden(&certificate, "updates may not modify existing certificate content");
    }
}

/// The signer issues, or says why it cannot; it decides nothing.
fn validate_status(new: &Spot<'_>, old: &Spot<'_>, out: &mut Errors) {
    validate_conditions(&new.field("status"), out);
    validate_final(new, old, out);
    let path = new.field("status").field("conditions").path();
    for sort in DECISIONS {
        let (now, before) = (condition(new, sort), condition(old, sort));
        if now.is_some() && before.is_none() {
            let detail = format!("updates may not add a condition of type \"{sort}\"");
            out.push(FieldError::forbidden(&path, detail));
        } else if now.is_some() && !is_decided_alike(now, before) {
            let detail = format!("updates may not modify a condition of type \"{sort}\"");
            out.push(FieldError::forbidden(&path, detail));
        }
    }
    keep_certificate(new, old, out);
    let status = new.field("status");
    let certificate = status.field("certificate");
    let is_pem = certificate.is_empty()
        || pem_label(certificate.text()).is_some_and(|label| label == "CERTIFICATE");
    if !is_pem {
        let detail = "must contain CERTIFICATE PEM blocks, and nothing else";
        out.invalid_value(&certificate, "<certificate data>", detail);
    }
}

fn is_decided_alike(one: Option<&Value>, other: Option<&Value>) -> bool {
    let (Some(one), Some(other)) = (one, other) else { return false };
    ["message", "reason", "status"].iter().all(|name| is_same(one.at(name), other.at(name)))
}

/// Those who approve decide, once; they issue nothing.
fn validate_approval(new: &Spot<'_>, old: &Spot<'_>, out: &mut Errors) {
    validate_conditions(&new.field("status"), out);
    validate_final(new, old, out);
    let (status, before) = (new.field("status"), old.field("status"));
    let certificate = status.field("certificate");
    if !is_same(certificate.value, before.value.at("certificate")) {
        out.forbidden(&certificate, "updates may not set certificate content");
    }
}
