//! Objects in Kubernetes' protobuf form: from bytes to the tree and back, by the fact table alone.
//!
//! Way in: [`decode`], [`encode`] for one message; [`Envelope`] for what stands around a body.
//! Never: code of one kind; a kind that is one row of the table is transcoded too.
//! Bounds: those of trees that are read from JSON ([`json::Limits`]).
//! Spec: Kubernetes documentation, "Kubernetes API Concepts", "Kubernetes Protobuf encoding"; protobuf's encoding guide
//! (proto2).

mod cursor;
mod decode;
mod direct;
mod encode;
mod pieces;
mod recording;
mod scalars;
mod stencil;
mod stencils;
#[cfg(test)]
mod tests;
pub(crate) mod wire;

use actors_object::{Value, json};
use bytes::Bytes;

pub use pieces::ListPieces;
pub use stencils::Stencils;

use crate::facts::{Schema, Shape};

/// Messages may be nested this deep: no deeper than trees may be.
const DEPTH_MAX: usize = json::Limits::DEPTH;

/// The four bytes that every body begins with.
pub const MAGIC: &[u8; 4] = b"k8s\0";

/// Bytes or a tree that have no other form. The client acts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProtobufError {
    /// The body does not begin as every body of this form does.
    #[error("the body does not begin with the four bytes \"k8s\\0\"")]
    NoMagic,
    /// The bytes end in the midst of a field, or are no protobuf at all.
    #[error("the bytes of {at} are no protobuf: {what}")]
    Damaged {
        /// The field, as far as it is known.
        at: String,
        /// What is wrong.
        what: &'static str,
    },
    /// A value has another type than its field.
    #[error("{at} cannot be written as protobuf: {what}")]
    Mismatch {
        /// The field.
        at: String,
        /// What is wrong.
        what: &'static str,
    },
    /// The kind has no protobuf form: its shape is not in the table.
    #[error("this kind has no protobuf form")]
    NoShape,
}

impl ProtobufError {
    fn damaged(at: &str, what: &'static str) -> Self {
        Self::Damaged { at: at.to_owned(), what }
    }

    fn mismatch(at: &str, what: &'static str) -> Self {
        Self::Mismatch { at: at.to_owned(), what }
    }
}

/// What stands around a message: its kind. Spec: `k8s.io/apimachinery/pkg/runtime.Unknown`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Envelope {
    /// `apps/v1`.
    pub api_version: String,
    /// `Deployment`.
    pub kind: String,
    /// The message.
    pub raw: Bytes,
}

impl Envelope {
    /// Takes the envelope off a body.
    ///
    /// # Errors
    /// [`ProtobufError::NoMagic`], or bytes that are no envelope.
    pub fn open(body: &Bytes) -> Result<Self, ProtobufError> {
        if !body.starts_with(MAGIC) {
            return Err(ProtobufError::NoMagic);
        }
        let at = "the envelope";
        let mut envelope = Self::default();
        let mut fields = wire::Reader::new(body.get(MAGIC.len()..).unwrap_or_default(), at);
        while let Some((number, field)) = fields.next()? {
            match number {
                1 => {
                    let mut inner = wire::Reader::new(field.bytes(at)?, at);
                    while let Some((number, field)) = inner.next()? {
                        match number {
                            1 => envelope.api_version = field.text(at)?.to_owned(),
                            2 => envelope.kind = field.text(at)?.to_owned(),
                            _ => {}
                        }
                    }
                }
                2 => envelope.raw = body.slice_ref(field.bytes(at)?),
                _ => {}
            }
        }
        Ok(envelope)
    }

    /// Puts the envelope around a message.
    #[must_use]
    pub fn seal(api_version: &str, kind: &str, message: &[u8]) -> Vec<u8> {
        let mut facts = wire::Writer::<Vec<u8>>::default();
        facts.bytes(1, api_version.as_bytes());
        facts.bytes(2, kind.as_bytes());
        let mut out = wire::Writer::with_capacity(MAGIC.len() + message.len() + 64);
        out.raw(MAGIC);
        out.bytes(1, facts.as_slice());
        out.bytes(2, message);
        // Neither encoding nor type of the content differs from the usual ones.
        out.bytes(3, b"");
        out.bytes(4, b"");
        out.into_inner()
    }
}

