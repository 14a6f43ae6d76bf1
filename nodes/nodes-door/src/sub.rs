//! Subresources: parts of an object with rules of their own.
//!
//! Way in: [`decide`].

mod binding;
mod containers;
mod eviction;
mod scale;
mod token;

use actors_object::{ApiError, Value, value};
pub(crate) use binding::bind;
pub(crate) use containers::is_part;

use crate::{
    Response, ResponseBody, Verb, read,
    visit::{Decision, Visit},
    write,
};

/// Decides a request for a subresource.
pub(crate) fn decide(visit: &mut Visit<'_>, name: &str) -> Decision {
    match (name, visit.request.verb) {
        ("status" | "finalize" | "approval", Verb::Get) => read::get(visit),
        ("status" | "finalize" | "approval", Verb::Update) => write::update(visit),
        ("status" | "finalize" | "approval", Verb::Patch(kind)) => write::patch(visit, kind),
        ("scale", _) => scale::decide(visit),
        (part, _) if is_part(part) => containers::decide(visit, part),
        ("binding", Verb::Create) => bind(visit),
        ("eviction", Verb::Create) => eviction::evict(visit),
        ("token", Verb::Create) => token::request(visit),
        // The door's part of a stream is to say who may open it, to which object.
        (stream, _) if is_stream(stream) => read::get(visit),
        (_, verb) => Err(ApiError::method_not_allowed(&visit.resource(), verb.as_str())),
    }
}

/// Whether a subresource is a stream that the edge carries.
pub(crate) fn is_stream(name: &str) -> bool {
    matches!(name, "attach" | "exec" | "log" | "portforward" | "proxy")
}

/// The answer to a request whose success has no object.
fn success(code: u16) -> Response {
    let status: Value = value!({
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "code": code,
    });
    Response::new(code, ResponseBody::Success(status))
}
