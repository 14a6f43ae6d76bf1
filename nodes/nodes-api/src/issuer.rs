//! How others verify the tokens of service accounts: the issuer's documents.
//!
//! Way in: [`answer`].  Guarded by RBAC as other paths are.  Spec: OpenID Connect Discovery 1.0 section 4, RFC 7517;
//! Kubernetes documentation, "Configure Service Accounts for Pods", "Service account issuer discovery".

use actix_web::HttpResponse;
use serde_json::json;

use crate::edge::Visit;

const CONFIGURATION: &str = "/.well-known/openid-configuration";
const KEYS: &str = "/openid/v1/jwks";

/// One of the two documents; `None` if the path means neither.
pub(crate) fn answer(visit: &Visit<'_>, (verb, path): (&str, &str)) -> Option<HttpResponse> {
    if verb != "get" || !matches!(path, CONFIGURATION | KEYS) {
        return None;
    }
    let facts = visit.parts.authenticator.issuer()?;
    let mut answer = HttpResponse::Ok();
    answer.insert_header(("cache-control", "public, max-age=3600"));
    if path == KEYS {
        return Some(answer.content_type("application/jwk-set+json").body(facts.keys));
    }
    Some(answer.content_type("application/json").json(json!({
        "issuer": facts.issuer,
        "jwks_uri": format!("{}{KEYS}", facts.issuer),
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": facts.algorithms,
    })))
}
