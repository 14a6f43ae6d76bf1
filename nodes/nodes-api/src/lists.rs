//! Lists, written in pieces as fast as the connection takes them.
//!
//! Way in: [`answer`].  Never: the whole of a list at once: what is held is where its objects are in the
//! snapshot, and a piece or two. In protobuf, how long the whole is stands first, so that all objects are measured before
//! the first byte: most of them by comparing them with one another (`actors_kinds::protobuf::Stencils`).
//! Spec: KEP-5116 for JSON and protobuf; Tables and metadata likewise.

use std::{num::NonZero, sync::Arc, thread::available_parallelism};

use actix_web::{HttpResponse, HttpResponseBuilder, web};
use actors_core::Now;
use actors_kinds::{
    KindFacts, Registry,
    protobuf::{self as wire, ListPieces},
};
use actors_object::{ApiError, Map, Value, json};
use bytes::Bytes;
use futures_util::{future::join_all, stream};
use nodes_door::{Entry, List};

use crate::{
    edge::Visit,
    encode::{list_metadata, metadata_json, push_json},
    negotiate::Form,
    pieces::Pieces,
    protobuf::{self, Messages},
    table,
};

/// So many objects are measured while others wait.
const FEW: usize = 256;

/// Most threads that measure one list.
const PARTS_MAX: usize = 4;

/// How the objects of a list are written.
enum Writer {
    Json,
    Metadata,
    Table { kind: Box<KindFacts>, include: String, now: Now },
    Protobuf(Box<Protobuf>),
}

/// What writes items of protobuf, whose lengths were promised.
struct Protobuf {
    registry: Arc<Registry>,
    messages: Messages,
    lens: std::vec::IntoIter<usize>,
    /// The message that was written last.
    last: Vec<u8>,
}

/// A list on its way out.
struct Body {
    writer: Writer,
    entries: std::vec::IntoIter<Entry>,
    pieces: Pieces,
    tail: Option<Bytes>,
    is_first: bool,
}

/// Why a list breaks off: the client sees a connection that ends too early.
#[derive(Debug, thiserror::Error)]
#[error("the list cannot be finished: {0}")]
struct Broken(String);

/// The answer with a list, begun in pieces where it is large.
pub(crate) async fn answer(
    mut http: HttpResponseBuilder,
    mut list: List,
    visit: &Visit<'_>,
    (kind, now): (Option<&KindFacts>, Now),
) -> Result<HttpResponse, ApiError> {
    let registry = &visit.parts.registry;
    let protobuf = match visit.form {
        Form::Protobuf | Form::ProtobufMetadata => {
            Sized::of(registry, &mut list, visit.form).await?
        }
        _ => None,
    };
    let mut pieces = Pieces::default();
    let (writer, tail) = match (visit.form, kind, protobuf) {
        (form, _, Some(sized)) => {
            pieces.push(sized.head.into());
            let writer = Protobuf {
                registry: Arc::clone(registry),
                messages: Messages::new(form),
                lens: sized.lens.into_iter(),
                last: Vec::new(),
            };
            (Writer::Protobuf(Box::new(writer)), Bytes::from_static(&ListPieces::TAIL))
        }
        (Form::Table, Some(kind), _) => {
            pieces.push(open(&table::head(kind, list_metadata(&list)), "rows").into());
            let include = table::include(&visit.query);
            let kind = Box::new(kind.clone());
            (Writer::Table { kind, include, now }, Bytes::from_static(b"]}"))
        }
        (Form::Metadata | Form::ProtobufMetadata, _, _) => {
            pieces.push(open(&head(&list, Form::Metadata), "items").into());
            (Writer::Metadata, Bytes::from_static(b"]}"))
        }
        (form, _, _) => {
            pieces.push(open(&head(&list, form), "items").into());
            (Writer::Json, Bytes::from_static(b"]}"))
        }
    };
    let media = match &writer {
        Writer::Protobuf(writer) => writer.messages.form().content_type(),
        _ => Form::Json.content_type(),
    };
    http.content_type(media);
    let entries = std::mem::take(&mut list.entries).into_iter();
    let mut body = Body { writer, entries, pieces, tail: Some(tail), is_first: true };
    let first = body.next_piece().map_err(ApiError::internal)?.unwrap_or_default();
    if body.tail.is_none() && !body.pieces.is_full() {
        return Ok(http.body(first));
    }
    let rest = stream::unfold(Some(body), |body| async {
        let mut body = body?;
        match body.next_piece() {
            Ok(piece) => piece.map(|piece| (Ok(piece), Some(body))),
            Err(error) => {
                tracing::error!(%error, "a list breaks off");
                Some((Err(error), None))
            }
        }
    });
    let first = stream::iter([Ok::<_, Broken>(first)]);
    Ok(http.streaming(Box::pin(futures_util::StreamExt::chain(first, rest))))
}

/// A tree's JSON up to a list that is its last field.
fn open(tree: &Value, field: &str) -> Vec<u8> {
    let mut bytes = json::to_vec(tree);
    // The closing brace comes back behind the list.
    bytes.pop();
    bytes.extend_from_slice(format!(",\"{field}\":[").as_bytes());
    bytes
}

