//! The encoded forms of stored objects that are kept for the next reader.
//!
//! Way in: the numbers.  Invariant: a number means one thing; a form depends on the stored version alone,
//! never on who asks.

use store_catalog::Form;

use crate::negotiate;

/// The object's message, without an envelope: an item of a list.
pub(crate) const MESSAGE: Form = Form(1);
/// The same of its metadata alone.
pub(crate) const METADATA_MESSAGE: Form = Form(2);
/// The object's message in its envelope: a body.
pub(crate) const BODY: Form = Form(3);
/// The same of its metadata alone.
pub(crate) const METADATA_BODY: Form = Form(4);

/// What happened to an object, in the words of a watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    Added,
    Modified,
    Deleted,
}

impl Word {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Added => "ADDED",
            Self::Modified => "MODIFIED",
            Self::Deleted => "DELETED",
        }
    }
}

/// The whole frame of an event; none where a frame depends on more than the version.
pub(crate) fn frame(form: negotiate::Form, word: Word) -> Option<Form> {
    let first = match form {
        negotiate::Form::Json => 16,
        negotiate::Form::Protobuf => 24,
        negotiate::Form::Metadata => 32,
        negotiate::Form::ProtobufMetadata => 40,
        _ => return None,
    };
    Some(Form(first + word as u8))
}
