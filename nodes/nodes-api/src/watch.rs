//! Changes as they come, one JSON document a line.
//!
//! Way in: [`answer`].  Spec: Kubernetes API concepts, "Efficient detection of changes": `type` and `object`.

use actix_web::HttpResponse;
use actors_core::Now;
use actors_kinds::KindFacts;
use actors_object::{ApiError, Map, Value, json};
use actors_runtime::Clock;
use bytes::Bytes;
use futures_util::stream;
use nodes_client::WatchStream;
use nodes_door::{Entry, Request, WatchEvent};

use crate::{
    edge::Visit,
    encode::{entry_json, metadata_json},
    negotiate::Form,
    query::Query,
    table,
};

/// How one watch writes its events.
struct Writer {
    form: Form,
    kind: Option<KindFacts>,
    query: Query,
}

pub(crate) async fn answer(visit: &Visit<'_>, request: Request) -> Result<HttpResponse, ApiError> {
    let target = &request.target;
    let kind =
        visit.parts.registry.resource(&target.group, &target.version, &target.resource).cloned();
    let writer = Writer { form: visit.form, kind, query: visit.query.clone() };
    let events = visit.parts.client.watch(request).await?;
    let lines = stream::unfold((events, writer), next);
    // Proxies must not hold lines back.
    Ok(HttpResponse::Ok()
        .content_type("application/json;stream=watch")
        .insert_header(("cache-control", "no-cache, private"))
        .streaming(lines))
}

async fn next(
    (mut events, writer): (WatchStream, Writer),
) -> Option<(Result<Bytes, Never>, (WatchStream, Writer))> {
    let batch = events.next().await?;
    let mut bytes = Vec::new();
    let now = Clock.now();
    for event in &batch {
        writer.write(event, now, &mut bytes);
    }
    Some((Ok(bytes.into()), (events, writer)))
}

/// A stream never fails: it ends, and the last event says why.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Never {}

impl Writer {
    fn write(&self, event: &WatchEvent, now: Now, out: &mut Vec<u8>) {
        let (word, object) = match event {
            WatchEvent::Added(entry) => ("ADDED", self.object(entry, now)),
            WatchEvent::Modified(entry) => ("MODIFIED", self.object(entry, now)),
            WatchEvent::Deleted(entry) => ("DELETED", self.object(entry, now)),
            WatchEvent::Bookmark(revision, ends_initial) => {
                ("BOOKMARK", self.bookmark(revision.0, *ends_initial))
            }
            WatchEvent::Error(error) => ("ERROR", json::to_vec(&error.to_value()).into()),
        };
        out.extend_from_slice(b"{\"type\":\"");
        out.extend_from_slice(word.as_bytes());
        out.extend_from_slice(b"\",\"object\":");
        out.extend_from_slice(&object);
        out.extend_from_slice(b"}\n");
    }

    fn object(&self, entry: &Entry, now: Now) -> Bytes {
        match (self.form, &self.kind) {
            (Form::Table, Some(kind)) => {
                table::of_entries(kind, std::slice::from_ref(entry), &self.query, now).into()
            }
            (Form::Metadata, _) => json::to_vec(&metadata_json(&entry.object())).into(),
            _ => entry_json(entry),
        }
    }

    /// An object of the watched kind with nothing but a revision (KEP-956), and KEP-3157's annotation.
    fn bookmark(&self, revision: u64, ends_initial: bool) -> Bytes {
        let mut object = Value::Map(Map::default());
        if let Some(kind) = &self.kind {
            object.set_path(&["kind"], kind.gvk.kind.clone());
            object.set_path(&["apiVersion"], kind.gvk.api_version());
        }
        object.set_path(&["metadata", "resourceVersion"], revision.to_string());
        if ends_initial {
            object.set_path(&["metadata", "annotations", "k8s.io/initial-events-end"], "true");
        }
        json::to_vec(&object).into()
    }
}
