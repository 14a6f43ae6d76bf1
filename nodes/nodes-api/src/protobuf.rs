//! Objects in Kubernetes' protobuf form.
//!
//! Way in: [`entry`], [`message`].  Never: a form that only some kinds have; what the tables do not know is answered in
//! JSON.  What is made of a stored version is kept with it (`forms`).

use actors_kinds::{
    Registry,
    facts::Shape,
    protobuf::{self, Envelope, ProtobufError},
};
use actors_object::{ApiError, Gvk, Object, Value};
use bytes::Bytes;
use nodes_door::{Entry, List};

use crate::{forms, negotiate::Form};

/// The version of `PartialObjectMetadata`.
pub(crate) const META: &str = "meta.k8s.io/v1";

/// Why there is no message: none for the kind, or a failure.
enum NoMessage {
    NoShape,
    Failed(ApiError),
}

/// One object as a whole body; `None` if its kind has no protobuf form.
pub(crate) fn entry(
    registry: &Registry,
    entry: &Entry,
    form: Form,
) -> Result<Option<Bytes>, ApiError> {
    let kept = match form {
        Form::ProtobufMetadata => forms::METADATA_BODY,
        _ => forms::BODY,
    };
    kept_or(entry, kept, |object| sealed(registry, object, form))
}

/// A tree as a whole body, which is not kept; `None` if its kind has no protobuf form.
pub(crate) fn body(
    registry: &Registry,
    object: &Object,
    form: Form,
) -> Result<Option<Vec<u8>>, ApiError> {
    match sealed(registry, object, form) {
        Ok(body) => Ok(Some(body)),
        Err(NoMessage::NoShape) => Ok(None),
        Err(NoMessage::Failed(error)) => Err(error),
    }
}

fn sealed(registry: &Registry, object: &Object, form: Form) -> Result<Vec<u8>, NoMessage> {
    let message = encode(registry, object, form)?;
    Ok(match form {
        Form::ProtobufMetadata => Envelope::seal(META, "PartialObjectMetadata", &message),
        _ => Envelope::seal(object.api_version(), object.kind(), &message),
    })
}

/// A tree that says its own kind (a Status, a bookmark) as a whole body; `None` if it has no protobuf form.
pub(crate) fn value(registry: &Registry, value: &Value) -> Result<Option<Vec<u8>>, ApiError> {
    let text = |field: &str| value.at(field).as_str().unwrap_or_default();
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    match of_kind(registry, (api_version, kind), value) {
        Ok(message) => Ok(Some(Envelope::seal(api_version, kind, &message))),
        Err(NoMessage::NoShape) => Ok(None),
        Err(NoMessage::Failed(error)) => Err(error),
    }
}

/// One object as an item of a list; `None` if its kind has no protobuf form.
pub(crate) fn message(
    registry: &Registry,
    entry: &Entry,
    form: Form,
) -> Result<Option<Bytes>, ApiError> {
    kept_or(entry, message_form(form), |object| encode(registry, object, form))
}

/// How long [`message`] is, if it was made before.
pub(crate) fn message_len(entry: &Entry, form: Form) -> Option<usize> {
    match entry {
        Entry::Stored(item) => item.form_len(message_form(form)),
        Entry::Made(_) => None,
    }
}

/// Whether the objects of a list have a protobuf form.
pub(crate) fn has_shape(registry: &Registry, list: &List) -> bool {
    !matches!(list_shape(registry, list), Shape::Any)
}

fn message_form(form: Form) -> store_catalog::Form {
    match form {
        Form::ProtobufMetadata => forms::METADATA_MESSAGE,
        _ => forms::MESSAGE,
    }
}

/// What was made of a stored version before, or is made now and kept with it.
fn kept_or(
    entry: &Entry,
    kept: store_catalog::Form,
    make: impl FnOnce(&Object) -> Result<Vec<u8>, NoMessage>,
) -> Result<Option<Bytes>, ApiError> {
    let made = match entry {
        Entry::Stored(item) => item.form(kept, || {
            let object =
                item.read_object().map_err(|error| NoMessage::Failed(ApiError::internal(error)))?;
            make(&object).map(Bytes::from)
        }),
        Entry::Made(object) => make(object).map(Bytes::from),
    };
    match made {
        Ok(bytes) => Ok(Some(bytes)),
        Err(NoMessage::NoShape) => Ok(None),
        Err(NoMessage::Failed(error)) => Err(error),
    }
}

fn list_shape(registry: &Registry, list: &List) -> Shape {
    let gvk = Gvk::from_api_version(&list.api_version, list.kind.trim_end_matches("List"));
    registry.kind(&gvk).map_or(Shape::Any, |kind| kind.shape.clone())
}

fn encode(registry: &Registry, object: &Object, form: Form) -> Result<Vec<u8>, NoMessage> {
    if form != Form::ProtobufMetadata {
        return of_kind(registry, (object.api_version(), object.kind()), &object.0);
    }
    let shape = registry.shape_named("meta.v1.ObjectMeta");
    let metadata = protobuf::encode(registry.schema(), &shape, object.0.at("metadata"));
    let metadata = metadata.map_err(|error| NoMessage::Failed(ApiError::internal(error)))?;
    Ok(protobuf::partial(&metadata))
}

fn of_kind(
    registry: &Registry,
    (api_version, kind): (&str, &str),
    tree: &Value,
) -> Result<Vec<u8>, NoMessage> {
    let gvk = Gvk::from_api_version(api_version, kind);
    let served = registry.kind(&gvk).map(|kind| kind.shape.clone());
    let shape = served.or_else(|| registry.schema().shape_of_kind(&gvk)).unwrap_or(Shape::Any);
    protobuf::encode(registry.schema(), &shape, tree).map_err(|error| match error {
        ProtobufError::NoShape => NoMessage::NoShape,
        error => NoMessage::Failed(ApiError::internal(error)),
    })
}
