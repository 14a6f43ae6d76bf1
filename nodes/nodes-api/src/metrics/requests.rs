//! What a request is about, as its metrics say it, and how often that came.
//!
//! Way in: [`About::of`], [`families`].
//! Spec: Kubernetes documentation, "Kubernetes Metrics Reference": labels of `apiserver_request_*`.

use std::{
    collections::BTreeMap,
    pin::Pin,
    task::{Context, Poll},
};

use actix_web::{
    body::{BodySize, BoxBody, MessageBody},
    http::Method,
    web::Bytes,
};
use actors_kinds::Registry;

use super::{
    Asked,
    text::{Family, Labels, Sample, Spread},
};
use crate::{path::Route, query::Query};

/// Spec: the bounds of `apiserver_request_duration_seconds`.
const SECONDS: &[f64] = &[
    0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0,
    10.0, 15.0, 20.0, 30.0, 45.0, 60.0,
];

/// Spec: the bounds of `apiserver_response_sizes`.
const BYTES: &[f64] = &[1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];

/// Subresources that are streams between a client and a container.
const CONNECTS: [&str; 4] = ["attach", "exec", "portforward", "proxy"];

/// What requests are told apart by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct About {
    verb: &'static str,
    group: String,
    version: String,
    resource: String,
    subresource: String,
    scope: &'static str,
    dry_run: &'static str,
}

impl About {
    /// What a request is about; of what is not served nothing but the verb.
    pub(crate) fn of(method: &Method, path: (&str, &Route), query: &Query, all: &Registry) -> Self {
        let about = Self::of_method(method);
        let (Route::Resource(target), _) = (path.1, path.0) else {
            return Self { subresource: known_path(path.0), ..about };
        };
        let kind = all.resource(&target.group, &target.version, &target.resource);
        let Some(kind) = kind else { return about };
        let sub = target.subresource.as_deref().unwrap_or_default();
        if !sub.is_empty() && kind.subresource(sub).is_none() {
            return about;
        }
        let watches = query.truth("watch").ok().flatten() == Some(true);
        let verb = match (about.verb, target.name.is_some()) {
            _ if CONNECTS.contains(&sub) => "CONNECT",
            ("GET", _) if watches && sub.is_empty() => "WATCH",
            ("GET", false) => "LIST",
            ("DELETE", false) => "DELETECOLLECTION",
            (verb, _) => verb,
        };
        let scope = match (&target.namespace, target.name.is_some() || verb == "POST") {
            (_, true) => "resource",
            (Some(_), false) => "namespace",
            (None, false) => "cluster",
        };
        Self {
            verb,
            group: target.group.clone(),
            version: target.version.clone(),
            resource: target.resource.clone(),
            subresource: sub.to_owned(),
            scope,
            dry_run: if query.has("dryRun") { "All" } else { "" },
        }
    }

    fn of_method(method: &Method) -> Self {
        let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
        let verb = known.into_iter().find(|verb| method.as_str() == *verb).unwrap_or("other");
        let none = String::new;
        Self {
            verb,
            group: none(),
            version: none(),
            resource: none(),
            subresource: none(),
            scope: "",
            dry_run: "",
        }
    }

    /// The same without what many can be told apart by.
    pub(super) fn without_kind(self) -> Self {
        let none = String::new;
        Self { group: none(), version: none(), resource: none(), subresource: none(), ..self }
    }

    /// Whether it lasts as long as its client wants.
    pub(super) fn is_long_running(&self) -> bool {
        matches!(self.verb, "WATCH" | "CONNECT") || self.subresource == "log"
    }

    pub(super) fn is_write(&self) -> bool {
        matches!(self.verb, "POST" | "PUT" | "PATCH" | "DELETE" | "DELETECOLLECTION")
    }

    fn labels(&self) -> Labels {
        vec![
            ("component", "apiserver".to_owned()),
            ("group", self.group.clone()),
            ("resource", self.resource.clone()),
            ("scope", self.scope.to_owned()),
            ("subresource", self.subresource.clone()),
            ("verb", self.verb.to_owned()),
            ("version", self.version.clone()),
        ]
    }

