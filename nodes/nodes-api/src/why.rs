//! `GET /starling/v1/why?kind=pod&name=web&namespace=default`: the last trace of an object, as far as it is remembered.
//!
//! Way in: [`answer`]; [`Asked::begin`] for the first step of every trace: what a client asks.  Guarded by RBAC as a
//! non-resource URL; the object's state is shown to those only who may read the object.
//! Spec: W3C Trace Context, the header `traceparent`.

use std::collections::BTreeSet;

use actix_web::HttpResponse;
use actors_kinds::KindFacts;
use actors_object::{ApiError, GroupResource};
use nodes_client::{Open, Tracer};
use nodes_door::{Body, Options, Request, Response, ResponseBody, Target, Verb};
use nodes_trace::{Gathering, Parent, Question, Span, Thing, parse_traceparent, state_of};

use crate::edge::Visit;

/// What the machines answered to one question.
#[derive(Debug, Default)]
pub struct Gathered {
    /// The spans.
    pub spans: Vec<Span>,
    /// Machines that did not answer.
    pub missing: BTreeSet<String>,
}

/// A client's request that changes something: the first step of a trace.
pub(crate) struct Asked {
    tracer: Tracer,
    step: Open,
}

impl Asked {
    /// Begins the trace, or continues the one that the client names; the request carries it on.
    pub(crate) fn begin(visit: &Visit<'_>, request: &mut Request) -> Option<Self> {
        let target = &request.target;
        let reads = matches!(request.verb, Verb::Get | Verb::List);
        if reads || request.options.dry_run || matches!(&*target.resource, "leases" | "events") {
            return None;
        }
        let facts =
            visit.parts.registry.resource(&target.group, &target.version, &target.resource)?;
        let thing = Thing::new(
            &facts.gvk.kind,
            target.namespace.as_deref().unwrap_or_default(),
            target.name.as_deref().unwrap_or_default(),
        );
        let header = visit.http.headers().get("traceparent").and_then(|text| text.to_str().ok());
        let program = request.user_agent.split(['/', ' ']).next().unwrap_or_default();
        let part = format!("client {program} ({})", visit.identity.user);
        let tracer = visit.parts.client.tracer();
        let words = (part.as_str(), request.verb.as_str());
        let step = match header.and_then(parse_traceparent) {
            Some(context) => tracer.continued(words, thing, context),
            None => tracer.begin(words, thing, Parent::None),
        };
        request.options.trace = step.context();
        Some(Self { tracer, step })
    }

    /// The client is answered.
    pub(crate) fn end(mut self, response: &Response) {
        let outcome = match &response.body {
            ResponseBody::Error(error) => format!("{}: {}", error.code, error.message),
            _ => format!("{}", response.code),
        };
        if let (ResponseBody::Entry(entry), true) =
            (&response.body, self.step.thing().name.is_empty())
        {
            let name = entry.object().name().to_owned();
            let thing = Thing { name, ..self.step.thing().clone() };
            self.step.set_thing(thing);
        }
        self.tracer.end(self.step, outcome);
    }
}

pub(crate) async fn answer(visit: &Visit<'_>) -> Result<HttpResponse, ApiError> {
    let text = |name: &str| visit.query.text(name).filter(|text| !text.is_empty());
    let missing = |name: &str| {
        ApiError::bad_request(format!("query parameter {name}: Required value: name the object"))
    };
    let kind = text("kind").ok_or_else(|| missing("kind"))?;
    let name = text("name").ok_or_else(|| missing("name"))?;
    let all = visit.query.truth("all")?.unwrap_or(false);
    let facts = find(visit, &kind).ok_or_else(|| {
        ApiError::bad_request(format!("query parameter kind: Unsupported value: {kind:?}"))
    })?;
    let namespace = text("namespace").unwrap_or_else(|| "default".to_owned());
    let namespace = facts.namespaced.then_some(namespace);
    let thing = Thing::new(&facts.gvk.kind, namespace.as_deref().unwrap_or_default(), &name);
    let mut gathering = Gathering::new(thing);
    let mut silent = BTreeSet::new();
    while let Some(question) = gathering.question() {
        gathering.take(ask(visit, question, &mut silent).await);
    }
    let mut report = gathering.report(all);
    report.missing = silent.into_iter().collect();
    let object = read(visit, facts, (namespace, name.clone())).await;
    match object.into_object() {
        Ok(object) => report.now = state_of(&object),
        Err(error) if error.is_not_found() && report.steps.is_empty() => {
            return Err(ApiError::not_found(&GroupResource::new("", &facts.plural), &name));
        }
        Err(error) => report.now = vec![error.message],
    }
    Ok(HttpResponse::Ok().json(report))
}

/// Kinds as kubectl names them.
fn find<'a>(visit: &Visit<'a>, word: &str) -> Option<&'a KindFacts> {
    let registry = &visit.parts.registry;
    let named = || registry.kinds().find(|kind| kind.gvk.kind.eq_ignore_ascii_case(word));
    registry.by_short_name(word).or_else(named)
}

/// This process, and all others.
async fn ask(visit: &Visit<'_>, question: Question, silent: &mut BTreeSet<String>) -> Vec<Span> {
    let mut spans = visit.parts.client.tracer().answer(&question);
    if let Some(port) = &visit.parts.mesh {
        let gathered = port.spans(question, silent.clone()).await;
        spans.extend(gathered.spans);
        silent.extend(gathered.missing);
    }
    spans
}

async fn read(
    visit: &Visit<'_>,
    facts: &KindFacts,
    (namespace, name): (Option<String>, String),
) -> Response {
    let target = Target {
        group: facts.gvk.group.clone(),
        version: facts.gvk.version.clone(),
        resource: facts.plural.clone(),
        subresource: None,
        namespace,
        name: Some(name),
    };
    let request = Request {
        identity: (*visit.identity).clone(),
        verb: Verb::Get,
        target,
        options: Options::default(),
        body: Body::default(),
        user_agent: String::new(),
    };
    visit.parts.client.call(request).await
}