/// A list's message: its metadata, a message already, and its items' messages.
/// Spec: every list type of Kubernetes' `generated.proto` files: `metadata = 1`, `items = 2`.
#[must_use]
pub fn list<'a>(metadata: &[u8], items: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut out = wire::Writer::<Vec<u8>>::default();
    out.bytes(1, metadata);
    for item in items {
        out.bytes(2, item);
    }
    out.into_inner()
}

/// The message of an object's metadata alone: `metav1.PartialObjectMetadata`.
#[must_use]
pub fn partial(metadata: &[u8]) -> Vec<u8> {
    list(metadata, [])
}

/// One event of a watch, as one frame of the stream: four bytes of length, the highest first, then
/// `metav1.WatchEvent`; `object` is a whole body with its envelope.
#[must_use]
pub fn event_frame(word: &str, object: &[u8]) -> Vec<u8> {
    let mut raw = wire::Writer::with_capacity(object.len() + 8);
    raw.bytes(1, object);
    let mut event = wire::Writer::with_capacity(object.len() + 32);
    event.bytes(1, word.as_bytes());
    event.bytes(2, raw.as_slice());
    let mut frame = wire::Writer::with_capacity(object.len() + 40);
    let length = u32::try_from(event.as_slice().len()).unwrap_or(u32::MAX);
    frame.raw(&length.to_be_bytes());
    frame.raw(event.as_slice());
    frame.into_inner()
}

/// Reads a message of this shape as a tree, its fields in canonical order. Numbers that the table does not know are
/// skipped, as protobuf wants it.
///
/// # Errors
/// Bytes that are no such message.
pub fn decode(schema: &Schema, shape: &Shape, message: &[u8]) -> Result<Value, ProtobufError> {
    let tree = decode::message(schema, shape, message)?;
    match tree.depth() <= json::Limits::DEPTH {
        true => Ok(tree),
        false => Err(ProtobufError::damaged("the message", "it is nested too deep")),
    }
}

/// A stored version of an object.
#[derive(Debug, Clone, Copy)]
pub struct Canonical<'a> {
    /// Its canonical JSON, without `metadata.resourceVersion`.
    pub json: &'a [u8],
    /// The place in there where that field belongs: right behind another field of the metadata.
    pub revision_at: usize,
    /// What it says.
    pub revision: &'a str,
}

impl<'a> Canonical<'a> {
    /// The version and the kind that it names first: `apps/v1`, `Deployment`.
    #[must_use]
    pub fn kind(&self) -> Option<(&'a str, &'a str)> {
        let (kind, rest) = text_behind(self.json, b"{\"kind\":\"")?;
        let (api_version, _) = text_behind(rest, b"\",\"apiVersion\":\"")?;
        Some((api_version, kind))
    }
}

/// The text from behind these bytes up to the next quote, and what follows.
fn text_behind<'a>(json: &'a [u8], before: &[u8]) -> Option<(&'a str, &'a [u8])> {
    let rest = json.strip_prefix(before)?;
    let (text, rest) = rest.split_at(json::plain_len(rest));
    Some((std::str::from_utf8(text).ok()?, rest))
}

/// Writes a stored version as [`encode`] writes its tree, several times as fast. Nothing if the JSON is not canonical, or
/// holds what is rarely stored: then the tree is needed.
#[must_use]
pub fn transcode(schema: &Schema, shape: &Shape, stored: Canonical<'_>) -> Option<Vec<u8>> {
    let mut message: Vec<u8> = direct::write(schema, shape, stored)?;
    // It may be kept for long, and there are many.
    message.shrink_to_fit();
    Some(message)
}

/// How many bytes [`transcode`] writes.
#[must_use]
pub fn transcoded_len(schema: &Schema, shape: &Shape, stored: Canonical<'_>) -> Option<usize> {
    direct::write(schema, shape, stored)
}

/// Writes a tree of this shape as a message. Fields that the table does not know are left out: there is no number for
/// them.
///
/// # Errors
/// A value that does not fit its field.
pub fn encode(schema: &Schema, shape: &Shape, tree: &Value) -> Result<Vec<u8>, ProtobufError> {
    encode::message(schema, shape, tree)
}
