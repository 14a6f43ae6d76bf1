//! From bytes to the tree.

use actors_object::{Map, Value, json, timefmt};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{
    DEPTH_MAX, ProtobufError, scalars,
    wire::{Field, Reader, signed},
};
use crate::facts::{Alternative, Empty, FieldFacts, Schema, Shape, TypeFacts};

pub(super) fn message(
    schema: &Schema,
    shape: &Shape,
    bytes: &[u8],
) -> Result<Value, ProtobufError> {
    let facts = schema.object_facts(shape).ok_or(ProtobufError::NoShape)?;
    Decoder { schema }.object(facts, bytes, DEPTH_MAX)
}

struct Decoder<'a> {
    schema: &'a Schema,
}

impl Decoder<'_> {
    fn object(
        &self,
        facts: &TypeFacts,
        bytes: &[u8],
        depth: usize,
    ) -> Result<Value, ProtobufError> {
        let depth = depth
            .checked_sub(1)
            .ok_or_else(|| ProtobufError::damaged(&facts.name, "they are nested too deep"))?;
        let mut found: Vec<Option<Value>> = vec![None; facts.fields.len()];
        self.fields(facts, &[], (bytes, depth), &mut found)?;
        let named = facts.fields.iter().zip(found);
        let mut map = Map::default();
        for (field, value) in named {
            if let Some(value) = value.filter(|value| is_written(field, value)) {
                map.insert(&*field.name, value);
            }
        }
        Ok(Value::Map(map))
    }

    /// Reads the fields below `path`: JSON inlines some messages that are messages of their own on the wire.
    fn fields(
        &self,
        facts: &TypeFacts,
        path: &[u16],
        (bytes, depth): (&[u8], usize),
        found: &mut [Option<Value>],
    ) -> Result<(), ProtobufError> {
        let mut fields = Reader::new(bytes, &facts.name);
        while let Some((number, wire)) = fields.next()? {
            let path = [path, &[number]].concat();
            let reaches = |field: &FieldFacts| field.numbers.starts_with(&path);
            let Some(at) = facts.fields.iter().position(reaches) else { continue };
            let (Some(field), Some(slot)) = (facts.fields.get(at), found.get_mut(at)) else {
                continue;
            };
            if field.numbers.len() > path.len() {
                let depth = depth.checked_sub(1).ok_or_else(|| {
                    ProtobufError::damaged(&facts.name, "they are nested too deep")
                })?;
                self.fields(facts, &path, (wire.bytes(&facts.name)?, depth), found)?;
            } else {
                self.add(field, wire, depth, slot)?;
            }
        }
        Ok(())
    }

    /// A field that comes again adds to its list or map, and otherwise replaces what was there.
    fn add(
        &self,
        field: &FieldFacts,
        wire: Field<'_>,
        depth: usize,
        slot: &mut Option<Value>,
    ) -> Result<(), ProtobufError> {
        let at = &*field.name;
        match &field.shape {
            Shape::List(item) => {
                let list = slot.get_or_insert_with(|| Value::List(Vec::new()));
                let Value::List(list) = list else { return Ok(()) };
                match (item.as_ref(), wire) {
                    (Shape::Int32 | Shape::Int64, Field::Bytes(packed)) => {
                        let mut numbers = Reader::new(packed, at);
                        while let Some(number) = numbers.next_varint()? {
                            list.push(Value::Int(signed(number)));
                        }
                    }
                    (item, wire) => list.push(self.value(at, item, wire, depth)?),
                }
            }
            Shape::Map(item) => {
                let (key, value) = self.entry(at, item, wire.bytes(at)?, depth)?;
                let map = slot.get_or_insert_with(|| Value::Map(Map::default())).make_map();
                if map.len() >= json::Limits::default().members {
                    return Err(ProtobufError::damaged(at, "it has too many members"));
                }
                map.insert(key.as_str(), value);
            }
            shape => *slot = Some(self.value(at, shape, wire, depth)?),
        }
        Ok(())
    }

    fn entry(
        &self,
        at: &str,
        item: &Shape,
        bytes: &[u8],
        depth: usize,
    ) -> Result<(String, Value), ProtobufError> {
        let (mut key, mut value) = (String::new(), None);
        let mut fields = Reader::new(bytes, at);
        while let Some((number, wire)) = fields.next()? {
            match (number, item) {
                (1, _) => wire.text(at)?.clone_into(&mut key),
                // A list in a map is a message of its own, with the items as its first field.
                (2, Shape::List(inner)) => {
                    let mut items = Vec::new();
                    let mut fields = Reader::new(wire.bytes(at)?, at);
                    while let Some((number, wire)) = fields.next()? {
                        if number == 1 {
                            items.push(self.value(at, inner, wire, depth)?);
                        }
                    }
                    value = Some(Value::List(items));
                }
                (2, item) => value = Some(self.value(at, item, wire, depth)?),
                _ => {}
            }
        }
        Ok((key, value.unwrap_or_else(|| nothing(item))))
    }

    /// As [`super::encode`] writes it; a schema wins over what would stand for it.
    fn schema_or(
        &self,
        (at, alternative): (&str, Alternative),
        facts: &TypeFacts,
        bytes: &[u8],
        depth: usize,
    ) -> Result<Value, ProtobufError> {
        let of_schema = if alternative == Alternative::Bool { 2 } else { 1 };
        let (mut schema, mut allows, mut items) = (None, false, Vec::new());
        let mut fields = Reader::new(bytes, at);
        while let Some((number, wire)) = fields.next()? {
            match (alternative, number) {
                (_, number) if number == of_schema => {
                    schema = Some(self.object(facts, wire.bytes(at)?, depth)?);
                }
                (Alternative::Bool, 1) => allows = wire.number(at)? != 0,
                (Alternative::List, 2) => items.push(self.object(facts, wire.bytes(at)?, depth)?),
                (Alternative::Texts, 2) => items.push(Value::from(wire.text(at)?)),
                _ => {}
            }
        }
        Ok(schema.unwrap_or(match alternative {
            Alternative::Bool => Value::Bool(allows),
            Alternative::List | Alternative::Texts => Value::List(items),
        }))
    }

    fn value(
        &self,
        at: &str,
        shape: &Shape,
        wire: Field<'_>,
        depth: usize,
    ) -> Result<Value, ProtobufError> {
        Ok(match shape {
            Shape::String => Value::from(wire.text(at)?),
            Shape::Int32 | Shape::Int64 => Value::Int(wire.number(at)?),
            Shape::Bool => Value::Bool(wire.number(at)? != 0),
            Shape::Double => Value::Float(wire.double(at)?),
            Shape::Bytes => Value::from(STANDARD.encode(wire.bytes(at)?)),
            Shape::Time => scalars::decode_time(at, wire.bytes(at)?, timefmt::seconds)?,
            Shape::MicroTime => scalars::decode_time(at, wire.bytes(at)?, timefmt::micros)?,
            Shape::Quantity => scalars::decode_quantity(at, wire.bytes(at)?)?,
            Shape::IntOrString => scalars::decode_int_or_string(at, wire.bytes(at)?)?,
            Shape::Any => raw(at, wire.bytes(at)?)?,
            Shape::SchemaOr(alternative, id) => {
                let facts = self.schema.facts(*id).ok_or(ProtobufError::NoShape)?;
                self.schema_or((at, *alternative), facts, wire.bytes(at)?, depth)?
            }
            Shape::Object(id) => {
                let facts = self.schema.facts(*id).ok_or(ProtobufError::NoShape)?;
                self.object(facts, wire.bytes(at)?, depth)?
            }
            Shape::List(_) | Shape::Map(_) => {
                return Err(ProtobufError::damaged(
                    at,
                    "a list within a list has no protobuf form",
                ));
            }
        })
    }
}

