//! The supervision tree over HTTP: `GET /starling/actors`, `POST /starling/actors/kill?path=...`, with
//! `fault=panic` or `fault=error` for another end than a kill.
//!
//! Way in: [`ActorsPort`].  Guarded by RBAC as non-resource URLs.

use actix_web::HttpResponse;
use actors_object::{ApiError, GroupResource};
use actors_runtime::Fault;
use serde_json::{Value, json};

use crate::query::Query;

/// What the edge asks of the runtime.
pub trait ActorsPort: Send + Sync {
    /// Every actor with its state, parents before children.
    fn tree(&self) -> Value;

    /// Ends one actor; false if there is none of this path.
    fn inject(&self, path: &str, fault: Fault) -> bool;
}

pub(crate) fn tree(port: &dyn ActorsPort) -> HttpResponse {
    HttpResponse::Ok().json(json!({"actors": port.tree()}))
}

pub(crate) fn kill(port: &dyn ActorsPort, query: &Query) -> Result<HttpResponse, ApiError> {
    let fault = match query.text("fault").as_deref() {
        None | Some("kill") => Fault::Kill,
        Some("panic") => Fault::Panic,
        Some("error") => Fault::Error,
        Some(other) => {
            return Err(ApiError::bad_request(format!(
                "query parameter fault: Unsupported value: {other:?}: must be kill, panic or error"
            )));
        }
    };
    let path = query.text("path").ok_or_else(|| {
        ApiError::bad_request("query parameter path: Required value: name the actor")
    })?;
    match port.inject(&path, fault) {
        true => Ok(HttpResponse::Ok().json(json!({"killed": path}))),
        false => Err(ApiError::not_found(&GroupResource::new("", "actors"), &path)),
    }
}
