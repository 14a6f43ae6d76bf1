//! OpenAPI documents in the protobuf form that clients of Kubernetes ask for: gnostic's messages.
//!
//! Way in: [`v2`], [`v3`].  Owns: tables of the messages that our documents use; what they do not name is an extension
//! (`x-kubernetes-…`), whose value is kept as text.
//! Spec: gnostic, `OpenAPIv2.proto` and `OpenAPIv3.proto`: names and numbers of fields.

mod v2;
mod v3;

use actors_object::{Map, Value, json};

use crate::protobuf::wire::Writer;

/// The document at `/openapi/v2` as an `openapi.v2.Document`.
#[must_use]
pub fn v2(document: &Value) -> Vec<u8> {
    written(&v2::DOCUMENT, document)
}

/// A document of `/openapi/v3` as an `openapi.v3.Document`.
#[must_use]
pub fn v3(document: &Value) -> Vec<u8> {
    written(&v3::DOCUMENT, document)
}

fn written(message: &Message, document: &Value) -> Vec<u8> {
    let mut out = Writer::<Vec<u8>>::default();
    message.write(document, &mut out);
    out.into_inner()
}

/// One message: its fields by their names in JSON, and where everything else goes.
struct Message {
    fields: &'static [(&'static str, u16, Form)],
    rest: Rest,
}

/// What becomes of names that are no field's.
enum Rest {
    /// They are extensions: a list of named values under this number.
    Extensions(u16),
    /// They are the content: a list of named values of this form under this number.
    Entries(u16, Form),
}

/// How a value of JSON stands in a field.
enum Form {
    Text,
    Truth,
    /// Each item of a list under the same number.
    List(&'static Form),
    Of(&'static Message),
    /// Within a message of its own, under this number.
    Within(u16, &'static Form),
    /// A message that depends on the value.
    Pick(fn(&Value) -> &'static Form),
}

impl Message {
    fn write(&self, value: &Value, out: &mut Writer) {
        let empty = Map::new();
        let map = value.as_map().unwrap_or(&empty);
        for (name, number, form) in self.fields {
            if let Some(value) = map.get(name) {
                form.write(*number, value, out);
            }
        }
        let is_rest = |name: &str| self.fields.iter().all(|(known, ..)| *known != name);
        for (name, value) in map.iter().filter(|(name, _)| is_rest(name)) {
            match &self.rest {
                Rest::Extensions(number) => named(*number, name, out, |out| any(value, out)),
                Rest::Entries(number, form) => {
                    named(*number, name, out, |out| form.write(2, value, out));
                }
            }
        }
    }
}

impl Form {
    fn write(&self, number: u16, value: &Value, out: &mut Writer) {
        match self {
            Self::Text => out.bytes(number, value.as_str().unwrap_or_default().as_bytes()),
            // In proto3, what is false is not written.
            Self::Truth if value.as_bool() == Some(true) => out.number(number, 1),
            Self::Truth => {}
            Self::List(item) => {
                for value in value.as_list().unwrap_or_default() {
                    item.write(number, value, out);
                }
            }
            Self::Of(message) => nested(number, out, |out| message.write(value, out)),
            Self::Within(inner, form) => {
                nested(number, out, |out| form.write(*inner, value, out));
            }
            Self::Pick(pick) => pick(value).write(number, value, out),
        }
    }
}

/// `Any`: the value as YAML, of which JSON is a part.
fn any(value: &Value, out: &mut Writer) {
    let mut text = json::to_vec(value);
    text.push(b'\n');
    nested(2, out, |out| out.bytes(2, &text));
}

fn named(number: u16, name: &str, out: &mut Writer, value: impl FnOnce(&mut Writer)) {
    nested(number, out, |out| {
        out.bytes(1, name.as_bytes());
        value(out);
    });
}

fn nested(number: u16, out: &mut Writer, write: impl FnOnce(&mut Writer)) {
    let wrote: Result<(), std::convert::Infallible> = out.message(number, |out| {
        write(out);
        Ok(())
    });
    match wrote {
        Ok(()) => {}
        Err(never) => match never {},
    }
}

#[cfg(test)]
mod tests;
