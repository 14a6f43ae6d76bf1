//! A body as an object of the kind that is meant, strictly or with warnings.
//!
//! Way in: [`body`], [`checked`].
//! Spec: Kubernetes documentation, "Kubernetes API Concepts", "Field validation": Strict, Warn,
//! Ignore.

use actors_kinds::{
    conform,
    facts::Shape,
    protobuf::{self, Envelope, ProtobufError},
};
use actors_object::{ApiError, FieldPath, Gvk, Object, Value, json, yaml};

use crate::{FieldValidation, Media, visit::Visit};

/// Most complaints of one request that clients are warned of.
const WARNINGS_MAX: usize = 64;

/// What a request's body must be.
pub(crate) struct Expected<'a> {
    /// The kind.
    pub(crate) gvk: &'a Gvk,
    /// Its shape.
    pub(crate) shape: &'a Shape,
}

/// The media types of bodies.
const SUPPORTED: &str = "application/json, application/yaml, application/vnd.kubernetes.protobuf";

/// Reads the request's body as a tree, whatever it holds: that of a patch.
pub(crate) fn tree(visit: &Visit<'_>) -> Result<json::Parsed, ApiError> {
    let body = &visit.request.body;
    let limits = json::Limits::default();
    let parsed = match body.media {
        Media::Json => json::parse(&body.bytes, limits),
        Media::Yaml => yaml::parse(&body.bytes, limits),
        Media::Protobuf => return Err(ApiError::unsupported_media_type(SUPPORTED)),
    };
    parsed.map_err(|error| match error {
        json::ParseError::TooLarge { .. } => ApiError::too_large(error),
        other => unreadable(&other),
    })
}

fn unreadable(error: &dyn std::fmt::Display) -> ApiError {
    ApiError::bad_request(format!("the body cannot be read: {error}"))
}

/// Reads a body that names its kind beside its content.
fn enveloped(visit: &Visit<'_>, expected: &Expected<'_>) -> Result<json::Parsed, ApiError> {
    let body = &visit.request.body.bytes;
    let limit = json::Limits::default().bytes;
    if body.len() > limit {
        return Err(ApiError::too_large(format!("limit is {limit} bytes")));
    }
    let envelope = Envelope::open(body).map_err(|error| unreadable(&error))?;
    let schema = visit.door.registry.schema();
    let read = protobuf::decode(schema, expected.shape, &envelope.raw);
    let mut value = read.map_err(|error| match error {
        ProtobufError::NoShape => {
            ApiError::unsupported_media_type("application/json, application/yaml")
        }
        other => unreadable(&other),
    })?;
    value.make_map().insert("kind", envelope.kind);
    value.make_map().insert("apiVersion", envelope.api_version);
    Ok(json::Parsed { value, duplicates: Vec::new() })
}

/// Reads the request's body as an object of the expected kind.
pub(crate) fn body(visit: &mut Visit<'_>, expected: &Expected<'_>) -> Result<Object, ApiError> {
    let parsed = match visit.request.body.media {
        Media::Protobuf => enveloped(visit, expected)?,
        Media::Json | Media::Yaml => tree(visit)?,
    };
    if parsed.value.as_map().is_none() {
        return Err(ApiError::bad_request("the body cannot be read: an object is expected"));
    }
    let mut object = Object(parsed.value);
    // What the path says need not be repeated in the body, but it may not be denied.
    for (field, wanted) in
        [("kind", expected.gvk.kind.clone()), ("apiVersion", expected.gvk.api_version())]
    {
        match object.at(field) {
            Value::String(text) if *text == wanted => {}
            Value::String(text) if !text.is_empty() => {
                return Err(mismatch(field, text, &wanted));
            }
            _ => {
                object.0.make_map().insert(field, wanted);
            }
        }
    }
    checked(visit, object, (expected, &parsed.duplicates))
}

fn mismatch(field: &str, found: &str, wanted: &str) -> ApiError {
    ApiError::bad_request(format!(
        "{field} of the body is {found:?}, but the path means {wanted:?}"
    ))
}

/// Checks that a tree has the shape of its kind, complains of what has not as the request wants it,
/// and makes the rest uniform.
pub(crate) fn checked(
    visit: &mut Visit<'_>,
    mut object: Object,
    (expected, duplicates): (&Expected<'_>, &[FieldPath]),
) -> Result<Object, ApiError> {
    let schema = visit.door.registry.schema();
    let (version, kind) = (&expected.gvk.version, &expected.gvk.kind);
    let mut report = conform::check_fields(schema, expected.shape, &object);
    if matches!(expected.shape, Shape::Any) {
        let metadata = visit.door.registry.shape_named("meta.v1.ObjectMeta");
        report = conform::check_fields(schema, &metadata, object.metadata());
        normalize_metadata(visit, &mut object);
    }
    if let Some(refusal) = report.refusal(version, kind) {
        return Err(ApiError::bad_request(refusal));
    }
    let complaints = report.strict_messages(duplicates);
    match visit.request.options.field_validation {
        FieldValidation::Strict if !complaints.is_empty() => {
            let refusal = conform::strict_refusal(version, kind, &complaints);
            return Err(ApiError::bad_request(refusal));
        }
        FieldValidation::Warn => visit.warnings.extend(complaints.into_iter().take(WARNINGS_MAX)),
        FieldValidation::Strict | FieldValidation::Ignore => {}
    }
    conform::normalize(visit.door.registry.schema(), expected.shape, &mut object);
    Ok(object)
}

/// Kinds without a shape of their own still have everybody's metadata.
fn normalize_metadata(visit: &Visit<'_>, object: &mut Object) {
    let shape = visit.door.registry.shape_named("meta.v1.ObjectMeta");
    if let Some(metadata) = object.0.get_mut("metadata") {
        conform::normalize(visit.door.registry.schema(), &shape, metadata);
    }
}