/// What a map holds under a key that came without a value.
fn nothing(item: &Shape) -> Value {
    match item {
        Shape::String | Shape::Bytes | Shape::Quantity => Value::from(""),
        Shape::List(_) => Value::List(Vec::new()),
        Shape::Bool => Value::Bool(false),
        Shape::Int32 | Shape::Int64 => Value::Int(0),
        _ => Value::Map(Map::default()),
    }
}

/// A value of any shape: its JSON text, wrapped in a message.
fn raw(at: &str, bytes: &[u8]) -> Result<Value, ProtobufError> {
    let mut text: &[u8] = b"";
    let mut fields = Reader::new(bytes, at);
    while let Some((number, field)) = fields.next()? {
        if number == 1 {
            text = field.bytes(at)?;
        }
    }
    if text.is_empty() {
        return Ok(Value::Null);
    }
    let parsed = json::parse(text, json::Limits::default());
    parsed
        .map(|parsed| parsed.value)
        .map_err(|_| ProtobufError::damaged(at, "its JSON cannot be read"))
}

/// Whether JSON has this field. On the wire every scalar stands there, also an empty one.
fn is_written(field: &FieldFacts, value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::String(_) => {
            field.empty != Empty::Absent || !value.is_empty_value()
        }
        Value::List(_) | Value::Map(_) => true,
    }
}
