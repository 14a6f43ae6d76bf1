//! Changes as they come, one JSON document a line, or one frame of protobuf.
//!
//! Way in: [`answer`].  Spec: Kubernetes API concepts, "Efficient detection of changes": `type` and `object`.

use std::sync::Arc;

use actix_web::HttpResponse;
use actors_core::Now;
use actors_kinds::{KindFacts, Registry, facts::Shape, protobuf::event_frame};
use actors_object::{ApiError, Map, Object, Value, json};
use actors_runtime::Clock;
use bytes::Bytes;
use futures_util::stream;
use nodes_client::WatchStream;
use nodes_door::{Entry, Request, WatchEvent};

use crate::{
    edge::Visit,
    encode::{entry_json, metadata_json},
    negotiate::Form,
    protobuf,
    query::Query,
    table,
};

/// Spec: frames of protobuf's watches; see `actors_kinds::protobuf::event_frame`.
const PROTOBUF_STREAM: &str = "application/vnd.kubernetes.protobuf;stream=watch";

/// How one watch writes its events.
struct Writer {
    form: Form,
    kind: Option<KindFacts>,
    query: Query,
    registry: Arc<Registry>,
}

pub(crate) async fn answer(visit: &Visit<'_>, request: Request) -> Result<HttpResponse, ApiError> {
    let target = &request.target;
    let kind =
        visit.parts.registry.resource(&target.group, &target.version, &target.resource).cloned();
    let mut writer = Writer {
        form: visit.form,
        kind,
        query: visit.query.clone(),
        registry: Arc::clone(&visit.parts.registry),
    };
    writer.settle_form();
    let media = match writer.form {
        Form::Protobuf | Form::ProtobufMetadata => PROTOBUF_STREAM,
        _ => "application/json;stream=watch",
    };
    let events = visit.parts.client.watch(request).await?;
    let lines = stream::unfold((events, writer), next);
    // Proxies must not hold lines back.
    Ok(HttpResponse::Ok()
        .content_type(media)
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
    /// Kinds that the tables do not know are told of in JSON.
    fn settle_form(&mut self) {
        let known = self.kind.as_ref().is_some_and(|kind| !matches!(kind.shape, Shape::Any));
        if self.form == Form::Protobuf && !known {
            self.form = Form::Json;
        }
    }

    fn write_frame(&self, event: &WatchEvent, out: &mut Vec<u8>) {
        let (word, body) = match event {
            WatchEvent::Added(entry) => ("ADDED", self.frame_body(entry)),
            WatchEvent::Modified(entry) => ("MODIFIED", self.frame_body(entry)),
            WatchEvent::Deleted(entry) => ("DELETED", self.frame_body(entry)),
            WatchEvent::Bookmark(revision, ends_initial) => {
                let mark = Entry::Made(Arc::new(Object(self.mark(revision.0, *ends_initial))));
                ("BOOKMARK", self.frame_body(&mark))
            }
            WatchEvent::Error(error) => {
                ("ERROR", protobuf::value(&self.registry, &error.to_value()))
            }
        };
        match body {
            Ok(Some(body)) => out.extend(event_frame(word, &body)),
            // What is stored was checked against the same tables.
            Ok(None) => tracing::error!(word, "an event has no protobuf form"),
            Err(error) => tracing::error!(word, %error, "an event cannot be written"),
        }
    }

    fn frame_body(&self, entry: &Entry) -> Result<Option<Vec<u8>>, ApiError> {
        protobuf::entry(&self.registry, entry, self.form)
    }

    fn write(&self, event: &WatchEvent, now: Now, out: &mut Vec<u8>) {
        if matches!(self.form, Form::Protobuf | Form::ProtobufMetadata) {
            return self.write_frame(event, out);
        }
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
        json::to_vec(&self.mark(revision, ends_initial)).into()
    }

    fn mark(&self, revision: u64, ends_initial: bool) -> Value {
        let mut object = Value::Map(Map::default());
        if let Some(kind) = &self.kind {
            object.set_path(&["kind"], kind.gvk.kind.clone());
            object.set_path(&["apiVersion"], kind.gvk.api_version());
        }
        object.set_path(&["metadata", "resourceVersion"], revision.to_string());
        if ends_initial {
            object.set_path(&["metadata", "annotations", "k8s.io/initial-events-end"], "true");
        }
        object
    }
}
