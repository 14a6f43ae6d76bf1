//! `components.schemas`: the types that a version's kinds are made of.

use std::collections::BTreeMap;

use actors_object::{Gvk, Map, Value, value};

use crate::{
    facts::{FieldFacts, ListType, Shape, TypeFacts, TypeId},
    registry::{KindFacts, Registry},
};

/// The schemas of the types that were asked for, and of all that those refer to.
pub(super) struct Needed<'a> {
    registry: &'a Registry,
    types: BTreeMap<String, Value>,
}

impl<'a> Needed<'a> {
    pub(super) fn new(registry: &'a Registry) -> Self {
        let mut needed = Self { registry, types: BTreeMap::new() };
        for name in ["meta.v1.DeleteOptions", "meta.v1.Status"] {
            needed.add_named(name);
        }
        needed
    }

    /// A kind's objects, its lists, and the bodies of its subresources.
    pub(super) fn add_kind(&mut self, kind: &KindFacts) {
        match &kind.shape {
            Shape::Object(id) => {
                self.add_type(*id);
                let list =
                    self.registry.schema().facts(*id).map(|facts| format!("{}List", facts.name));
                self.add_named(&list.unwrap_or_default());
            }
            _ => self.add_untyped(kind),
        }
        for sub in &kind.subresources {
            if let Shape::Object(id) = sub.shape {
                self.add_type(id);
            }
        }
    }

    pub(super) fn into_schemas(self) -> Map {
        let mut schemas = Map::new();
        for (name, schema) in self.types {
            schemas.insert(name, schema);
        }
        schemas
    }

    fn add_named(&mut self, name: &str) {
        if let Some(id) = self.registry.schema().type_named(name) {
            self.add_type(id);
        }
    }

    fn add_untyped(&mut self, kind: &KindFacts) {
        let schema = value!({
            "type": "object",
            "x-kubernetes-preserve-unknown-fields": true,
            "x-kubernetes-group-version-kind": [(gvk_value(&kind.gvk))],
        });
        self.types.insert(untyped_name(kind), schema);
    }

    /// Adds a type once, before the types of its fields: types may contain themselves.
    fn add_type(&mut self, id: TypeId) {
        let schema = self.registry.schema();
        let Some(facts) = schema.facts(id) else { return };
        let name = schema.openapi_name(&facts.name);
        if self.types.contains_key(&name) {
            return;
        }
        let rendered = self.render(facts);
        self.types.insert(name, rendered);
        for field in &facts.fields {
            if let Some(id) = innermost(&field.shape) {
                self.add_type(id);
            }
        }
    }

    fn render(&self, facts: &TypeFacts) -> Value {
        let mut schema = Map::new();
        schema.insert("type", "object");
        let mut properties = Map::new();
        let mut fields: Vec<&FieldFacts> = facts.fields.iter().collect();
        fields.sort_by(|one, other| one.name.cmp(&other.name));
        for field in &fields {
            properties.insert(&*field.name, self.render_field(field));
        }
        let required = fields.iter().filter(|field| field.required);
        let required: Vec<Value> = required.map(|field| Value::from(&*field.name)).collect();
        if !required.is_empty() {
            schema.insert("required", required);
        }
        if !properties.is_empty() {
            schema.insert("properties", properties);
        }
        if let Some(gvk) = &facts.gvk {
            schema.insert("x-kubernetes-group-version-kind", vec![gvk_value(gvk)]);
        }
        if facts.atomic {
            schema.insert("x-kubernetes-map-type", "atomic");
        }
        Value::Map(schema)
    }

    fn render_field(&self, field: &FieldFacts) -> Value {
        let mut schema = self.render_shape(&field.shape);
        let map = schema.make_map();
        let list = match field.list {
            ListType::Unsaid => None,
            ListType::Atomic => Some("atomic"),
            ListType::Set => Some("set"),
            ListType::Map => Some("map"),
        };
        if let Some(list) = list {
            map.insert("x-kubernetes-list-type", list);
        }
        if !field.keys.is_empty() {
            let keys: Vec<Value> = field.keys.iter().map(|key| Value::from(&**key)).collect();
            map.insert("x-kubernetes-list-map-keys", keys);
        }
        if let Some(key) = &field.merge_key {
            map.insert("x-kubernetes-patch-merge-key", &**key);
        }
        let strategies = [
            ("merge", field.patch_merge),
            ("replace", field.patch_replace),
            ("retainKeys", field.patch_retain_keys),
        ];
        let strategies: Vec<&str> =
            strategies.into_iter().filter(|(_, is_set)| *is_set).map(|(name, _)| name).collect();
        if !strategies.is_empty() {
            map.insert("x-kubernetes-patch-strategy", strategies.join(","));
        }
        if field.atomic {
            map.insert("x-kubernetes-map-type", "atomic");
        }
        schema
    }

    fn render_shape(&self, shape: &Shape) -> Value {
        match shape {
            Shape::String => value!({ "type": "string" }),
            Shape::Int32 => value!({ "type": "integer", "format": "int32" }),
            Shape::Int64 => value!({ "type": "integer", "format": "int64" }),
            Shape::Double => value!({ "type": "number", "format": "double" }),
            Shape::Bool => value!({ "type": "boolean" }),
            Shape::Bytes => value!({ "type": "string", "format": "byte" }),
            Shape::Time | Shape::MicroTime => value!({ "type": "string", "format": "date-time" }),
            Shape::Quantity => value!({ "oneOf": [{ "type": "string" }, { "type": "number" }] }),
            Shape::IntOrString => value!({
                "format": "int-or-string", "oneOf": [{ "type": "integer" }, { "type": "string" }],
            }),
            Shape::Any => value!({ "type": "object" }),
            Shape::List(item) => value!({ "type": "array", "items": (self.render_shape(item)) }),
            Shape::Map(item) => {
                value!({ "type": "object", "additionalProperties": (self.render_shape(item)) })
            }
            // A reference may have no neighbours, so that what is said about the field stands beside `allOf`.
            Shape::Object(_) => value!({ "allOf": [(reference(self.registry, shape))] }),
        }
    }
}

/// `{"$ref": ...}` of a known type; any object for others.
pub(super) fn reference(registry: &Registry, shape: &Shape) -> Value {
    match registry.schema().object_facts(shape) {
        Some(facts) => to_component(&registry.schema().openapi_name(&facts.name)),
        None => value!({ "type": "object" }),
    }
}

fn to_component(name: &str) -> Value {
    value!({ "$ref": (format!("#/components/schemas/{name}")) })
}

/// The reference to a kind's own schema.
pub(super) fn kind_reference(registry: &Registry, kind: &KindFacts) -> Value {
    match &kind.shape {
        shape @ Shape::Object(_) => reference(registry, shape),
        _ => to_component(&untyped_name(kind)),
    }
}

/// `dev.demo.v1.Widget`: what the schema of a kind without declared fields is called.
fn untyped_name(kind: &KindFacts) -> String {
    let mut parts: Vec<&str> = kind.gvk.group.split('.').rev().collect();
    parts.extend([kind.gvk.version.as_str(), kind.gvk.kind.as_str()]);
    parts.join(".")
}

pub(super) fn gvk_value(gvk: &Gvk) -> Value {
    value!({ "group": (&gvk.group), "kind": (&gvk.kind), "version": (&gvk.version) })
}

fn innermost(shape: &Shape) -> Option<TypeId> {
    match shape {
        Shape::Object(id) => Some(*id),
        Shape::List(item) | Shape::Map(item) => innermost(item),
        _ => None,
    }
}