    fn labels_with(&self, more: impl IntoIterator<Item = (&'static str, String)>) -> Labels {
        let mut labels = self.labels();
        labels.extend(more);
        labels
    }
}

/// A path that is no object's, if it is one of ours: clients can invent others.
fn known_path(path: &str) -> String {
    let known = ["/healthz", "/livez", "/readyz", "/metrics", "/version", "/openapi", "/starling"];
    let begins = |known: &&str| {
        path.strip_prefix(*known).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    known.into_iter().find(begins).unwrap_or_default().to_owned()
}

/// What was counted of one sort of request.
#[derive(Debug, Clone)]
pub(super) struct Counted {
    codes: BTreeMap<u16, u64>,
    seconds: Spread,
    bytes: Spread,
}

impl Default for Counted {
    fn default() -> Self {
        let codes = BTreeMap::new();
        Self { codes, seconds: Spread::new(SECONDS), bytes: Spread::new(BYTES) }
    }
}

impl Counted {
    pub(super) fn add(&mut self, code: u16, seconds: f64, bytes: u64) {
        *self.codes.entry(code).or_default() += 1;
        self.seconds.add(seconds);
        self.bytes.add(number(bytes));
    }
}

/// Counts as Prometheus has all numbers: exact up to 2^53.
fn number(count: u64) -> f64 {
    let (high, low) = (count >> 32, count & u64::from(u32::MAX));
    let part = |part: u64| u32::try_from(part).map_or(0.0, f64::from);
    part(high) * 4_294_967_296.0 + part(low)
}

/// The families of all that was counted; `inflight` is how many read and how many write right now.
pub(super) fn families(all: &[(About, i64, Counted)], inflight: (i64, i64)) -> Vec<Family> {
    let mut total = Family::counter(
        "apiserver_request_total",
        "Counter of apiserver requests broken out for each verb, dry run value, group, version, \
         resource, scope, component, and HTTP response code.",
    );
    let mut seconds = Family::histogram(
        "apiserver_request_duration_seconds",
        "Response latency distribution in seconds for each verb, dry run value, group, version, \
         resource, subresource, scope and component.",
    );
    let mut bytes = Family::histogram(
        "apiserver_response_sizes",
        "Response size distribution in bytes for each group, version, verb, resource, \
         subresource, scope and component.",
    );
    let mut open = Family::gauge(
        "apiserver_longrunning_requests",
        "Gauge of all active long-running apiserver requests broken out by verb, group, version, \
         resource, scope and component.",
    );
    for (about, now, counted) in all {
        let dry_run = ("dry_run", about.dry_run.to_owned());
        for (code, count) in &counted.codes {
            let more = [("code", code.to_string()), dry_run.clone()];
            total = total.with(about.labels_with(more), number(*count));
        }
        if counted.seconds.count() > 0 {
            let spread = Sample::Spread(counted.seconds.clone());
            seconds.samples.push((about.labels_with([dry_run]), spread));
            // Dry runs answer as the others do; one label less keeps the documented set.
            if about.dry_run.is_empty() && !about.is_long_running() {
                let spread = Sample::Spread(counted.bytes.clone());
                bytes.samples.push((about.labels(), spread));
            }
        }
        if about.is_long_running() {
            open = open.with(about.labels(), small(*now));
        }
    }
    let current = Family::gauge(
        "apiserver_current_inflight_requests",
        "Number of requests that are being answered right now, by their kind.",
    )
    .with(vec![("request_kind", "readOnly".to_owned())], small(inflight.0))
    .with(vec![("request_kind", "mutating".to_owned())], small(inflight.1));
    vec![total, seconds, bytes, open, current]
}

fn small(number: i64) -> f64 {
    i32::try_from(number).map_or(0.0, f64::from)
}

/// A body in pieces, whose end is the end of its request.
pub(super) struct Streamed {
    pub(super) body: BoxBody,
    pub(super) asked: Asked,
}

impl MessageBody for Streamed {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.body).poll_next(context);
        if let Poll::Ready(Some(Ok(piece))) = &polled {
            this.asked.size += piece.len() as u64;
        }
        polled
    }
}
