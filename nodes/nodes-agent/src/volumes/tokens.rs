//! Gets tokens of service accounts for pods, and renews them in time.
//!
//! Way in: [`get`].  Spec: Kubernetes documentation, "Configure Service Accounts for Pods": a token
//! is renewed when 80 % of its life are over, or after a day.

use std::time::Duration;

use actors_core::Wall;
use actors_object::{ApiError, Object, Value, timefmt, value};

use crate::shared::{PodRecord, Shared, target};

/// The life of a token that names none.
const EXPIRATION_DEFAULT_S: i64 = 3_600;
/// No token is used for longer before it is renewed.
const AGE_MAX: Duration = Duration::from_secs(24 * 3_600);

/// A token in use.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    text: String,
    renew_at: Wall,
}

/// The token that a projected source asks for.
pub(super) async fn get(
    shared: &Shared,
    record: &PodRecord,
    pod: &Object,
    source: &Value,
) -> Result<String, ApiError> {
    let audience = source.at("audience").as_str().unwrap_or_default();
    let path = source.at("path").as_str().unwrap_or_default();
    let name = format!("{audience}:{path}");
    let now = shared.clock.now().wall;
    let known = record.token(&name);
    if let Some(token) = known.as_ref().filter(|token| now < token.renew_at) {
        return Ok(token.text.clone());
    }
    match request(shared, pod, source).await {
        Ok(token) => {
            let text = token.text.clone();
            record.set_token(name, token);
            Ok(text)
        }
        // Through an outage the old one serves on; it has a fifth of its life left.
        Err(error) if error.code >= 500 => known.map(|token| token.text).ok_or(error),
        Err(error) => Err(error),
    }
}

async fn request(shared: &Shared, pod: &Object, source: &Value) -> Result<Token, ApiError> {
    let account =
        pod.0.at("spec").at("serviceAccountName").as_str().filter(|name| !name.is_empty());
    let audience = source.at("audience").as_str().filter(|audience| !audience.is_empty());
    let seconds = source.at("expirationSeconds").as_i64().unwrap_or(EXPIRATION_DEFAULT_S);
    let mut body = value!({
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {
            "expirationSeconds": seconds,
            "boundObjectRef": {
                "kind": "Pod",
                "apiVersion": "v1",
                "name": pod.name(),
                "uid": pod.uid(),
            },
        },
    });
    if let Some(audience) = audience {
        body.set_path(&["spec", "audiences"], vec![Value::from(audience)]);
    }
    let mut place = target(
        "",
        "v1",
        "serviceaccounts",
        Some(pod.namespace()),
        Some(account.unwrap_or("default")),
    );
    place.subresource = Some("token".to_owned());
    let now = shared.clock.now().wall;
    let answer = shared.calls.create(place, &body).await?;
    let status = answer.0.at("status");
    let text = status
        .at("token")
        .as_str()
        .ok_or_else(|| ApiError::internal("a token request gave no token"))?;
    let expires = status.at("expirationTimestamp").as_str().and_then(timefmt::parse);
    let given = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    let life = expires.map_or(given, |expires| expires.since(now));
    Ok(Token { text: text.to_owned(), renew_at: now.after((life * 4 / 5).min(AGE_MAX)) })
}
