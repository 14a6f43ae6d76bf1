//! Changes as they come, one JSON document a line, or one frame of protobuf.
//!
//! Way in: [`answer`].  Owns: the events of one batch that were not written yet; who does not read is not written to.
//! A frame is made once for all watchers of a change (`forms`); where many watch the same, the frames that one of them is
//! owed are copied in one go (`tape`).
//! Spec: Kubernetes API concepts, "Efficient detection of changes": `type` and `object`.

use std::{cell::RefCell, rc::Rc, sync::Arc, time::Duration};

use actix_web::{HttpResponse, web};
use actors_core::Now;
use actors_kinds::{KindFacts, Registry, facts::Shape, protobuf::event_frame};
use actors_object::{ApiError, Map, Object, Value, json};
use actors_runtime::Clock;
use bytes::Bytes;
use futures_util::stream;
use nodes_client::WatchStream;
use nodes_door::{Entry, Request, WatchEvent};
use tokio::time::{Instant, sleep_until};

use crate::{
    connection::{self, Gone, Underway},
    crowd::{Crowd, Place},
    edge::Visit,
    encode::{entry_json, metadata_json, push_json},
    forms::Word,
    identity::{self, Revocation},
    negotiate::Form,
    pieces::Pieces,
    protobuf,
    query::Query,
    table,
    tape::{self, Tape, Tapes},
};

/// Spec: frames of protobuf's watches; see `actors_kinds::protobuf::event_frame`.
const PROTOBUF_STREAM: &str = "application/vnd.kubernetes.protobuf;stream=watch";

/// What was asked for is no longer kept. Spec: API concepts, "410 Gone responses".
const EXPIRED: u16 = 410;

/// A batch of this many events is one of many: who is behind does not rest.
const BEHIND: usize = WatchStream::BATCH;

/// What is there so soon had come before.
const AT_ONCE: Duration = Duration::from_millis(1);

/// How one watch writes its events.
struct Writer {
    form: Form,
    kind: Option<Arc<KindFacts>>,
    query: Query,
    registry: Arc<Registry>,
}

/// One watch on its way out.
struct Body {
    events: WatchStream,
    /// What of the last batch was not written yet.
    batch: std::vec::IntoIter<WatchEvent>,
    writer: Writer,
    pieces: Pieces,
    /// Shared with those who watch the same.
    tape: Option<Rc<RefCell<Tape>>>,
    place: Place,
    gone: Gone,
    revocation: Revocation,
    /// Counts among what its connection has under way.
    _underway: Option<Underway>,
    /// Until when it rests.
    rests_until: Option<Instant>,
}

pub(crate) async fn answer(visit: &Visit<'_>, request: Request) -> Result<HttpResponse, ApiError> {
    let target = &request.target;
    let kind =
        visit.parts.registry.served(&target.group, &target.version, &target.resource).cloned();
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
    let crowd = visit.http.app_data::<web::Data<Crowd>>().map(|crowd| crowd.join());
    let tapes = visit.http.app_data::<web::Data<Tapes>>();
    let tape = tapes.and_then(|tapes| tapes.join(what(&request, writer.form)));
    let events = match visit.parts.client.watch(request).await {
        // Whoever watches again from where it was looks for 410 in an event: some clients take it as a code for a fault
        // that passes, and ask for the same revision for ever.
        Err(error) if error.code == EXPIRED => told_once(WatchEvent::Error(error)),
        events => events?,
    };
    let body = Body {
        events,
        batch: Vec::new().into_iter(),
        writer,
        pieces: Pieces::default(),
        tape,
        gone: connection::gone(visit.http),
        revocation: identity::revocation(visit.http, visit.parts),
        _underway: connection::enter(visit.http),
        place: crowd.unwrap_or_else(|| Crowd::default().join()),
        rests_until: None,
    };
    // Proxies must not hold lines back.
    Ok(HttpResponse::Ok()
        .content_type(media)
        .insert_header(("cache-control", "no-cache, private"))
        .streaming(stream::unfold(body, next)))
}

/// What is watched, in what form.
fn what(request: &Request, form: Form) -> String {
    let options = &request.options;
    format!(
        "{form:?} {:?} {:?} {:?}",
        request.target, options.label_selector, options.field_selector
    )
}

/// A stream of one event.
fn told_once(event: WatchEvent) -> WatchStream {
    WatchStream::from_stream(stream::iter([vec![event]]))
}

async fn next(mut body: Body) -> Option<(Result<Bytes, Never>, Body)> {
    loop {
        body.write();
        if let Some(piece) = body.pieces.take() {
            return Some((Ok(piece), body));
        }
        let (rests_until, events) = (body.rests_until.take(), &mut body.events);
        let batch = async {
            if let Some(until) = rests_until {
                sleep_until(until).await;
            }
            let asked = Instant::now();
            let batch = events.next().await?;
            Some((batch, rests_until.is_none() || asked.elapsed() > AT_ONCE))
        };
        let (batch, is_awaited) = tokio::select! {
            biased;
            () = body.gone.wait() => None,
            () = body.revocation.wait() => None,
            batch = batch => batch,
        }?;
        if batch.len() < BEHIND {
            let rest = if is_awaited { body.place.first_rest() } else { body.place.rest() };
            body.rests_until = Some(Instant::now() + rest);
        }
        body.batch = batch.into_iter();
    }
}

