//! Who asks: a client certificate of the cluster's authority, or a bearer token; and as whom they want to be taken.
//!
//! Way in: [`identify`].  Spec: Kubernetes documentation, "Authenticating": the subject's common name is the user,
//! its organizations are the groups; a wrong credential is refused, none at all is `system:anonymous`; "User
//! impersonation". A certificate that was revoked is a wrong credential, also on a connection that is open, and ends the
//! watches, sessions and logs that it began.

use std::{collections::BTreeSet, sync::Arc};

use actix_web::{HttpRequest, http::header::HeaderMap};
use actors_object::ApiError;
use nodes_door::{Identity, Impersonation};
use nodes_pki::Subject;
use tokio::sync::watch;

use crate::{edge::EdgeParts, query::decode};

/// Which certificate, or which token, somebody showed. Spec: `authentication.kubernetes.io/credential-id`.
const CREDENTIAL: &str = "authentication.kubernetes.io/credential-id";

/// What the caller of a stream is told when it ends for that.
pub(crate) const REVOKED: &str = "the client certificate that began this stream was revoked";

const USER: &str = "impersonate-user";
const UID: &str = "impersonate-uid";
const GROUP: &str = "impersonate-group";
const EXTRA: &str = "impersonate-extra-";

/// Who TLS says is on the other side, if they showed a certificate; put into each connection's data.
#[derive(Debug, Clone)]
pub(crate) struct Peer(Option<Shown>);

/// A certificate that was shown and verified.
#[derive(Debug, Clone)]
struct Shown {
    serial: String,
    identity: Arc<Identity>,
}

impl Peer {
    /// Whoever a verified certificate names.
    pub(crate) fn of(subject: Option<Subject>) -> Self {
        Self(subject.map(|subject| {
            let groups: Vec<&str> = subject.organizations.iter().map(String::as_str).collect();
            let mut identity = Identity::new(subject.common_name, &groups);
            let credential = format!("X509SHA256={}", subject.fingerprint);
            identity.extra.push((CREDENTIAL.to_owned(), vec![credential]));
            Shown { serial: subject.serial, identity: Arc::new(identity) }
        }))
    }
}

/// What tells that the certificate of a caller is worth nothing any more.
#[derive(Debug)]
pub(crate) struct Revocation(Option<(String, watch::Receiver<BTreeSet<String>>)>);

/// For a stream that outlives its request.
pub(crate) fn revocation(request: &HttpRequest, parts: &EdgeParts) -> Revocation {
    let shown = request.conn_data::<Peer>().and_then(|peer| peer.0.as_ref());
    match shown {
        Some(shown) => Revocation::of(&shown.serial, parts.authenticator.revoked()),
        None => Revocation(None),
    }
}

impl Revocation {
    /// That of the certificate with this serial number.
    pub(crate) fn of(serial: &str, revoked: watch::Receiver<BTreeSet<String>>) -> Self {
        Self(Some((serial.to_owned(), revoked)))
    }

    /// Resolves when it is revoked.
    pub(crate) async fn wait(&mut self) {
        if let Some((serial, revoked)) = &mut self.0
            && revoked.wait_for(|revoked| revoked.contains(serial)).await.is_ok()
        {
            return;
        }
        std::future::pending().await
    }
}

/// The caller of a request, or as whom the caller may act.
pub(crate) async fn identify(
    request: &HttpRequest,
    parts: &EdgeParts,
) -> Result<Arc<Identity>, ApiError> {
    let caller = authenticate(request, parts).await?;
    match impersonation(request.headers())? {
        None => Ok(caller),
        Some(wanted) => parts.client.impersonate(&caller, &wanted).await.map(Arc::new),
    }
}

async fn authenticate(request: &HttpRequest, parts: &EdgeParts) -> Result<Arc<Identity>, ApiError> {
    if let Some(shown) = request.conn_data::<Peer>().and_then(|peer| peer.0.as_ref()) {
        if parts.authenticator.revoked().borrow().contains(&shown.serial) {
            let (user, serial) = (&shown.identity.user, &shown.serial);
            tracing::info!(user, serial, "a revoked certificate is refused");
            return Err(ApiError::unauthorized("Unauthorized"));
        }
        return Ok(Arc::clone(&shown.identity));
    }
    let header = request.headers().get("authorization").and_then(|value| value.to_str().ok());
    let Some(header) = header else { return Ok(Arc::new(Identity::anonymous())) };
    let token = header.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let identity = match token {
        Some((_, token)) => parts.authenticator.authenticate(token.trim()).await,
        None => None,
    };
    identity.map(Arc::new).ok_or_else(|| ApiError::unauthorized("Unauthorized"))
}

/// What the `Impersonate-` headers say; `None` if there is none.
fn impersonation(headers: &HeaderMap) -> Result<Option<Impersonation>, ApiError> {
    let mut wanted = Impersonation::default();
    let mut any = false;
    for (name, text) in headers {
        let name = name.as_str();
        if !name.starts_with("impersonate-") {
            continue;
        }
        any = true;
        let text = text.to_str().map_err(|_| {
            ApiError::bad_request(format!("the header {name} holds other than visible letters"))
        })?;
        match name {
            USER => wanted.user = text.to_owned(),
            UID => wanted.uid = text.to_owned(),
            GROUP => wanted.groups.push(text.to_owned()),
            _ => {
                let Some(key) = name.strip_prefix(EXTRA).filter(|key| !key.is_empty()) else {
                    return Err(ApiError::bad_request(format!("unknown header {name}")));
                };
                let key = decode(key).to_lowercase();
                match wanted.extra.iter_mut().find(|(known, _)| *known == key) {
                    Some((_, texts)) => texts.push(text.to_owned()),
                    None => wanted.extra.push((key, vec![text.to_owned()])),
                }
            }
        }
    }
    wanted.extra.sort();
    Ok(any.then_some(wanted))
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    fn read(headers: &[(&'static str, &'static str)]) -> Result<Option<Impersonation>, String> {
        let mut map = HeaderMap::new();
        for (name, text) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_static(text));
        }
        impersonation(&map).map_err(|error| error.message)
    }

    #[test]
    fn headers_say_as_whom_somebody_acts() {
        assert_eq!(read(&[("accept", "*/*")]), Ok(None));
        let told = read(&[
            ("impersonate-user", "jane"),
            ("impersonate-uid", "u1"),
            ("impersonate-group", "a"),
            ("impersonate-group", "b"),
            ("impersonate-extra-scopes", "view"),
            ("impersonate-extra-scopes", "edit"),
            ("impersonate-extra-acme.com%2fproject", "x"),
        ]);
        let text = |text: &str| text.to_owned();
        let wanted = Impersonation {
            user: text("jane"),
            uid: text("u1"),
            groups: vec![text("a"), text("b")],
            extra: vec![
                (text("acme.com/project"), vec![text("x")]),
                (text("scopes"), vec![text("view"), text("edit")]),
            ],
        };
        assert_eq!(told, Ok(Some(wanted)));
        assert_eq!(
            read(&[("impersonate-extra-", "x")]),
            Err("unknown header impersonate-extra-".to_owned())
        );
    }
}
