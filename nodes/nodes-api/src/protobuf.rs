//! Answers in Kubernetes' protobuf form.
//!
//! Way in: [`entry`], [`list`].  Never: a form that only some kinds have; what the tables do not know is answered in
//! JSON.

use actors_kinds::{
    Registry,
    facts::Shape,
    protobuf::{self, Envelope, ProtobufError},
};
use actors_object::{ApiError, Gvk, Object, Value};
use nodes_door::{Entry, List};

use crate::{encode::list_metadata, negotiate::Form};

/// The version of `PartialObjectMetadata`.
const META: &str = "meta.k8s.io/v1";

/// One object as a whole body; `None` if its kind has no protobuf form.
pub(crate) fn entry(
    registry: &Registry,
    entry: &Entry,
    form: Form,
) -> Result<Option<Vec<u8>>, ApiError> {
    let object = entry.object();
    let sealed = |message: Vec<u8>| match form {
        Form::ProtobufMetadata => Envelope::seal(META, "PartialObjectMetadata", &message),
        _ => Envelope::seal(object.api_version(), object.kind(), &message),
    };
    Ok(message(registry, &object, form)?.map(sealed))
}

/// A tree that says its own kind (a Status, a bookmark) as a whole body; `None` if it has no protobuf form.
pub(crate) fn value(registry: &Registry, value: &Value) -> Result<Option<Vec<u8>>, ApiError> {
    let text = |field: &str| value.at(field).as_str().unwrap_or_default();
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    let message = of_kind(registry, (api_version, kind), value)?;
    Ok(message.map(|message| Envelope::seal(api_version, kind, &message)))
}

/// A list as a whole body; `None` if its kind has no protobuf form.
pub(crate) fn list(
    registry: &Registry,
    list: &List,
    form: Form,
) -> Result<Option<Vec<u8>>, ApiError> {
    let mut items = Vec::with_capacity(list.entries.len());
    for entry in &list.entries {
        let Some(message) = message(registry, &entry.object(), form)? else { return Ok(None) };
        items.push(message);
    }
    if items.is_empty() && matches!(list_shape(registry, list), Shape::Any) {
        return Ok(None);
    }
    let shape = registry.shape_named("meta.v1.ListMeta");
    let metadata = protobuf::encode(registry.schema(), &shape, &list_metadata(list));
    let message =
        protobuf::list(&metadata.map_err(ApiError::internal)?, items.iter().map(Vec::as_slice));
    Ok(Some(match form {
        Form::ProtobufMetadata => Envelope::seal(META, "PartialObjectMetadataList", &message),
        _ => Envelope::seal(&list.api_version, &list.kind, &message),
    }))
}

fn list_shape(registry: &Registry, list: &List) -> Shape {
    let gvk = Gvk::from_api_version(&list.api_version, list.kind.trim_end_matches("List"));
    registry.kind(&gvk).map_or(Shape::Any, |kind| kind.shape.clone())
}

fn message(registry: &Registry, object: &Object, form: Form) -> Result<Option<Vec<u8>>, ApiError> {
    if form != Form::ProtobufMetadata {
        return of_kind(registry, (object.api_version(), object.kind()), &object.0);
    }
    let shape = registry.shape_named("meta.v1.ObjectMeta");
    let metadata = protobuf::encode(registry.schema(), &shape, object.0.at("metadata"));
    metadata.map(|metadata| Some(protobuf::partial(&metadata))).map_err(ApiError::internal)
}

fn of_kind(
    registry: &Registry,
    (api_version, kind): (&str, &str),
    tree: &Value,
) -> Result<Option<Vec<u8>>, ApiError> {
    let gvk = Gvk::from_api_version(api_version, kind);
    let served = registry.kind(&gvk).map(|kind| kind.shape.clone());
    let shape = served.or_else(|| registry.schema().shape_of_kind(&gvk)).unwrap_or(Shape::Any);
    match protobuf::encode(registry.schema(), &shape, tree) {
        Ok(message) => Ok(Some(message)),
        Err(ProtobufError::NoShape) => Ok(None),
        Err(error) => Err(ApiError::internal(error)),
    }
}
