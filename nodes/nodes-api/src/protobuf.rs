//! Objects in Kubernetes' protobuf form.
//!
//! Way in: [`entry`], [`Messages`].  Never: a form that only some kinds have; what the tables do not know is answered in
//! JSON.  What is made of a stored version is kept with it (`forms`), but not a list's items: of those only how long they
//! are.

use actors_kinds::{
    KindFacts, Registry,
    facts::{Schema, Shape},
    protobuf::{self, Canonical, Envelope, ProtobufError, Stencils, transcode},
};
use actors_object::{ApiError, Gvk, Object, Value};
use bytes::Bytes;
use nodes_door::{Entry, List};
use store_catalog::Item;

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
    kept_or(entry, kept, || of_entry(registry, entry, form, sealed))
}

/// The same, which is not kept.
pub(crate) fn body(
    registry: &Registry,
    entry: &Entry,
    form: Form,
) -> Result<Option<Vec<u8>>, ApiError> {
    or_none(of_entry(registry, entry, form, sealed))
}

/// A tree as a whole body, which is not kept; `None` if its kind has no protobuf form.
pub(crate) fn body_of_tree(
    registry: &Registry,
    object: &Object,
    form: Form,
) -> Result<Option<Vec<u8>>, ApiError> {
    or_none(of_tree(registry, object, form, sealed))
}

fn sealed((api_version, kind): (&str, &str), message: Vec<u8>) -> Vec<u8> {
    Envelope::seal(api_version, kind, &message)
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

/// Makes the items of one list.
#[derive(Debug)]
pub(crate) struct Messages {
    form: Form,
    stencils: Stencils,
}

impl Messages {
    /// Of nothing yet.
    pub(crate) fn new(form: Form) -> Self {
        Self { form, stencils: Stencils::default() }
    }

    /// Which form that is.
    pub(crate) fn form(&self) -> Form {
        self.form
    }

    /// Adds one object as an item of the list; whether its kind has a protobuf form.
    pub(crate) fn write(
        &mut self,
        registry: &Registry,
        entry: &Entry,
        out: &mut Vec<u8>,
    ) -> Result<bool, ApiError> {
        let item = self.stored(entry);
        let written = item.and_then(|item| {
            of_canonical(registry, item, |stored, of| self.stencils.write(stored, of, out))
        });
        if written.is_some() {
            return Ok(true);
        }
        let message = self.by_tree(registry, entry)?;
        message.as_ref().inspect(|message| out.extend_from_slice(message));
        Ok(message.is_some())
    }

    /// How many bytes [`Messages::write`] adds, which is remembered; `None` if the kind has no protobuf form.
    pub(crate) fn len(
        &mut self,
        registry: &Registry,
        entry: &Entry,
    ) -> Result<Option<usize>, ApiError> {
        let known = known_len(entry, self.form);
        if known.is_some() {
            return Ok(known);
        }
        let counted = self.stored(entry).and_then(|item| {
            let len = of_canonical(registry, item, |stored, of| self.stencils.len(stored, of));
            len.inspect(|len| item.note(message_form(self.form), *len))
        });
        match counted {
            Some(len) => Ok(Some(len)),
            None => Ok(self.by_tree(registry, entry)?.map(|message| message.len())),
        }
    }

    /// The version of what may be written without its tree.
    fn stored<'e>(&self, entry: &'e Entry) -> Option<&'e Item> {
        match entry {
            Entry::Stored(item) if self.form == Form::Protobuf => Some(item),
            _ => None,
        }
    }

    fn by_tree(&self, registry: &Registry, entry: &Entry) -> Result<Option<Bytes>, ApiError> {
        let make = || of_entry(registry, entry, self.form, |_, message| message);
        kept_or(entry, message_form(self.form), make)
    }
}

/// How long an item of a list is, if that is known.
pub(crate) fn known_len(entry: &Entry, form: Form) -> Option<usize> {
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
    make: impl FnOnce() -> Result<Vec<u8>, NoMessage>,
) -> Result<Option<Bytes>, ApiError> {
    let make = || make().map(Bytes::from);
    or_none(match entry {
        Entry::Stored(item) => item.form(kept, make),
        Entry::Made(_) => make(),
    })
}

fn or_none<T>(made: Result<T, NoMessage>) -> Result<Option<T>, ApiError> {
    match made {
        Ok(made) => Ok(Some(made)),
        Err(NoMessage::NoShape) => Ok(None),
        Err(NoMessage::Failed(error)) => Err(error),
    }
}

/// What `finish` makes of an entry's version, kind and message.
fn of_entry<T>(
    registry: &Registry,
    entry: &Entry,
    form: Form,
    finish: impl FnOnce((&str, &str), Vec<u8>) -> T,
) -> Result<T, NoMessage> {
    let Entry::Stored(item) = entry else {
        return of_tree(registry, &entry.object(), form, finish);
    };
    let direct = match form {
        Form::ProtobufMetadata => None,
        _ => of_stored(registry, item, transcode),
    };
    if let Some((kind, message)) = direct {
        return Ok(finish((&kind.gvk.api_version(), &kind.gvk.kind), message));
    }
    let object =
        item.read_object().map_err(|error| NoMessage::Failed(ApiError::internal(error)))?;
    of_tree(registry, &object, form, finish)
}

/// What is made of a stored version without its tree; `None` where that cannot be.
fn of_stored<'r, T>(
    registry: &'r Registry,
    item: &Item,
    make: impl FnOnce(&Schema, &Shape, Canonical<'_>) -> Option<T>,
) -> Option<(&'r KindFacts, T)> {
    let (json, revision_at) = item.canonical().ok()?;
    let revision = item.revision().to_string();
    let stored = Canonical { json: &json, revision_at, revision: &revision };
    let kind = kind_of(registry, stored)?;
    Some((kind, make(registry.schema(), &kind.shape, stored)?))
}

/// The same by what says the kind where that is not known by other means.
fn of_canonical<'r, T>(
    registry: &'r Registry,
    item: &Item,
    make: impl FnOnce(Canonical<'_>, &dyn Fn() -> Option<(&'r Schema, &'r Shape)>) -> Option<T>,
) -> Option<T> {
    let (json, revision_at) = item.canonical().ok()?;
    let revision = item.revision().to_string();
    let stored = Canonical { json: &json, revision_at, revision: &revision };
    let of = || Some((registry.schema(), &kind_of(registry, stored)?.shape));
    make(stored, &of)
}

fn kind_of<'r>(registry: &'r Registry, stored: Canonical<'_>) -> Option<&'r KindFacts> {
    let (api_version, kind) = stored.kind()?;
    registry.kind_named(api_version, kind)
}

fn of_tree<T>(
    registry: &Registry,
    object: &Object,
    form: Form,
    finish: impl FnOnce((&str, &str), Vec<u8>) -> T,
) -> Result<T, NoMessage> {
    let message = encode(registry, object, form)?;
    let kind = match form {
        Form::ProtobufMetadata => (META, "PartialObjectMetadata"),
        _ => (object.api_version(), object.kind()),
    };
    Ok(finish(kind, message))
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
