//! Who may ask for which certificates, who may approve them, and who may sign.
//!
//! Way in: [`begin`], [`check_approval`], [`check_signing`].  Spec: Kubernetes documentation,
//! "Certificates and Certificate Signing Requests", "Admission Control in Kubernetes":
//! CertificateApproval, CertificateSigning, CertificateSubjectRestriction.

use actors_kinds::certificates::{CLIENT, NODE_CLIENT, NODE_SERVING, Wanted};
use actors_object::{ApiError, Map, Object};

use crate::{
    authz::{Ask, Authorizer, MASTERS, node_of},
    visit::Visit,
};

const GROUP: &str = "certificates.k8s.io";

/// Writes down who asks, whatever the request says of that, and refuses what nobody may ask for.
pub(super) fn begin(visit: &Visit<'_>, request: &mut Object) -> Result<(), ApiError> {
    let who = &visit.request.identity;
    let signer = request.str_at(&["spec", "signerName"]).unwrap_or_default();
    let wanted = Wanted::read(request.str_at(&["spec", "request"]).unwrap_or_default());
    if let Some(wanted) = &wanted {
        if signer == CLIENT && wanted.organizations.iter().any(|group| group == MASTERS) {
            let why = format!("use of {CLIENT} signer with {MASTERS} group is not allowed");
            return Err(ApiError::forbidden(&visit.resource(), request.name(), why));
        }
        let of_nodes = matches!(signer, NODE_CLIENT | NODE_SERVING);
        if of_nodes && node_of(who).is_some() && wanted.common_name != who.user {
            let why = format!("can only create a node CSR with CN={}", who.user);
            return Err(ApiError::forbidden(&visit.resource(), request.name(), why));
        }
    }
    let spec = request.0.make_map().entry_or_map("spec");
    for field in ["username", "uid", "groups", "extra"] {
        spec.remove(field);
    }
    spec.insert("username", who.user.as_str());
    if !who.uid.is_empty() {
        spec.insert("uid", who.uid.as_str());
    }
    if !who.groups.is_empty() {
        spec.insert("groups", who.groups.clone());
    }
    if !who.extra.is_empty() {
        let extra: Map = who.extra.iter().map(|(key, texts)| (key, texts.clone())).collect();
        spec.insert("extra", extra);
    }
    Ok(())
}

/// Whether the request's identity may decide requests of this signer.
pub(crate) fn check_approval(visit: &Visit<'_>, request: &Object) -> Result<(), ApiError> {
    check(visit, request, "approve")
}

/// Whether the request's identity may issue or fail requests of this signer.
pub(crate) fn check_signing(
    visit: &Visit<'_>,
    (new, old): (&Object, &Object),
) -> Result<(), ApiError> {
    if !visit.kind.is(GROUP, "CertificateSigningRequest") {
        return Ok(());
    }
    let said = |request: &Object| {
        let failed = request.list_at(&["status", "conditions"]).iter();
        let failed = failed.filter(|one| one.str_at(&["type"]) == Some("Failed")).cloned();
        (request.status().at("certificate").clone(), failed.collect::<Vec<_>>())
    };
    match said(new) == said(old) {
        true => Ok(()),
        false => check(visit, old, "sign"),
    }
}

/// Signers are allowed by their name, or all of a domain by `DOMAIN/*`.
fn check(visit: &Visit<'_>, request: &Object, verb: &str) -> Result<(), ApiError> {
    let signer = request.str_at(&["spec", "signerName"]).unwrap_or_default();
    let domain = signer.split('/').next().unwrap_or_default();
    let authorizer = Authorizer::new(visit.snapshot);
    let may = |name: &str| {
        let ask = Ask::Resource {
            verb,
            group: GROUP,
            resource: "signers",
            namespace: "",
            name,
            fields: "",
        };
        authorizer.allows(&visit.request.identity, ask)
    };
    if may(signer) || may(&format!("{domain}/*")) {
        return Ok(());
    }
    let why = format!("user not permitted to {verb} requests with signerName {signer:?}");
    Err(ApiError::forbidden(&visit.resource(), request.name(), why))
}