fn head(list: &List, form: Form) -> Value {
    let mut head = Value::Map(Map::default());
    let (kind, version) = match form {
        Form::Metadata => ("PartialObjectMetadataList", "meta.k8s.io/v1"),
        _ => (list.kind.as_str(), list.api_version.as_str()),
    };
    head.set_path(&["kind"], kind);
    head.set_path(&["apiVersion"], version);
    head.set_path(&["metadata"], list_metadata(list));
    head
}

impl Body {
    /// The next piece; `None` at the end.
    fn next_piece(&mut self) -> Result<Option<Bytes>, Broken> {
        while !self.pieces.is_full() {
            let Some(entry) = self.entries.next() else {
                if let Some(tail) = self.tail.take() {
                    self.pieces.push(tail);
                }
                break;
            };
            self.write(&entry)?;
        }
        Ok(self.pieces.take())
    }

    fn write(&mut self, entry: &Entry) -> Result<(), Broken> {
        if let Writer::Protobuf(writer) = &mut self.writer {
            return writer.write(entry, &mut self.pieces);
        }
        if !std::mem::replace(&mut self.is_first, false) {
            self.pieces.extend(b",");
        }
        match &self.writer {
            Writer::Table { kind, include, now } => {
                self.pieces.push(json::to_vec(&table::row(kind, entry, include, *now)).into());
            }
            Writer::Metadata => {
                self.pieces.push(json::to_vec(&metadata_json(&entry.read_object())).into());
            }
            _ => push_json(entry, &mut self.pieces),
        }
        Ok(())
    }
}

impl Protobuf {
    fn write(&mut self, entry: &Entry, out: &mut Pieces) -> Result<(), Broken> {
        self.last.clear();
        let written = self.messages.write(&self.registry, entry, &mut self.last);
        if !written.map_err(|error| Broken(error.to_string()))? {
            return Err(Broken("an object has no such form".to_owned()));
        }
        if self.lens.next() != Some(self.last.len()) {
            return Err(Broken("an object has another length than before".to_owned()));
        }
        out.extend(&ListPieces::item_head(self.last.len()));
        out.extend(&self.last);
        Ok(())
    }
}

/// A list in protobuf whose length is known.
struct Sized {
    head: Vec<u8>,
    lens: Vec<usize>,
}

impl Sized {
    /// Adds up a list; `None` if its kind has no protobuf form.
    async fn of(
        registry: &Arc<Registry>,
        list: &mut List,
        form: Form,
    ) -> Result<Option<Self>, ApiError> {
        if list.entries.is_empty() && !protobuf::has_shape(registry, list) {
            return Ok(None);
        }
        let shape = registry.shape_named("meta.v1.ListMeta");
        let metadata = wire::encode(registry.schema(), &shape, &list_metadata(list));
        let mut sum = ListPieces::new(&metadata.map_err(ApiError::internal)?);
        let Some(lens) = lens(registry, list, form).await? else { return Ok(None) };
        lens.iter().for_each(|len| sum.count(*len));
        let (api_version, kind) = match form {
            Form::ProtobufMetadata => (protobuf::META, "PartialObjectMetadataList"),
            _ => (list.api_version.as_str(), list.kind.as_str()),
        };
        Ok(Some(Self { head: sum.head(api_version, kind), lens }))
    }
}

/// How long each object's message is. Of many that nobody asked for yet each processor counts a part, on threads that
/// nobody else waits for.
async fn lens(
    registry: &Arc<Registry>,
    list: &mut List,
    form: Form,
) -> Result<Option<Vec<usize>>, ApiError> {
    let unknown = |entry: &&Entry| protobuf::known_len(entry, form).is_none();
    if list.entries.iter().filter(unknown).nth(FEW).is_none() {
        return counted(registry, &list.entries, form);
    }
    let entries = Arc::new(std::mem::take(&mut list.entries));
    let parts = available_parallelism().map_or(1, NonZero::get).min(PARTS_MAX);
    let share = entries.len().div_ceil(parts);
    let parts = (0..parts).map(|part| {
        let (registry, entries) = (Arc::clone(registry), Arc::clone(&entries));
        web::block(move || {
            let own = entries.chunks(share).nth(part).unwrap_or_default();
            counted(&registry, own, form)
        })
    });
    let mut lens = Vec::with_capacity(entries.len());
    let mut all = true;
    for part in join_all(parts).await {
        match part.map_err(ApiError::internal)?? {
            Some(more) => lens.extend(more),
            None => all = false,
        }
    }
    list.entries = Arc::unwrap_or_clone(entries);
    Ok(all.then_some(lens))
}

fn counted(
    registry: &Registry,
    entries: &[Entry],
    form: Form,
) -> Result<Option<Vec<usize>>, ApiError> {
    let mut messages = Messages::new(form);
    entries.iter().map(|entry| messages.len(registry, entry)).collect()
}
