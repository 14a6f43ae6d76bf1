//! Answers as bytes: objects as they are stored, lists around them, errors as `metav1.Status`.
//!
//! Way in: [`response`].  Never: a second encoding of what is stored.

use actix_web::{HttpResponse, http::StatusCode};
use actors_core::Now;
use actors_kinds::KindFacts;
use actors_object::{ApiError, Map, Object, Value, json};
use bytes::Bytes;
use nodes_door::{Entry, List, Response, ResponseBody};

use crate::{edge::Visit, lists, negotiate::Form, pieces::Pieces, protobuf, table};

/// The JSON of one entry.
pub(crate) fn entry_json(entry: &Entry) -> Bytes {
    match entry {
        Entry::Stored(item) => item.bytes_with_rv(),
        Entry::Made(object) => json::to_vec(&object.0).into(),
    }
}

/// Writes the JSON of one entry; of what is large nothing is copied.
pub(crate) fn push_json(entry: &Entry, out: &mut Pieces) {
    match entry {
        Entry::Stored(item) => match item.pieces() {
            Ok(pieces) => pieces.into_iter().for_each(|piece| out.push(piece)),
            // As everywhere: one version that cannot be read does not stop all the others.
            Err(_) => out.extend(b"{}"),
        },
        Entry::Made(object) => out.push(json::to_vec(&object.0).into()),
    }
}

/// The metadata of one entry alone: `metav1.PartialObjectMetadata`.
pub(crate) fn metadata_json(object: &Object) -> Value {
    let mut partial = Value::Map(Map::default());
    partial.set_path(&["kind"], "PartialObjectMetadata");
    partial.set_path(&["apiVersion"], "meta.k8s.io/v1");
    partial.set_path(&["metadata"], object.0.at("metadata").clone());
    partial
}

/// The door's answer in the form that the client wants.
pub(crate) async fn response(
    mut answer: Response,
    visit: &Visit<'_>,
    kind: Option<&KindFacts>,
    now: Now,
) -> Result<HttpResponse, ApiError> {
    let code = StatusCode::from_u16(answer.code).unwrap_or(StatusCode::OK);
    let warnings = std::mem::take(&mut answer.warnings);
    let http = match answer.body {
        ResponseBody::Error(error) => self::error(&error),
        ResponseBody::List(list) => {
            if protobuf_alone(visit) && !protobuf::has_shape(&visit.parts.registry, &list) {
                return Err(ApiError::not_acceptable("application/json"));
            }
            lists::answer(HttpResponse::build(code), list, visit, (kind, now)).await?
        }
        body => {
            let (media, bytes) = single(&body, visit, kind, now)?;
            HttpResponse::build(code).content_type(media).body(bytes)
        }
    };
    Ok(with_warnings(http, &warnings))
}

/// The answer with one object, or with a Status, and its media type.
fn single(
    body: &ResponseBody,
    visit: &Visit<'_>,
    kind: Option<&KindFacts>,
    now: Now,
) -> Result<(&'static str, Bytes), ApiError> {
    if let Some(bytes) = in_protobuf(body, visit)? {
        return Ok((visit.form.content_type(), bytes));
    }
    let bytes: Bytes = match (body, visit.form, kind) {
        (ResponseBody::Success(value), _, _) => json::to_vec(value).into(),
        (ResponseBody::Entry(entry), Form::Table, Some(kind)) if has_metadata(entry) => {
            table::of_entries(kind, std::slice::from_ref(entry), &visit.query, now).into()
        }
        (ResponseBody::Entry(entry), Form::Metadata, _) => {
            json::to_vec(&metadata_json(&entry.object())).into()
        }
        (ResponseBody::Entry(_), Form::Table, _) if !accepts_json(visit) => {
            return Err(ApiError::not_acceptable("application/json"));
        }
        (ResponseBody::Entry(entry), _, _) => entry_json(entry),
        _ => return Err(ApiError::internal("an answer without an object")),
    };
    Ok((Form::Json.content_type(), bytes))
}

/// The answer in protobuf, if the client wants that and the kind has that form.
fn in_protobuf(body: &ResponseBody, visit: &Visit<'_>) -> Result<Option<Bytes>, ApiError> {
    let (registry, form) = (&visit.parts.registry, visit.form);
    if !matches!(form, Form::Protobuf | Form::ProtobufMetadata) {
        return Ok(None);
    }
    let bytes = match body {
        ResponseBody::Success(value) => protobuf::value(registry, value)?.map(Bytes::from),
        ResponseBody::Entry(entry) => protobuf::entry(registry, entry, form)?,
        _ => return Ok(None),
    };
    match bytes {
        None if !accepts_json(visit) => Err(ApiError::not_acceptable("application/json")),
        bytes => Ok(bytes),
    }
}

/// Whether nothing but protobuf is accepted.
fn protobuf_alone(visit: &Visit<'_>) -> bool {
    visit.form == Form::Protobuf && !accepts_json(visit)
}

fn has_metadata(entry: &Entry) -> bool {
    !entry.object().name().is_empty()
}

/// Whether plain JSON is accepted behind the Table. Spec: without it, an answer that is no table is 406.
fn accepts_json(visit: &Visit<'_>) -> bool {
    let accept = visit
        .http
        .headers()
        .get("accept")
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    accept
        .split(',')
        .any(|item| matches!(item.trim(), "application/json" | "*/*" | "application/*"))
}

/// `metav1.ListMeta` of a list.
pub(crate) fn list_metadata(list: &List) -> Value {
    let mut metadata = Value::Map(Map::default());
    metadata.set_path(&["resourceVersion"], list.revision.0.to_string());
    if let Some(token) = &list.continue_token {
        metadata.set_path(&["continue"], token.clone());
    }
    if let Some(remaining) = list.remaining {
        metadata.set_path(
            &["remainingItemCount"],
            Value::Int(i64::try_from(remaining).unwrap_or(i64::MAX)),
        );
    }
    metadata
}

/// An error as its Status.
pub(crate) fn error(error: &ApiError) -> HttpResponse {
    let code = StatusCode::from_u16(error.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(code);
    let retry = error.details.as_ref().map_or(0, |details| details.retry_after_seconds);
    if retry > 0 {
        response.insert_header(("retry-after", retry.to_string()));
    }
    if error.code == 408 {
        // What comes on this connection next is the rest of a body.
        response.force_close();
    }
    response.content_type(Form::Json.content_type()).body(json::to_vec(&error.to_value()))
}

/// Adds one `Warning: 299 - "text"` header a sentence, each sentence once.
fn with_warnings(mut http: HttpResponse, warnings: &[String]) -> HttpResponse {
    let mut told: Vec<&str> = Vec::new();
    for text in warnings {
        if told.contains(&text.as_str()) {
            continue;
        }
        told.push(text);
        let quoted = text.replace('\\', "\\\\").replace('"', "\\\"");
        let name = actix_web::http::header::HeaderName::from_static("warning");
        if let Ok(value) =
            actix_web::http::header::HeaderValue::from_str(&format!("299 - \"{quoted}\""))
        {
            http.headers_mut().append(name, value);
        }
    }
    http
}