impl Body {
    /// Writes what waits, up to a piece.
    fn write(&mut self) {
        if self.batch.as_slice().is_empty() {
            return;
        }
        let now = Clock.now();
        let tape = self.tape.as_deref().filter(|_| self.is_shared());
        while !self.pieces.is_full() {
            let events = self.batch.as_slice();
            let played = tape
                .map_or(0, |tape| tape.borrow().play(events, self.writer.form, &mut self.pieces));
            if let Some(last) = played.checked_sub(1) {
                self.batch.nth(last);
                continue;
            }
            let Some(event) = self.batch.next() else { return };
            self.writer.write(&event, now, (&mut self.pieces, tape));
        }
    }

    /// Whether somebody else watches the same.
    fn is_shared(&self) -> bool {
        self.tape.as_ref().is_some_and(|tape| Rc::strong_count(tape) > 1)
    }
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

    fn write(
        &self,
        event: &WatchEvent,
        now: Now,
        (out, tape): (&mut Pieces, Option<&RefCell<Tape>>),
    ) {
        let (word, entry) = match event {
            WatchEvent::Added(entry) => (Word::Added, entry),
            WatchEvent::Modified(entry) => (Word::Modified, entry),
            WatchEvent::Deleted(entry) => (Word::Deleted, entry),
            WatchEvent::Bookmark(revision, ends_initial) => {
                return self.write_tree("BOOKMARK", &self.mark(revision.0, *ends_initial), out);
            }
            WatchEvent::Error(error) => return self.write_tree("ERROR", &error.to_value(), out),
        };
        // The frame of a change that others hear of too is made once.
        let shared = tape::shared(event, self.form).filter(|(item, _)| item.is_recent());
        let frame = match shared {
            Some((item, form)) => item.form(form, || self.frame(word, entry, now)),
            None if self.form == Form::Json => {
                out.extend(format!("{{\"type\":\"{}\",\"object\":", word.as_str()).as_bytes());
                push_json(entry, out);
                return out.extend(b"}\n");
            }
            None => self.frame(word, entry, now),
        };
        match frame {
            Ok(frame) => {
                if let (Some(tape), Some((item, form))) = (tape, shared) {
                    tape.borrow_mut().record(item, form, &frame);
                }
                out.push(frame);
            }
            // What is stored was checked against the same tables.
            Err(error) => tracing::error!(?word, %error, "an event cannot be written"),
        }
    }

    fn frame(&self, word: Word, entry: &Entry, now: Now) -> Result<Bytes, ApiError> {
        if matches!(self.form, Form::Protobuf | Form::ProtobufMetadata) {
            let body = protobuf::body(&self.registry, entry, self.form)?;
            let body = body.ok_or_else(|| ApiError::internal("it has no protobuf form"))?;
            return Ok(event_frame(word.as_str(), &body).into());
        }
        Ok(line(word.as_str(), &self.object(entry, now)).into())
    }

    /// An event of what is no stored object.
    fn write_tree(&self, word: &str, tree: &Value, out: &mut Pieces) {
        if !matches!(self.form, Form::Protobuf | Form::ProtobufMetadata) {
            return out.push(line(word, &json::to_vec(tree)).into());
        }
        let body = match word {
            "BOOKMARK" => protobuf::body_of_tree(&self.registry, &Object(tree.clone()), self.form),
            _ => protobuf::value(&self.registry, tree),
        };
        match body {
            Ok(Some(body)) => out.push(event_frame(word, &body).into()),
            Ok(None) => tracing::error!(word, "an event has no protobuf form"),
            Err(error) => tracing::error!(word, %error, "an event cannot be written"),
        }
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
    fn mark(&self, revision: u64, ends_initial: bool) -> Value {
        let mut object = Value::Map(Map::default());
        let (kind, version) = match (self.form, &self.kind) {
            (Form::Metadata | Form::ProtobufMetadata, _) => {
                ("PartialObjectMetadata", "meta.k8s.io/v1".to_owned())
            }
            (_, Some(kind)) => (kind.gvk.kind.as_str(), kind.gvk.api_version()),
            (_, None) => ("", String::new()),
        };
        object.set_path(&["kind"], kind);
        object.set_path(&["apiVersion"], version);
        object.set_path(&["metadata", "resourceVersion"], revision.to_string());
        if ends_initial {
            object.set_path(&["metadata", "annotations", "k8s.io/initial-events-end"], "true");
        }
        object
    }
}

/// An event as a line of JSON.
fn line(word: &str, object: &[u8]) -> Vec<u8> {
    let mut line = Vec::with_capacity(object.len() + 40);
    line.extend_from_slice(b"{\"type\":\"");
    line.extend_from_slice(word.as_bytes());
    line.extend_from_slice(b"\",\"object\":");
    line.extend_from_slice(object);
    line.extend_from_slice(b"}\n");
    line
}
