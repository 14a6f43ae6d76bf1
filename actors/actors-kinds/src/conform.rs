//! Whether a tree has the shape of its type: unknown fields, wrong types, and making the rest uniform.
//!
//! Way in: [`check_fields`], [`normalize`].  Never: rules about values (see [`crate::validate`]).
//! Invariant: a report holds at most [`REPORT_MAX`] entries of each sort.
//! Spec: documentation, "API concepts", "field validation".

mod format;
mod uniform;

use std::fmt;

use actors_object::{FieldPath, Map, Quantity, Value, timefmt};

use crate::facts::{Schema, Shape};

/// The most complaints of each sort in a [`FieldReport`].
pub const REPORT_MAX: usize = 64;

/// What does not fit the type.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FieldReport {
    /// Fields that the type does not have. Strict requests are refused for them, others warned; then they are
    /// dropped by [`normalize`].
    pub unknown: Vec<FieldPath>,
    /// Values of a wrong type. Every request is refused for them.
    pub mismatches: Vec<Mismatch>,
}

/// A value that is not what its field holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Mismatch {
    /// Where.
    pub path: FieldPath,
    /// What is there.
    pub found: String,
    /// What the field holds.
    pub expected: &'static str,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, found, expected } = self;
        write!(f, "json: cannot unmarshal {found} into field {path} of type {expected}")
    }
}

impl FieldReport {
    /// Whether everything fits.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.unknown.is_empty() && self.mismatches.is_empty()
    }

    /// The complaints about unknown fields, and about names that stood twice, as clients know them:
    /// `unknown field "spec.replcas"`, `duplicate field "spec.replicas"`.
    #[must_use]
    pub fn strict_messages(&self, duplicates: &[FieldPath]) -> Vec<String> {
        let unknown = self.unknown.iter().map(|path| format!("unknown field \"{path}\""));
        let twice = duplicates.iter().map(|path| format!("duplicate field \"{path}\""));
        unknown.chain(twice).collect()
    }

    /// The message with which a request is refused whose values have wrong types.
    #[must_use]
    pub fn refusal(&self, version: &str, kind: &str) -> Option<String> {
        let first = self.mismatches.first()?;
        Some(format!("{kind} in version \"{version}\" cannot be handled as a {kind}: {first}"))
    }
}

/// The message with which a strict request is refused: all complaints at once.
#[must_use]
pub fn strict_refusal(version: &str, kind: &str, messages: &[String]) -> String {
    let all = messages.join(", ");
    format!(
        "{kind} in version \"{version}\" cannot be handled as a {kind}: strict decoding error: {all}"
    )
}

/// What of a tree does not fit a shape. Null fits everywhere: it says nothing.
#[must_use]
pub fn check_fields(schema: &Schema, shape: &Shape, value: &Value) -> FieldReport {
    let mut report = FieldReport::default();
    let place = Place { schema, above: None, step: Step::Root };
    check(&place, shape, value, &mut report);
    report
}

/// A place on the way down; its path is only built for a complaint.
struct Place<'a> {
    schema: &'a Schema,
    above: Option<&'a Place<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Root,
    Field(&'a str),
    Index(usize),
    Key(&'a str),
}

impl Place<'_> {
    fn below<'b>(&'b self, step: Step<'b>) -> Place<'b> {
        Place { schema: self.schema, above: Some(self), step }
    }

    fn path(&self) -> FieldPath {
        let above = self.above.map_or_else(FieldPath::root, Place::path);
        match self.step {
            Step::Root => above,
            Step::Field(name) => above.push_field(name),
            Step::Index(index) => above.push_index(index),
            Step::Key(key) => above.push_key(key),
        }
    }
}

fn check(place: &Place<'_>, shape: &Shape, value: &Value, report: &mut FieldReport) {
    match (shape, value) {
        (_, Value::Null) | (Shape::Any | Shape::SchemaOr(..), _) => {}
        (Shape::Object(id), Value::Map(map)) => {
            let Some(facts) = place.schema.facts(*id) else { return };
            for (name, value) in map.iter() {
                let below = place.below(Step::Field(name));
                match facts.field(name) {
                    Some(field) => check(&below, &field.shape, value, report),
                    None if report.unknown.len() < REPORT_MAX => report.unknown.push(below.path()),
                    None => {}
                }
            }
        }
        (Shape::List(item), Value::List(items)) => {
            for (index, value) in items.iter().enumerate() {
                check(&place.below(Step::Index(index)), item, value, report);
            }
        }
        (Shape::Map(item), Value::Map(map)) => {
            for (key, value) in map.iter() {
                check(&place.below(Step::Key(key)), item, value, report);
            }
        }
        _ => {
            if let Some((expected, found)) = scalar_fault(shape, value)
                && report.mismatches.len() < REPORT_MAX
            {
                report.mismatches.push(Mismatch { path: place.path(), found, expected });
            }
        }
    }
}

