//! One request from its path to its answer.
//!
//! Way in: [`handle`].  Order: who, may they, what, how, the door, the form of the answer.

use std::{future::poll_fn, pin::pin, sync::Arc, task::Poll, time::Duration};

use actix_web::{
    HttpRequest, HttpResponse,
    http::Method,
    web::{self, Bytes},
};
use actors_kinds::Registry;
use actors_object::ApiError;
use actors_runtime::Clock;
use nodes_client::{Authenticator, Client, NodeStreams};
use nodes_door::{Body, Identity, Media, PatchKind, Request, Response, Target, Verb};
use tokio::time::timeout;

use crate::{
    ActorsPort, MeshPort, Readiness, actors,
    body::read,
    connection::{self, Gone},
    discovery,
    documents::Documents,
    encode, exec, health,
    identity::identify,
    issuer, logs, mesh,
    metrics::{About, Metrics},
    negotiate::Form,
    path::{self, Route},
    query::{self, Query, decode},
    squeeze, watch,
    why::{self, Asked},
    yaml,
};

/// What the edge translates for.
pub struct EdgeParts {
    /// The door.
    pub client: Arc<dyn Client>,
    /// Who tokens belong to.
    pub authenticator: Arc<dyn Authenticator>,
    /// The kinds that are served.
    pub registry: Arc<Registry>,
    /// Logs and exec of all nodes.
    pub streams: Arc<dyn NodeStreams>,
    /// The supervision tree.
    pub actors: Arc<dyn ActorsPort>,
    /// Whether requests can be served.
    pub readiness: Arc<dyn Readiness>,
    /// The mesh, if the cluster has one.
    pub mesh: Option<Arc<dyn MeshPort>>,
    /// OpenAPI of those kinds.
    pub documents: Documents,
    /// Counts requests; outlives the edge.
    pub metrics: Arc<Metrics>,
}

/// One request, understood as far as every route needs.
pub(crate) struct Visit<'a> {
    pub(crate) parts: &'a EdgeParts,
    pub(crate) http: &'a HttpRequest,
    pub(crate) identity: Arc<Identity>,
    pub(crate) query: Query,
    pub(crate) form: Form,
}

pub(crate) async fn handle(http: HttpRequest, payload: web::Payload) -> HttpResponse {
    let Some(parts) = http.app_data::<web::Data<EdgeParts>>().cloned() else {
        return encode::error(&ApiError::internal("the edge has no parts"));
    };
    let Some(_underway) = connection::enter(&http) else {
        let message = "this connection has too many requests under way";
        return encode::error(&ApiError::too_many_requests(message, 1));
    };
    let query = Query::parse(http.query_string());
    let route = path::parse(&decode(http.path()));
    let about = About::of(http.method(), (http.path(), &route), &query, &parts.registry);
    let asked = parts.metrics.begin(about);
    let answered = answer(&parts, &http, (route, query), payload).await;
    let mut response = answered.unwrap_or_else(|error| encode::error(&error));
    if yaml::is_wanted(accepted(&http)) {
        response = yaml::turn(response).await;
    }
    asked.end(squeeze::settle(&http, response).await)
}

fn accepted(http: &HttpRequest) -> &str {
    http.headers().get("accept").and_then(|value| value.to_str().ok()).unwrap_or_default()
}

async fn answer(
    parts: &EdgeParts,
    http: &HttpRequest,
    (route, query): (Route, Query),
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    if let Some(whole) = health::whole(http.path()) {
        return Ok(health::answer(whole, parts.readiness.as_ref(), &query));
    }
    let mut payload = Some(payload);
    if let Some(port) = &parts.mesh {
        let answer = mesh::answer_anybody(port.as_ref(), http, &mut payload);
        if let Some(answer) = answer.await {
            return answer;
        }
    }
    let Some(payload) = payload else { return Err(ApiError::internal("the body was taken")) };
    let identity = identify(http, parts).await?;
    let form = match (Form::of(accepted(http)), &route) {
        (Some(form), _) => form,
        // Paths that are no object's have forms of their own.
        (None, Route::Other) => Form::Json,
        (None, _) => return Err(ApiError::not_acceptable("application/json")),
    };
    let visit = Visit { parts, http, identity, query, form };
    match route {
        Route::Resource(target) => resource(&visit, target, payload).await,
        route => other(&visit, &route).await,
    }
}

