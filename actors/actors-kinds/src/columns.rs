//! What `kubectl get` shows of each kind: columns, and the cells of one object.
//!
//! Way in: [`column_definitions`], [`columns`].  Owns: one table of columns per kind.
//! Invariant: an object has as many cells as its kind has columns.
//! Spec: API concepts, "receiving resources as Tables"; the columns' names, types and priorities are what clients
//! of Kubernetes v1.35 see. Columns of a priority above 0 are shown by `-o wide` only.

mod batch;
mod cluster;
mod duration;
mod extension;
mod metrics;
mod network;
mod pod;
mod policy;
mod storage;
mod workload;

use actors_core::Now;
use actors_object::{Object, Value, timefmt};

pub use duration::human_duration;

use crate::{convert, registry::KindFacts};

/// One column of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColumnDefinition {
    /// Its head.
    pub name: &'static str,
    /// `string`, `integer`, `boolean` or `date`.
    pub sort: &'static str,
    /// `name` for the column that names the object, else empty.
    pub format: &'static str,
    /// 0: always shown; above: only if there is room.
    pub priority: i64,
}

/// The cells of one object.
type Cells = fn(&Object, Now) -> Vec<Value>;

/// The table of one kind.
struct Layout {
    group: &'static str,
    kind: &'static str,
    columns: &'static [ColumnDefinition],
    cells: Cells,
}

const fn column(name: &'static str, sort: &'static str, priority: i64) -> ColumnDefinition {
    ColumnDefinition { name, sort, format: "", priority }
}

const fn text(name: &'static str) -> ColumnDefinition {
    column(name, "string", 0)
}

const fn wide(name: &'static str) -> ColumnDefinition {
    column(name, "string", 1)
}

const NAME: ColumnDefinition =
    ColumnDefinition { name: "Name", sort: "string", format: "name", priority: 0 };
const AGE: ColumnDefinition = text("Age");

/// What every kind without a table of its own shows.
const PLAIN: Layout = Layout {
    group: "",
    kind: "",
    columns: &[NAME, AGE],
    cells: |object, now| vec![object.name().into(), age(object, now)],
};

const LAYOUTS: &[&[Layout]] = &[
    batch::LAYOUTS,
    pod::LAYOUTS,
    workload::LAYOUTS,
    network::LAYOUTS,
    cluster::LAYOUTS,
    extension::LAYOUTS,
    policy::LAYOUTS,
    storage::LAYOUTS,
];

fn layout_of(kind: &KindFacts) -> &'static Layout {
    let mut all = LAYOUTS.iter().flat_map(|some| some.iter());
    all.find(|layout| kind.is(layout.group, layout.kind)).unwrap_or(&PLAIN)
}

/// The columns of a kind.
#[must_use]
pub fn column_definitions(kind: &KindFacts) -> &'static [ColumnDefinition] {
    layout_of(kind).columns
}

/// The cells of an object in its served form, in the order of the columns.
#[must_use]
pub fn columns(kind: &KindFacts, object: &Object, now: Now) -> Vec<Value> {
    if convert::is_converted(kind) {
        let mut stored = object.clone();
        convert::to_storage(kind, &mut stored);
        return (layout_of(kind).cells)(&stored, now);
    }
    (layout_of(kind).cells)(object, now)
}

/// How long ago the object was created.
fn age(object: &Object, now: Now) -> Value {
    since(object.creation_timestamp(), now).into()
}

/// How long ago a stamp was; `<unknown>` if there is none.
fn since(stamp: &str, now: Now) -> String {
    match timefmt::parse(stamp) {
        Some(at) => human_duration(now.wall.0.saturating_sub(at.0).div_euclid(1_000_000_000)),
        None => "<unknown>".to_owned(),
    }
}

/// A text, or `<none>` if it is empty.
fn or_none(text: &str) -> Value {
    if text.is_empty() { "<none>".into() } else { text.into() }
}

/// A number in the object, 0 if it is absent.
fn number(object: &Object, path: &[&str]) -> i64 {
    object.i64_at(path).unwrap_or(0)
}

/// A text in the object, empty if it is absent.
fn string<'a>(value: &'a Value, path: &[&str]) -> &'a str {
    value.str_at(path).unwrap_or_default()
}

/// The same field of all items of a list, joined by commas.
fn joined(items: &[Value], field: &str) -> String {
    let texts = items.iter().map(|item| item.at(field).as_str().unwrap_or_default());
    texts.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests;
