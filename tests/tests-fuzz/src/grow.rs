//! Trees of a kind, from the table of its fields; and trees that are not quite of it.
//!
//! Way in: [`grow`], [`spoil`].

use actors_core::Rng;
use actors_kinds::facts::{Schema, Shape};
use actors_object::{Map, Value};

/// Texts in which something is to be read.
const TEXTS: [&str; 22] = [
    "",
    "a",
    "b",
    "web",
    "a.example.com/b",
    "2026-11-21T08:05:00Z",
    "2026-11-21T08:05:00.000001Z",
    "100m",
    "1Gi",
    "25%",
    "1e3",
    "10.0.0.1",
    "fd00::1",
    "true",
    "null",
    "0",
    "-1",
    "ü\u{10348}",
    "line\nbreak",
    "- x: y",
    "yes",
    "\u{0}\u{1f}\"\\",
];

/// A tree of this shape; `room` is how many more levels it may have.
#[must_use]
pub fn grow(rng: &mut Rng, (schema, shape): (&Schema, &Shape), room: u32) -> Value {
    let few = |rng: &mut Rng| 1 + rng.below(3);
    match shape {
        Shape::Object(id) => {
            let mut map = Map::new();
            let fields = schema.facts(*id).map(|facts| facts.fields.as_slice()).unwrap_or_default();
            // Deep down only what is there anyway, else trees would have no end.
            let likely = if room > 2 { 400_000 } else { 150_000 };
            for field in fields {
                if room > 0 && rng.chance(likely) {
                    map.insert(&*field.name, grow(rng, (schema, &field.shape), room - 1));
                }
            }
            Value::Map(map)
        }
        Shape::List(item) if room > 0 => {
            let len = few(rng);
            Value::List((0..len).map(|_| grow(rng, (schema, item), room - 1)).collect())
        }
        Shape::Map(value) if room > 0 => {
            let mut map = Map::new();
            for _ in 0..few(rng) {
                map.insert(text(rng), grow(rng, (schema, value), room - 1));
            }
            Value::Map(map)
        }
        Shape::List(_) => Value::List(Vec::new()),
        Shape::Map(_) => Value::Map(Map::new()),
        Shape::Bool => Value::Bool(rng.chance(500_000)),
        Shape::Int32 | Shape::Int64 => Value::Int(whole(rng)),
        Shape::Double => Value::Float(0.5),
        Shape::Bytes => Value::from("AAEC/w=="),
        Shape::Time => Value::from("2026-11-21T08:05:00Z"),
        Shape::MicroTime => Value::from("2026-11-21T08:05:00.000001Z"),
        Shape::Quantity => Value::from("1500m"),
        Shape::IntOrString if rng.chance(500_000) => Value::Int(whole(rng)),
        Shape::String | Shape::IntOrString => Value::from(text(rng)),
        Shape::Any | Shape::SchemaOr(..) => Value::Map(Map::new()),
    }
}

fn text(rng: &mut Rng) -> String {
    rng.pick(&TEXTS).copied().unwrap_or_default().to_owned()
}

/// A small number that fits everywhere.
fn whole(rng: &mut Rng) -> i64 {
    i64::try_from(rng.below(70_000)).unwrap_or(0) - 10
}

/// What may stand in a field of another sort.
fn scalar(rng: &mut Rng) -> Value {
    match rng.below(5) {
        0 => Value::Int(whole(rng)),
        1 => Value::Int(if rng.chance(500_000) { i64::MIN } else { i64::MAX }),
        _ => Value::from(text(rng)),
    }
}

/// Puts something else in one place of a tree.
pub fn spoil(rng: &mut Rng, tree: &mut Value) {
    let goes_on = rng.chance(850_000);
    let pick = |rng: &mut Rng, len: usize| {
        usize::try_from(rng.below(u64::try_from(len).unwrap_or(0))).unwrap_or(0)
    };
    match tree {
        Value::Map(map) if goes_on && !map.is_empty() => {
            let at = pick(rng, map.len());
            let name = map.keys().nth(at).map(|name| name.to_string()).unwrap_or_default();
            if let Some(value) = map.get_mut(&name) {
                spoil(rng, value);
            }
        }
        Value::List(items) if goes_on && !items.is_empty() => {
            let at = pick(rng, items.len());
            spoil(rng, &mut items[at]);
        }
        _ => {
            *tree = match rng.below(7) {
                0 => Value::Null,
                1 => Value::List(vec![Value::Null]),
                2 => Value::Map(Map::new()),
                3 => Value::Float(0.5),
                4 => Value::Bool(true),
                _ => scalar(rng),
            }
        }
    }
}
