//! The one order in which the fields of a stored object stand.
//!
//! Fields stand as their protobuf numbers do, `kind` and `apiVersion` first; the entries of maps by their keys;
//! what the type does not know, last. Two equal objects are then equal bytes.

use actors_object::Value;

use crate::{
    facts::{Schema, Shape},
    registry::{KindFacts, Registry},
};

impl Registry {
    /// Puts the fields of an object of this kind into canonical order.
    pub fn canonical_order(&self, kind: &KindFacts, object: &mut Value) {
        order(self.schema(), &kind.shape, object);
    }
}

/// What is in order is not touched: it may be shared with the state before.
fn order(schema: &Schema, shape: &Shape, value: &mut Value) {
    if is_ordered(schema, shape, value) {
        return;
    }
    match (shape, value) {
        (Shape::Object(id), Value::Map(map)) => {
            let Some(facts) = schema.facts(*id) else { return };
            map.sort_by_key(|name| facts.position(name).unwrap_or(usize::MAX));
            for (name, value) in map.iter_mut() {
                if let Some(field) = facts.field(name) {
                    order(schema, &field.shape, value);
                }
            }
        }
        (Shape::List(item), Value::List(items)) => {
            items.iter_mut().for_each(|value| order(schema, item, value));
        }
        (Shape::Map(item), Value::Map(map)) => {
            map.sort_by_key(actors_object::Name::clone);
            map.iter_mut().for_each(|(_, value)| order(schema, item, value));
        }
        (Shape::Any, Value::Map(map)) => order_top(schema, map),
        _ => {}
    }
}

fn is_ordered(schema: &Schema, shape: &Shape, value: &Value) -> bool {
    match (shape, value) {
        (Shape::Object(id), Value::Map(map)) => {
            let Some(facts) = schema.facts(*id) else { return true };
            let mut last = 0;
            map.iter().all(|(name, value)| {
                let place = facts.position(name);
                let stands = place.unwrap_or(usize::MAX) >= last;
                last = place.unwrap_or(usize::MAX);
                let field = place.and_then(|place| facts.fields.get(place));
                stands && field.is_none_or(|field| is_ordered(schema, &field.shape, value))
            })
        }
        (Shape::List(item), Value::List(items)) => {
            items.iter().all(|value| is_ordered(schema, item, value))
        }
        (Shape::Map(item), Value::Map(map)) => {
            map.keys().is_sorted() && map.values().all(|value| is_ordered(schema, item, value))
        }
        (Shape::Any, Value::Map(map)) => !has_top(map),
        _ => true,
    }
}

/// Whether this is an object of its own.
fn has_top(map: &actors_object::Map) -> bool {
    map.contains_key("metadata") && map.contains_key("apiVersion")
}

/// An object of which only the metadata is known.
fn order_top(schema: &Schema, map: &mut actors_object::Map) {
    const TOP: [&str; 3] = ["kind", "apiVersion", "metadata"];
    if !has_top(map) {
        return;
    }
    map.sort_by_key(|name| TOP.iter().position(|top| **top == **name).unwrap_or(TOP.len()));
    let metadata = schema.type_named("meta.v1.ObjectMeta");
    if let (Some(id), Some(value)) = (metadata, map.get_mut("metadata")) {
        order(schema, &Shape::Object(id), value);
    }
}

#[cfg(test)]
mod tests {
    use actors_object::{json, value};

    use super::*;

    #[test]
    fn what_stands_in_order_stays_shared() {
        let registry = Registry::builtin().expect("the tables are good");
        let pods = registry.resource("", "v1", "pods").expect("pods are served");
        let spec = value!({ "containers": [{ "name": "c", "image": "i" }], "nodeName": "n" });
        let mut pod = value!({
            "metadata": { "name": "p" }, "spec": spec.clone(), "apiVersion": "v1", "kind": "Pod",
        });
        registry.canonical_order(pods, &mut pod);
        let shared = |one: &Value, other: &Value| {
            one.as_map().zip(other.as_map()).is_some_and(|(one, other)| one.is_shared_with(other))
        };
        assert!(shared(pod.at("spec"), &spec));
        let before = pod.clone();
        registry.canonical_order(pods, &mut pod);
        assert!(shared(&pod, &before));
    }

    #[test]
    fn fields_stand_in_the_order_of_their_numbers() {
        let registry = Registry::builtin().expect("the tables are good");
        let pods = registry.resource("", "v1", "pods").expect("pods are served");
        let mut pod = value!({
            "status": { "podIP": "10.0.0.1", "phase": "Running" },
            "spec": { "nodeName": "n", "containers": [{ "image": "i", "name": "c" }] },
            "metadata": { "labels": { "b": "2", "a": "1" }, "name": "p" },
            "apiVersion": "v1",
            "kind": "Pod",
        });
        registry.canonical_order(pods, &mut pod);
        assert_eq!(
            json::to_string(&pod),
            r#"{"kind":"Pod","apiVersion":"v1","metadata":{"name":"p","labels":{"a":"1","b":"2"}},"#
                .to_owned()
                + r#""spec":{"containers":[{"name":"c","image":"i"}],"nodeName":"n"},"#
                + r#""status":{"phase":"Running","podIP":"10.0.0.1"}}"#
        );
    }
}
