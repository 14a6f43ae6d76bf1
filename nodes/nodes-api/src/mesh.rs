//! Routes of a cluster of several machines: joining, and what operators ask of the mesh and the servers.
//!
//! Way in: [`MeshPort`].  `GET /starling/v1/ca` and `POST /starling/v1/join` are open to everybody: the first tells what
//! every handshake shows, the second carries its own proof. All others are guarded by RBAC as non-resource URLs.

use std::collections::BTreeSet;

use actix_web::{HttpRequest, HttpResponse, web};
use actors_object::ApiError;
use bytes::Bytes;
use nodes_client::Later;
use nodes_trace::Question;
use serde_json::{Value, json};

use crate::{body::read, edge::Visit, why::Gathered};

/// What the edge asks of the mesh. Answers are JSON as operators see it.
pub trait MeshPort: Send + Sync {
    /// `GET /starling/v1/ca`: `{"certificate": PEM, "hash": "sha256:…", "cluster": UID}`.
    fn authority(&self) -> Value;

    /// `POST /starling/v1/join`: a joiner's request, from the address `from`. The answer holds secrets.
    fn join(&self, from: String, body: Bytes) -> Later<'_, Result<Value, ApiError>>;

    /// `GET /starling/v1/mesh/members`: who is there, by this member's judgement, with the evidence; the store's
    /// voters; warnings.
    fn members(&self) -> Value;

    /// `GET /starling/v1/mesh/links`: this process's links.
    fn links(&self) -> Value;

    /// `GET /starling/v1/mesh/refusals`: whom this process turned away, and why, counted.
    fn refusals(&self) -> Value;

    /// `POST /starling/v1/server/remove?node=NAME`: takes a server out of the cluster for ever.
    fn remove_server(&self, node: String) -> Later<'_, Result<Value, ApiError>>;

    /// What the other machines remember of traces; those of `skip` are not asked.
    fn spans(&self, question: Question, skip: BTreeSet<String>) -> Later<'_, Gathered>;
}

/// What a route without the caller's identity answers; `None` if the path is no such route.
pub(crate) async fn answer_anybody(
    port: &dyn MeshPort,
    http: &HttpRequest,
    payload: &mut Option<web::Payload>,
) -> Option<Result<HttpResponse, ApiError>> {
    match (http.method().as_str(), http.path()) {
        ("GET", "/starling/v1/ca") => Some(Ok(HttpResponse::Ok().json(port.authority()))),
        ("POST", "/starling/v1/join") => {
            let payload = payload.take()?;
            let from = http.peer_addr().map(|from| from.ip().to_string()).unwrap_or_default();
            Some(join(port, from, payload).await)
        }
        _ => None,
    }
}

async fn join(
    port: &dyn MeshPort,
    from: String,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let answer = port.join(from, read(payload).await?).await?;
    // What is in it must not lie in anybody's cache.
    Ok(HttpResponse::Ok().insert_header(("cache-control", "no-store")).json(answer))
}

/// What an operator is told; `None` if the path is no such route.
pub(crate) async fn answer(
    visit: &Visit<'_>,
    (verb, path): (&str, &str),
) -> Option<Result<HttpResponse, ApiError>> {
    let port = visit.parts.mesh.as_deref()?;
    let told = |value: Value| Some(Ok(HttpResponse::Ok().json(value)));
    match (verb, path) {
        ("get", "/starling/v1/mesh/members") => told(port.members()),
        ("get", "/starling/v1/mesh/links") => told(port.links()),
        ("get", "/starling/v1/mesh/refusals") => told(port.refusals()),
        ("post", "/starling/v1/server/remove") => {
            let Some(node) = visit.query.text("node") else {
                let why = "query parameter node: Required value: name the server";
                return Some(Err(ApiError::bad_request(why)));
            };
            let removed = port.remove_server(node).await;
            Some(removed.map(|answer| HttpResponse::Ok().json(json!(answer))))
        }
        _ => None,
    }
}