/// Paths that are no object's: guarded by RBAC's non-resource rules.
async fn other(visit: &Visit<'_>, route: &Route) -> Result<HttpResponse, ApiError> {
    let path = visit.http.path();
    let verb = visit.http.method().as_str().to_lowercase();
    if !visit.parts.client.allows_url(&visit.identity, &verb, path).await {
        return Err(forbidden_url(&visit.identity, &verb, path));
    }
    if let Some(answer) = mesh::answer(visit, (&verb, path)).await {
        return answer;
    }
    if let Some(answer) = issuer::answer(visit, (&verb, path)) {
        return Ok(answer);
    }
    match (route, path) {
        (Route::Other, "/version") => Ok(health::version()),
        (Route::Other, "/metrics") if verb == "get" => Ok(metrics_text(visit)),
        (Route::Other, path) if health::is_single(path) => {
            let single = health::single(path, visit.parts.readiness.as_ref());
            single.ok_or_else(ApiError::no_such_resource)
        }
        (Route::Other, "/starling/v1/why") if verb == "get" => why::answer(visit).await,
        (Route::Other, path) if is_below(path, "/starling/actors") => {
            actors::answer(visit, (&verb, path)).await
        }
        (Route::Other, path) if is_below(path, "/openapi") => {
            visit.parts.documents.answer(&visit.parts.registry, visit.http).await
        }
        (Route::Other, _) => Err(ApiError::no_such_resource()),
        _ => discovery::answer(visit, route),
    }
}

/// Spec: the content type of Prometheus' text form.
fn metrics_text(visit: &Visit<'_>) -> HttpResponse {
    let text = visit.parts.metrics.text();
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text)
}