/// What a scalar's shape expects and what was found, if they differ.
fn scalar_fault(shape: &Shape, value: &Value) -> Option<(&'static str, String)> {
    let text = value.as_str();
    let (fits, expected) = match shape {
        Shape::String => (text.is_some(), "string"),
        Shape::Bool => (value.as_bool().is_some(), "bool"),
        Shape::Int32 => (value.as_i64().is_some_and(|int| i32::try_from(int).is_ok()), "int32"),
        Shape::Int64 => (value.as_i64().is_some(), "int64"),
        Shape::Double => (value.as_f64().is_some(), "float64"),
        Shape::Bytes => (text.is_some_and(format::is_base64), "base64 bytes"),
        Shape::Time => (text.is_some_and(is_time), "time (RFC 3339)"),
        Shape::MicroTime => (text.is_some_and(is_time), "time (RFC 3339 with microseconds)"),
        Shape::Quantity => {
            let is_plain = text.is_some() || matches!(value, Value::Int(_) | Value::Float(_));
            (is_plain && Quantity::from_value(value).is_ok(), "quantity (500m, 2, 128Mi)")
        }
        Shape::IntOrString => {
            let is_int = value.as_i64().is_some_and(|int| i32::try_from(int).is_ok());
            (text.is_some() || is_int, "int32 or string")
        }
        Shape::List(_) => (false, "array"),
        Shape::Object(_) | Shape::Map(_) => (false, "object"),
        Shape::Any | Shape::SchemaOr(..) => (true, "any"),
    };
    (!fits).then(|| (expected, format::found(shape, value)))
}

fn is_time(text: &str) -> bool {
    // The empty text is how some old clients write no time.
    text.is_empty() || timefmt::parse(text).is_some()
}

/// Makes a tree that fits its shape uniform: drops unknown fields, nulls and maps without entries, which say nothing
/// either, writes amounts as texts, whole numbers without a fraction, and times in UTC.
///
/// What is uniform is not touched: it may be shared with the state before.
pub fn normalize(schema: &Schema, shape: &Shape, value: &mut Value) {
    if !uniform::is_uniform(schema, shape, value) {
        make_uniform(schema, shape, value);
    }
}

fn make_uniform(schema: &Schema, shape: &Shape, value: &mut Value) {
    match (shape, value) {
        (Shape::Object(id), Value::Map(map)) => {
            let Some(facts) = schema.facts(*id) else { return };
            map.retain(|name, value| match facts.field(name) {
                Some(field) => {
                    normalize(schema, &field.shape, value);
                    !(value.is_null() || is_empty_map(&field.shape, value))
                }
                None => false,
            });
        }
        (Shape::List(item), Value::List(items)) => {
            items.iter_mut().for_each(|value| normalize_item(schema, item, value));
        }
        (Shape::Map(item), Value::Map(map)) => {
            map.iter_mut().for_each(|(_, value)| normalize_item(schema, item, value));
        }
        (Shape::Int32 | Shape::Int64 | Shape::IntOrString, value @ Value::Float(_)) => {
            if let Some(int) = value.as_i64() {
                *value = Value::Int(int);
            }
        }
        (Shape::Quantity, value @ (Value::Int(_) | Value::Float(_))) => {
            *value = Value::from(actors_object::json::to_string(value));
        }
        (Shape::Time, value) => rewrite(value, timefmt::seconds),
        (Shape::MicroTime, value) => rewrite(value, timefmt::micros),
        _ => {}
    }
}

/// Whether a value is a map of no entries; an object of no fields says that it is there.
fn is_empty_map(shape: &Shape, value: &Value) -> bool {
    matches!(shape, Shape::Map(_)) && value.as_map().is_some_and(Map::is_empty)
}

/// An item of a list or map: there is no leaving out a null here, so that it becomes what is empty of its type, as
/// Kubernetes' own decoder has it; no other encoding has a null.
fn normalize_item(schema: &Schema, item: &Shape, value: &mut Value) {
    if value.is_null() {
        *value = match item {
            Shape::Bytes | Shape::String => Value::from(""),
            Shape::Object(_) => Value::Map(Map::new()),
            Shape::Int32 | Shape::Int64 | Shape::IntOrString | Shape::Double => Value::Int(0),
            Shape::Bool => Value::Bool(false),
            Shape::Quantity => Value::from("0"),
            _ => return,
        };
    } else {
        normalize(schema, item, value);
    }
}

fn rewrite(value: &mut Value, write: fn(actors_core::Wall) -> String) {
    let text = value.as_str().unwrap_or_default();
    if text.is_empty() {
        *value = Value::Null;
    } else if let Some(at) = timefmt::parse(text) {
        *value = Value::from(write(at));
    }
}

#[cfg(test)]
mod tests;
