//! The supervision tree over HTTP: `GET /starling/actors`, `POST /starling/actors/kill?path=...`.
//!
//! Way in: [`ActorsPort`].  Guarded by RBAC as non-resource URLs.

use actix_web::HttpResponse;
use actors_object::{ApiError, GroupResource};
use serde_json::{Value, json};

/// What the edge asks of the runtime.
pub trait ActorsPort: Send + Sync {
    /// Every actor with its state, parents before children.
    fn tree(&self) -> Value;

    /// Kills one actor; false if there is none of this path.
    fn kill(&self, path: &str) -> bool;
}

pub(crate) fn tree(port: &dyn ActorsPort) -> HttpResponse {
    HttpResponse::Ok().json(json!({"actors": port.tree()}))
}

pub(crate) fn kill(port: &dyn ActorsPort, path: Option<String>) -> Result<HttpResponse, ApiError> {
    let path = path.ok_or_else(|| {
        ApiError::bad_request("query parameter path: Required value: name the actor")
    })?;
    match port.kill(&path) {
        true => Ok(HttpResponse::Ok().json(json!({"killed": path}))),
        false => Err(ApiError::not_found(&GroupResource::new("", "actors"), &path)),
    }
}
