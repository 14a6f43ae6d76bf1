//! Who asks: a client certificate of the cluster's authority, or a bearer token.
//!
//! Way in: [`identify`].  Spec: Kubernetes documentation, "Authenticating": the subject's common name is the user,
//! its organizations are the groups; a wrong credential is refused, none at all is `system:anonymous`.

use actix_web::HttpRequest;
use actors_object::ApiError;
use nodes_client::Authenticator;
use nodes_door::Identity;
use nodes_pki::Subject;

/// What TLS learned of the other side; put into each connection's data.
#[derive(Debug, Clone)]
pub(crate) struct Peer(pub(crate) Option<Subject>);

/// The caller of a request.
pub(crate) async fn identify(
    request: &HttpRequest,
    authenticator: &dyn Authenticator,
) -> Result<Identity, ApiError> {
    if let Some(subject) = request.conn_data::<Peer>().and_then(|peer| peer.0.as_ref()) {
        let groups: Vec<&str> = subject.organizations.iter().map(String::as_str).collect();
        return Ok(Identity::new(subject.common_name.clone(), &groups));
    }
    let header = request.headers().get("authorization").and_then(|value| value.to_str().ok());
    let Some(header) = header else { return Ok(Identity::anonymous()) };
    let token = header.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let identity = match token {
        Some((_, token)) => authenticator.authenticate(token.trim()).await,
        None => None,
    };
    identity.ok_or_else(|| ApiError::unauthorized("Unauthorized"))
}
