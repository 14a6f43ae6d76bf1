//! Events of the two groups.
//!
//! Spec: KEP-383; the API reference of both `Event`s, field by field.

use actors_object::{Gvk, Map, Object, Value};

/// The same field, in `events.k8s.io/v1` and in the core group.
const FIELDS: [(&str, &str); 7] = [
    ("regarding", "involvedObject"),
    ("note", "message"),
    ("reportingController", "reportingComponent"),
    ("deprecatedSource", "source"),
    ("deprecatedFirstTimestamp", "firstTimestamp"),
    ("deprecatedLastTimestamp", "lastTimestamp"),
    ("deprecatedCount", "count"),
];

pub(super) fn to_core(object: &mut Object) {
    rename(object, &FIELDS);
    object.set_gvk(&Gvk::new("", "v1", "Event"));
}

pub(super) fn from_core(object: &mut Object) {
    rename(object, &FIELDS.map(|(new, core)| (core, new)));
    object.set_gvk(&Gvk::new("events.k8s.io", "v1", "Event"));
}

fn rename(object: &mut Object, fields: &[(&str, &str)]) {
    let Some(map) = object.0.as_map_mut() else { return };
    let mut renamed = Map::new();
    for (name, value) in std::mem::replace(map, Map::new()) {
        let found = fields.iter().find(|(from, _)| *from == &*name);
        match found {
            Some((_, to)) => renamed.insert(*to, value),
            None => renamed.insert(name, value),
        };
    }
    object.0 = Value::Map(renamed);
}
