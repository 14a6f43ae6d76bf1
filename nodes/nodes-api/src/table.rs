//! Rows for people: `meta.k8s.io/v1` Table.
//!
//! Way in: [`head`] and [`row`] for a list, [`of_entries`].  Spec: Kubernetes API concepts, "Receiving resources as Tables": each row carries the
//! object's metadata, or what `includeObject` asks for.

use std::borrow::Cow;

use actors_core::Now;
use actors_kinds::{KindFacts, column_definitions, columns};
use actors_object::{Map, Value, json, value};
use nodes_door::Entry;

use crate::{encode::metadata_json, query::Query};

/// The table of some objects: a single one, or one of a watch.
pub(crate) fn of_entries(kind: &KindFacts, entries: &[Entry], query: &Query, now: Now) -> Vec<u8> {
    let mut metadata = Value::Map(Map::default());
    let mut kind = Cow::Borrowed(kind);
    if let [one] = entries {
        let object = one.object();
        metadata.set_path(&["resourceVersion"], object.resource_version());
        // A subresource may answer with a kind of its own: a Scale.
        if object.kind() != kind.gvk.kind {
            kind.to_mut().gvk = object.gvk();
        }
    }
    write(&kind, metadata, entries, query, now)
}

fn write(kind: &KindFacts, metadata: Value, entries: &[Entry], query: &Query, now: Now) -> Vec<u8> {
    let mut table = head(kind, metadata);
    let include = include(query);
    let rows = entries.iter().map(|entry| row(kind, entry, &include, now)).collect();
    table.set_path(&["rows"], Value::List(rows));
    json::to_vec(&table)
}

/// A table without its rows.
pub(crate) fn head(kind: &KindFacts, metadata: Value) -> Value {
    let mut table = Value::Map(Map::default());
    table.set_path(&["kind"], "Table");
    table.set_path(&["apiVersion"], "meta.k8s.io/v1");
    table.set_path(&["metadata"], metadata);
    let definitions = column_definitions(kind).iter().map(|column| {
        value!({
            "name": column.name,
            "type": column.sort,
            "format": column.format,
            "description": "",
            "priority": column.priority,
        })
    });
    table.set_path(&["columnDefinitions"], Value::List(definitions.collect()));
    table
}

/// What a query wants to see of each row's object.
pub(crate) fn include(query: &Query) -> String {
    query.text("includeObject").unwrap_or_else(|| "Metadata".to_owned())
}

/// One row.
pub(crate) fn row(kind: &KindFacts, entry: &Entry, include: &str, now: Now) -> Value {
    let object = entry.read_object();
    let mut row = Value::Map(Map::default());
    row.set_path(&["cells"], Value::List(columns(kind, &object, now)));
    match include {
        "None" => {}
        "Object" => {
            row.set_path(&["object"], object.0.clone());
        }
        _ => {
            row.set_path(&["object"], metadata_json(&object));
        }
    }
    row
}
