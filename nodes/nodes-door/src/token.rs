//! Service-account tokens: what their claims say, and whose they are.
//!
//! Way in: [`TokenTicket`], [`token_identity`].  Never: a signature; signing and verifying is the
//! server's.
//! Spec: Kubernetes documentation, "Managing Service Accounts", "Bound service account tokens"; the
//! claims are those of RFC 7519 and `kubernetes.io`. A token dies with the objects it is bound to.

use std::sync::Arc;

use actors_core::Wall;
use actors_object::{Object, Value, timefmt, value};
use store_catalog::Snapshot;
use store_mvcc::Key;

use crate::{Entry, Identity, Response, ResponseBody};

/// A token that was granted and must be signed.
#[derive(Debug, Clone)]
pub struct TokenTicket {
    /// The claims: `iss, sub, aud, exp, iat, nbf, kubernetes.io`.
    pub claims: Value,
    /// When its bearer shall ask for the next one: never after `exp`.
    pub(crate) renew_by: Wall,
    pub(crate) request: Object,
}

impl TokenTicket {
    /// The answer, with the signed token.
    #[must_use]
    pub fn finish(mut self, token: &str) -> Response {
        let expires = timefmt::seconds(self.renew_by);
        let status = value!({ "token": token, "expirationTimestamp": expires });
        self.request.set_status(status);
        Response::new(201, ResponseBody::Entry(Entry::Made(Arc::new(self.request))))
    }
}

/// Who a verified token belongs to, or `None` if the account, or the pod, Secret or node that it is
/// bound to, is gone or another one. What is being deleted is gone when its grace period is over.
#[must_use]
pub fn token_identity(claims: &Value, snapshot: &Snapshot) -> Option<Identity> {
    let bound = claims.at("kubernetes.io");
    let namespace = bound.str_at(&["namespace"])?;
    let name = bound.str_at(&["serviceaccount", "name"])?;
    let lives = |plural: &str, reference: &Value, namespace: Option<&str>| {
        let name = reference.at("name").as_str()?;
        let item = snapshot.get(&Key::object("", plural, namespace, name))?;
        (reference.at("uid").as_str() == Some(item.uid())).then_some(())
    };
    lives("serviceaccounts", bound.at("serviceaccount"), Some(namespace))?;
    for (field, plural) in [("pod", "pods"), ("secret", "secrets")] {
        if let Some(reference) = bound.get(field) {
            lives(plural, reference, Some(namespace))?;
        }
    }
    // Beside a pod the node is only told; it is the pod whose end counts.
    if let (None, Some(reference)) = (bound.get("pod"), bound.get("node")) {
        lives("nodes", reference, None)?;
    }
    Some(Identity {
        user: format!("system:serviceaccount:{namespace}:{name}"),
        uid: bound.str_at(&["serviceaccount", "uid"])?.to_owned(),
        groups: vec![
            "system:serviceaccounts".to_owned(),
            format!("system:serviceaccounts:{namespace}"),
            "system:authenticated".to_owned(),
        ],
        extra: extra(claims),
    })
}

/// What else a token tells of its bearer, in the order of the keys.
fn extra(claims: &Value) -> Vec<(String, Vec<String>)> {
    let bound = claims.at("kubernetes.io");
    let id = claims.str_at(&["jti"]).filter(|id| !id.is_empty()).map(|id| format!("JTI={id}"));
    let of = |path: &[&str]| bound.str_at(path).map(str::to_owned);
    let told = [
        ("credential-id", id),
        ("node-name", of(&["node", "name"])),
        ("node-uid", of(&["node", "uid"])),
        ("pod-name", of(&["pod", "name"])),
        ("pod-uid", of(&["pod", "uid"])),
    ];
    let known = told.into_iter().filter_map(|(key, text)| Some((key, text?)));
    known.map(|(key, text)| (format!("authentication.kubernetes.io/{key}"), vec![text])).collect()
}
