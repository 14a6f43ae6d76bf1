//! From the tree to bytes.

use actors_object::{Map, Value, json};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{DEPTH_MAX, ProtobufError, scalars, wire::Writer};
use crate::facts::{Alternative, FieldFacts, Schema, Shape, TypeFacts};

pub(super) fn message(
    schema: &Schema,
    shape: &Shape,
    tree: &Value,
) -> Result<Vec<u8>, ProtobufError> {
    let facts = schema.object_facts(shape).ok_or(ProtobufError::NoShape)?;
    let mut out = Writer::<Vec<u8>>::default();
    Encoder { schema }.object(facts, tree, &mut out, DEPTH_MAX)?;
    Ok(out.into_inner())
}

struct Encoder<'a> {
    schema: &'a Schema,
}

impl Encoder<'_> {
    fn object(
        &self,
        facts: &TypeFacts,
        value: &Value,
        out: &mut Writer,
        depth: usize,
    ) -> Result<(), ProtobufError> {
        let depth = depth
            .checked_sub(1)
            .ok_or_else(|| ProtobufError::mismatch(&facts.name, "it is nested too deep"))?;
        let expected = || ProtobufError::mismatch(&facts.name, "an object is expected");
        let map = value.as_map().ok_or_else(expected)?;
        self.fields(&facts.fields, 0, map, (out, depth))
    }

    /// Writes fields whose numbers agree before `level`. Those that have more numbers share messages that JSON inlines.
    fn fields(
        &self,
        fields: &[FieldFacts],
        level: usize,
        map: &Map,
        (out, depth): (&mut Writer, usize),
    ) -> Result<(), ProtobufError> {
        for group in
            fields.chunk_by(|one, other| one.numbers.get(level) == other.numbers.get(level))
        {
            let Some(first) = group.first() else { continue };
            let Some(&number) = first.numbers.get(level) else { continue };
            if first.numbers.len() == level + 1 {
                match map.get(&first.name) {
                    None | Some(Value::Null) => {}
                    Some(value) => self.field(first, number, value, (out, depth))?,
                }
            } else if group.iter().any(|field| map.get(&field.name).is_some()) {
                out.message(number, |out| self.fields(group, level + 1, map, (out, depth)))?;
            }
        }
        Ok(())
    }

    fn field(
        &self,
        field: &FieldFacts,
        number: u16,
        value: &Value,
        (out, depth): (&mut Writer, usize),
    ) -> Result<(), ProtobufError> {
        let at = &*field.name;
        match (&field.shape, value) {
            (Shape::List(item), Value::List(items)) => {
                for value in items {
                    self.value((at, number), item, value, (out, depth))?;
                }
                Ok(())
            }
            (Shape::Map(item), Value::Map(map)) => {
                let mut entries: Vec<_> = map.iter().collect();
                entries.sort_by(|one, other| one.0.cmp(other.0));
                for (key, value) in entries {
                    out.message(number, |out| {
                        out.bytes(1, key.as_bytes());
                        self.map_value(at, item, value, (out, depth))
                    })?;
                }
                Ok(())
            }
            (Shape::List(_), _) => Err(ProtobufError::mismatch(at, "a list is expected")),
            (Shape::Map(_), _) => Err(ProtobufError::mismatch(at, "a map is expected")),
            (shape, value) => self.value((at, number), shape, value, (out, depth)),
        }
    }

    fn map_value(
        &self,
        at: &str,
        item: &Shape,
        value: &Value,
        (out, depth): (&mut Writer, usize),
    ) -> Result<(), ProtobufError> {
        let Shape::List(inner) = item else {
            return self.value((at, 2), item, value, (out, depth));
        };
        let expected = || ProtobufError::mismatch(at, "a list is expected");
        let items = value.as_list().ok_or_else(expected)?;
        out.message(2, |out| {
            items.iter().try_for_each(|value| self.value((at, 1), inner, value, (out, depth)))
        })
    }

    /// A schema, or what stands for one. Spec: `JSONSchemaPropsOrBool`, `OrArray` and `OrStringArray` in the
    /// `generated.proto` of apiextensions; whether anything is allowed is always written there.
    fn schema_or(
        &self,
        (at, alternative): (&str, Alternative),
        facts: &TypeFacts,
        value: &Value,
        (out, depth): (&mut Writer, usize),
    ) -> Result<(), ProtobufError> {
        let wrong = |what| ProtobufError::mismatch(at, what);
        let of_schema = if alternative == Alternative::Bool { 2 } else { 1 };
        let allows = |out: &mut Writer, allows: bool| out.number(1, i64::from(allows));
        match (alternative, value) {
            (_, Value::Map(_)) => {
                if alternative == Alternative::Bool {
                    allows(out, true);
                }
                out.message(of_schema, |out| self.object(facts, value, out, depth))
            }
            (Alternative::Bool, Value::Bool(all)) => {
                allows(out, *all);
                Ok(())
            }
            (Alternative::List, Value::List(items)) => items
                .iter()
                .try_for_each(|item| out.message(2, |out| self.object(facts, item, out, depth))),
            (Alternative::Texts, Value::List(items)) => items.iter().try_for_each(|item| {
                let text = item.as_str().ok_or_else(|| wrong("a text is expected"))?;
                out.bytes(2, text.as_bytes());
                Ok(())
            }),
            _ => Err(wrong("a schema or what stands for it is expected")),
        }
    }

    fn value(
        &self,
        (at, number): (&str, u16),
        shape: &Shape,
        value: &Value,
        (out, depth): (&mut Writer, usize),
    ) -> Result<(), ProtobufError> {
        let wrong = |what| ProtobufError::mismatch(at, what);
        match shape {
            Shape::String => {
                let text = value.as_str().ok_or_else(|| wrong("a text is expected"))?;
                out.bytes(number, text.as_bytes());
            }
            Shape::Int32 | Shape::Int64 => {
                let value = value.as_i64().ok_or_else(|| wrong("a whole number is expected"))?;
                out.number(number, value);
            }
            Shape::Bool => {
                let value = value.as_bool().ok_or_else(|| wrong("true or false is expected"))?;
                out.number(number, i64::from(value));
            }
            Shape::Double => {
                let value = value.as_f64().ok_or_else(|| wrong("a number is expected"))?;
                out.double(number, value);
            }
            Shape::Bytes => {
                let bytes = value.as_str().and_then(|text| STANDARD.decode(text).ok());
                out.bytes(number, &bytes.ok_or_else(|| wrong("base64 is expected"))?);
            }
            Shape::Time | Shape::MicroTime => {
                // A list's or map's item may be no instant; a field that is none was left out before.
                out.message(number, |out| match value {
                    Value::Null => Ok(()),
                    value => scalars::encode_time(at, value, out),
                })?;
            }
            Shape::Quantity => {
                out.message(number, |out| scalars::encode_quantity(at, value, out))?;
            }
            Shape::IntOrString => {
                out.message(number, |out| scalars::encode_int_or_string(at, value, out))?;
            }
            Shape::Any => out.message(number, |out| {
                out.bytes(1, &json::to_vec(value));
                Ok(())
            })?,
            Shape::SchemaOr(alternative, id) => {
                let facts = self.schema.facts(*id).ok_or(ProtobufError::NoShape)?;
                out.message(number, |out| {
                    self.schema_or((at, *alternative), facts, value, (out, depth))
                })?;
            }
            Shape::Object(id) => {
                let facts = self.schema.facts(*id).ok_or(ProtobufError::NoShape)?;
                out.message(number, |out| self.object(facts, value, out, depth))?;
            }
            Shape::List(_) | Shape::Map(_) => {
                return Err(wrong("a list within a list has no protobuf form"));
            }
        }
        Ok(())
    }
}
