//! The controllers that sign: requests for certificates, and tokens in Secrets.
//!
//! Way in: [`controllers`].  Never: a decision; the controllers decide what is signed, `nodes-pki` signs.

use std::{sync::Arc, time::Duration};

use actors_controller::Controller;
use actors_controllers::{CertificateController, SigningOrder, TokenSecretController};
use actors_object::{Value, json};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use nodes_pki::{Pki, RequestOrder};

/// How long a certificate lives whose request does not say, and at most. Spec: kube-controller-manager,
/// `--cluster-signing-duration`.
const LIFE: Duration = Duration::from_secs(365 * 86_400);

/// Both of them, with the cluster's keys.
pub(crate) fn controllers(pki: &Arc<Pki>, issuer: &str) -> [Arc<dyn Controller>; 2] {
    let keys = Arc::clone(pki);
    let certificates = CertificateController { sign: Arc::new(move |order| sign(&keys, order)) };
    let keys = Arc::clone(pki);
    let tokens = TokenSecretController {
        issuer: issuer.to_owned(),
        authority: BASE64.encode(pki.authority.certificate_pem()),
        sign: Arc::new(move |claims| sign_token(&keys, claims)),
    };
    [Arc::new(certificates), Arc::new(tokens)]
}

fn sign(pki: &Pki, order: &SigningOrder) -> Result<String, String> {
    let pem = BASE64.decode(&order.request).map_err(|error| error.to_string())?;
    let pem = String::from_utf8(pem).map_err(|error| error.to_string())?;
    let asked = order.seconds.and_then(|seconds| u64::try_from(seconds).ok());
    let usages: Vec<&str> = order.usages.iter().map(String::as_str).collect();
    let order = RequestOrder {
        request_pem: &pem,
        usages: &usages,
        life: asked.map_or(LIFE, Duration::from_secs).min(LIFE),
        now: order.now,
    };
    let signed = pki.authority.sign_request(&order).map_err(|error| chain(&error))?;
    Ok(BASE64.encode(signed))
}

fn sign_token(pki: &Pki, claims: &Value) -> Option<String> {
    let signed = pki.tokens.sign(&json::to_vec(claims));
    signed.map(|token| BASE64.encode(token)).ok()
}

/// An error and what caused it, as one sentence.
fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