fn is_below(path: &str, base: &str) -> bool {
    path.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn forbidden_url(identity: &Identity, verb: &str, path: &str) -> ApiError {
    let mut error = ApiError::bad_request(format!(
        "forbidden: User {:?} cannot {verb} path {path:?}",
        identity.user
    ));
    error.code = 403;
    error.reason = actors_object::Reason::Forbidden;
    error
}

async fn resource(
    visit: &Visit<'_>,
    target: Target,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let subresource = target.subresource.as_deref();
    match (target.resource.as_str(), subresource, target.group.as_str()) {
        ("pods", Some("exec" | "attach"), "") => {
            return exec::answer(visit, target, payload).await;
        }
        ("pods", Some("log"), "") => return logs::answer(visit, target).await,
        _ => {}
    }
    let verb = verb_of(visit, &target)?;
    let bytes = read(payload).await?;
    let mut request = request(visit, verb, target, bytes)?;
    if verb == Verb::Watch {
        return watch::answer(visit, request).await;
    }
    let kind = visit.parts.registry.resource(
        &request.target.group,
        &request.target.version,
        &request.target.resource,
    );
    let patience = visit.query.patience()?;
    let asked = Asked::begin(visit, &mut request);
    let gone = || connection::gone(visit.http);
    let response = within((patience, gone), visit.parts.client.call(request)).await;
    if let Some(asked) = asked {
        asked.end(&response);
    }
    encode::response(response, visit, kind, Clock.now()).await
}

/// Waits for an answer as long as its client does: the time that it said, or up to the end of its connection. What is
/// given up is not tried again behind the client's back: a write whose proposal is under way may still be done, one that
/// lost a race is not decided anew.
async fn within(
    (patience, gone): (Duration, impl FnOnce() -> Gone),
    answer: impl Future<Output = Response>,
) -> Response {
    let mut answer = pin!(answer);
    // Most reads are answered at once, and need no alarm.
    if let Poll::Ready(answered) = poll_fn(|task| Poll::Ready(answer.as_mut().poll(task))).await {
        return answered;
    }
    let mut gone = gone();
    let unknown =
        |why: &str| ApiError::timeout(format!("{why}; whether it was done is not known"), 0).into();
    tokio::select! {
        biased;
        answered = timeout(patience, answer) => answered.unwrap_or_else(|_| {
            unknown(&format!("request did not complete within the requested time ({patience:?})"))
        }),
        () = gone.wait() => unknown("the connection of the request is gone"),
    }
}

/// The verb of a method and a target. Spec: Kubernetes documentation, "Determine the request verb".
fn verb_of(visit: &Visit<'_>, target: &Target) -> Result<Verb, ApiError> {
    let named = target.name.is_some();
    let watching = visit.query.truth("watch")?.unwrap_or(false);
    Ok(match (visit.http.method(), named) {
        (&Method::GET, _) if watching => Verb::Watch,
        (&Method::GET | &Method::HEAD, true) => Verb::Get,
        (&Method::GET | &Method::HEAD, false) => Verb::List,
        (&Method::POST, _) => Verb::Create,
        (&Method::PUT, true) => Verb::Update,
        (&Method::PATCH, true) => Verb::Patch(patch_kind(visit)?),
        (&Method::DELETE, true) => Verb::Delete,
        (&Method::DELETE, false) => Verb::DeleteCollection,
        (method, _) => {
            let resource = actors_object::GroupResource::new(&target.group, &target.resource);
            return Err(ApiError::method_not_allowed(&resource, &method.as_str().to_lowercase()));
        }
    })
}

fn patch_kind(visit: &Visit<'_>) -> Result<PatchKind, ApiError> {
    match content_type(visit) {
        "application/json-patch+json" => Ok(PatchKind::Json),
        "application/merge-patch+json" => Ok(PatchKind::Merge),
        "application/strategic-merge-patch+json" => Ok(PatchKind::Strategic),
        "application/apply-patch+yaml" => Ok(PatchKind::Apply),
        _ => Err(ApiError::unsupported_media_type(
            "application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json",
        )),
    }
}

fn content_type<'a>(visit: &'a Visit<'_>) -> &'a str {
    let header = visit.http.headers().get("content-type").and_then(|value| value.to_str().ok());
    header.unwrap_or_default().split(';').next().unwrap_or_default().trim()
}

fn request(
    visit: &Visit<'_>,
    verb: Verb,
    target: Target,
    bytes: Bytes,
) -> Result<Request, ApiError> {
    let mut options = visit.query.options()?;
    let media = match content_type(visit) {
        "application/yaml" | "application/apply-patch+yaml" => Media::Yaml,
        "application/vnd.kubernetes.protobuf" if !bytes.is_empty() => Media::Protobuf,
        _ => Media::Json,
    };
    let body = match verb {
        Verb::Delete | Verb::DeleteCollection => {
            let given = query::delete_options(media, &bytes, &visit.parts.registry)?;
            query::merge_delete_options(&mut options, &given)?;
            Body::default()
        }
        _ => Body { media, bytes },
    };
    let agent = visit.http.headers().get("user-agent").and_then(|value| value.to_str().ok());
    let user_agent = agent.unwrap_or_default().to_owned();
    Ok(Request { identity: (*visit.identity).clone(), verb, target, options, body, user_agent })
}

/// A request without a body, for streams that begin with an authorization.
pub(crate) fn bare_request(
    visit: &Visit<'_>,
    verb: Verb,
    target: Target,
) -> Result<Request, ApiError> {
    request(visit, verb, target, Bytes::new())
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use nodes_door::ResponseBody;

    use super::*;
    use crate::query::REQUEST_MAX;

    fn check(response: Response, why: &str) {
        let ResponseBody::Error(error) = response.body else { panic!("no error") };
        assert_eq!((error.code, error.reason), (504, actors_object::Reason::Timeout));
        assert!(error.message.contains(why), "{}", error.message);
        // A header that says when to come again would make clients repeat a write by themselves.
        assert_eq!(error.details.map_or(0, |details| details.retry_after_seconds), 0);
    }

    #[actix_web::test]
    async fn who_waits_no_longer_is_told_that_nobody_knows() {
        let asked = (Duration::from_millis(1), Gone::never);
        check(within(asked, pending()).await, "within the requested time (1ms)");
    }

    #[actix_web::test]
    async fn what_was_asked_over_a_connection_that_is_gone_is_given_up() {
        let (connection, gone) = Gone::with();
        drop(connection);
        check(
            within((REQUEST_MAX, || gone), pending()).await,
            "the connection of the request is gone",
        );
    }

    #[actix_web::test]
    async fn an_answer_that_is_there_is_not_late() {
        let answer = ready(ApiError::no_such_resource().into());
        let response = within((Duration::ZERO, Gone::never), answer).await;
        assert_eq!(response.code, 404);
    }
}
