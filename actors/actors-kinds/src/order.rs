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

fn order(schema: &Schema, shape: &Shape, value: &mut Value) {
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

/// An object of which only the metadata is known.
fn order_top(schema: &Schema, map: &mut actors_object::Map) {
    const TOP: [&str; 3] = ["kind", "apiVersion", "metadata"];
    if !map.contains_key("metadata") || !map.contains_key("apiVersion") {
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
