//! The supervision trees of all nodes over HTTP: `GET /starling/actors`, `…/top`, `…/show?path=`; `POST …/kill?path=`
//! (with `fault=panic` or `fault=error` for another end than a kill), `…/suspend?path=`, `…/resume?path=`.
//!
//! Way in: [`ActorsPort`].  Guarded by RBAC as non-resource URLs.  `node=` names one node; a path may begin with one,
//! as in `agent-1:starling/agent`. Without a node, all are looked at, and orders are for this one.

use actix_web::HttpResponse;
use actors_object::ApiError;
use actors_runtime::Fault;
use nodes_client::Later;
use serde_json::Value;

use crate::{edge::Visit, query::Query};

/// What the edge asks of the runtimes.
pub trait ActorsPort: Send + Sync {
    /// `{"actors": […], "missing": {NODE: WHY}}`: every actor with its state, parents before children.
    fn tree(&self, node: Option<String>) -> Later<'_, Result<Value, ApiError>>;

    /// `{"actors": […], "missing": {…}}`: who was at work within one second, the busiest first.
    fn top(&self, node: Option<String>) -> Later<'_, Result<Value, ApiError>>;

    /// `{"actor": {…}, "children": […], "deadLetters": […]}`.
    fn show(&self, place: ActorPlace) -> Later<'_, Result<Value, ApiError>>;

    /// `{"node": …, "path": …, "done": "killed"}`.
    fn order(&self, place: ActorPlace, order: ActorOrder) -> Later<'_, Result<Value, ApiError>>;
}

/// Where an actor is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActorPlace {
    /// Its node; none for the one that is asked.
    pub node: Option<String>,
    /// Names from the root on, joined by `/`.
    pub path: String,
}

/// What is done to an actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActorOrder {
    /// It ends in this way, and its supervisor acts.
    End(Fault),
    /// It handles no messages.
    Suspend,
    /// It goes on.
    Resume,
}

pub(crate) async fn answer(
    visit: &Visit<'_>,
    (verb, path): (&str, &str),
) -> Result<HttpResponse, ApiError> {
    let (port, query) = (visit.parts.actors.as_ref(), &visit.query);
    let node = query.text("node").filter(|node| !node.is_empty());
    let told = match (verb, path) {
        ("get", "/starling/actors") => port.tree(node).await,
        ("get", "/starling/actors/top") => port.top(node).await,
        ("get", "/starling/actors/show") => port.show(place(query, node)?).await,
        ("post", "/starling/actors/kill") => {
            port.order(place(query, node)?, ActorOrder::End(fault(query)?)).await
        }
        ("post", "/starling/actors/suspend") => {
            port.order(place(query, node)?, ActorOrder::Suspend).await
        }
        ("post", "/starling/actors/resume") => {
            port.order(place(query, node)?, ActorOrder::Resume).await
        }
        _ => return Err(ApiError::bad_request(format!("there is no {verb} of {path}"))),
    };
    Ok(HttpResponse::Ok().json(told?))
}

fn fault(query: &Query) -> Result<Fault, ApiError> {
    match query.text("fault").as_deref() {
        None | Some("kill") => Ok(Fault::Kill),
        Some("panic") => Ok(Fault::Panic),
        Some("error") => Ok(Fault::Error),
        Some(other) => Err(ApiError::bad_request(format!(
            "query parameter fault: Unsupported value: {other:?}: must be kill, panic or error"
        ))),
    }
}

fn place(query: &Query, node: Option<String>) -> Result<ActorPlace, ApiError> {
    let path = query.text("path").filter(|path| !path.is_empty()).ok_or_else(|| {
        ApiError::bad_request("query parameter path: Required value: name the actor")
    })?;
    let place = split(&path);
    match (node, &place.node) {
        (Some(node), Some(other)) if node != *other => Err(ApiError::bad_request(format!(
            "query parameter node: Invalid value: {node:?}: the path names the node {other}"
        ))),
        (node, _) => Ok(ActorPlace { node: place.node.or(node), path: place.path }),
    }
}

/// A node in front of a path ends with a colon before the first slash: names in a tree's root have none.
fn split(path: &str) -> ActorPlace {
    match path.split_once(':') {
        Some((node, rest)) if !node.contains('/') => {
            ActorPlace { node: Some(node.to_owned()), path: rest.to_owned() }
        }
        _ => ActorPlace { node: None, path: path.to_owned() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_may_begin_with_its_node() {
        let check = |path: &str, node: Option<&str>, rest: &str| {
            let node = node.map(str::to_owned);
            assert_eq!(split(path), ActorPlace { node, path: rest.to_owned() });
        };
        check("starling/agent", None, "starling/agent");
        check("agent-1:starling/agent", Some("agent-1"), "starling/agent");
        check("starling/edge/http/watch:1", None, "starling/edge/http/watch:1");
    }
}
