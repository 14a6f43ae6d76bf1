//! Whether there is nothing to be made uniform in a tree.
//!
//! Way in: [`is_uniform`].  Invariant: what is uniform is left as it is by [`super::normalize`]; a test
//! compares both.

use actors_object::{Value, timefmt};

use super::is_empty_map;
use crate::facts::{Schema, Shape};

/// Whether [`super::normalize`] would change nothing.
pub(super) fn is_uniform(schema: &Schema, shape: &Shape, value: &Value) -> bool {
    match (shape, value) {
        (Shape::Object(id), Value::Map(map)) => {
            let Some(facts) = schema.facts(*id) else { return true };
            map.iter().all(|(name, value)| {
                facts.field(name).is_some_and(|field| {
                    !value.is_null()
                        && !is_empty_map(&field.shape, value)
                        && is_uniform(schema, &field.shape, value)
                })
            })
        }
        (Shape::List(item), Value::List(items)) => {
            items.iter().all(|value| is_uniform_item(schema, item, value))
        }
        (Shape::Map(item), Value::Map(map)) => {
            map.values().all(|value| is_uniform_item(schema, item, value))
        }
        (Shape::Int32 | Shape::Int64 | Shape::IntOrString, Value::Float(_)) => {
            value.as_i64().is_none()
        }
        (Shape::Quantity, Value::Int(_) | Value::Float(_)) => false,
        (Shape::Time, value) => is_stamp(value, 20),
        (Shape::MicroTime, value) => is_stamp(value, 27),
        _ => true,
    }
}

fn is_uniform_item(schema: &Schema, item: &Shape, value: &Value) -> bool {
    !value.is_null() && is_uniform(schema, item, value)
}

/// Whether this is a time as it is written here, which has so many letters.
fn is_stamp(value: &Value, len: usize) -> bool {
    let Some(text) = value.as_str() else { return false };
    // A sixtieth second is none that is written here.
    let fits = |bytes: &[u8]| {
        bytes.len() == len && bytes[10] == b'T' && bytes[17] < b'6' && bytes.ends_with(b"Z")
    };
    fits(text.as_bytes()) && timefmt::parse(text).is_some()
}
