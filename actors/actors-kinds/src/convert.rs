//! Objects that two groups show: stored in one form, served in both.
//!
//! Way in: [`to_storage`], [`from_storage`].  Only events have two forms: those of the core group are stored.
//! Spec: KEP-383; the API reference of both `Event`s, field by field.

use actors_object::{Map, Object, Value};

use crate::registry::KindFacts;

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

/// Turns an object of a served kind into the form in which it is stored.
pub fn to_storage(kind: &KindFacts, object: &mut Object) {
    if is_new_event(kind) {
        rename(object, &FIELDS);
        object.set_gvk(&actors_object::Gvk::new("", "v1", "Event"));
    }
}

/// Turns a stored object into the form of a served kind.
pub fn from_storage(kind: &KindFacts, object: &mut Object) {
    if is_new_event(kind) {
        rename(object, &FIELDS.map(|(new, core)| (core, new)));
        object.set_gvk(&kind.gvk);
    }
}

/// Whether the kind is not stored in the form in which it is served.
#[must_use]
pub fn is_converted(kind: &KindFacts) -> bool {
    is_new_event(kind)
}

fn is_new_event(kind: &KindFacts) -> bool {
    kind.is("events.k8s.io", "Event")
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

#[cfg(test)]
mod tests {
    use actors_object::value;

    use super::*;
    use crate::Registry;

    #[test]
    fn an_event_survives_both_ways() {
        let registry = Registry::builtin().expect("the tables are good");
        let kind = registry.resource("events.k8s.io", "v1", "events").expect("served");
        let event = value!({
            "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": { "name": "e" },
            "regarding": { "kind": "Pod" }, "note": "hello", "deprecatedCount": 2,
        });
        let mut object = Object(event.clone());
        to_storage(kind, &mut object);
        assert_eq!(object.api_version(), "v1");
        assert_eq!(object.str_at(&["involvedObject", "kind"]), Some("Pod"));
        assert_eq!(
            (object.str_at(&["message"]), object.i64_at(&["count"])),
            (Some("hello"), Some(2))
        );
        from_storage(kind, &mut object);
        assert_eq!(object.0, event);
    }
}
