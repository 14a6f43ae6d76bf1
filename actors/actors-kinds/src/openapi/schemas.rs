//! The types that kinds are made of.

use std::collections::BTreeMap;

use actors_object::{Gvk, Map, Value, value};

use super::{Dialect, Source};
use crate::{
    facts::{Alternative, FieldFacts, ListType, Shape, TypeFacts, TypeId},
    registry::KindFacts,
};

/// Types with names of their own that JSON writes as scalars or as anything.
/// Spec: Kubernetes documentation, "the Kubernetes API", the definitions of these names.
const QUANTITY: &str = "io.k8s.apimachinery.pkg.api.resource.Quantity";
const INT_OR_STRING: &str = "io.k8s.apimachinery.pkg.util.intstr.IntOrString";
const TIME: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Time";
const MICRO_TIME: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime";
const FIELDS: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1";
const RAW: &str = "io.k8s.apimachinery.pkg.runtime.RawExtension";
const JSON: &str = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON";
const SCHEMA_OR: &str =
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOr";

/// The schemas of the types that were asked for, and of all that those refer to.
pub(super) struct Needed<'a> {
    source: Source<'a>,
    types: BTreeMap<String, Value>,
}

impl<'a> Needed<'a> {
    pub(super) fn new(source: Source<'a>) -> Self {
        let mut needed = Self { source, types: BTreeMap::new() };
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
                if let Some(list) = self.source.list_name(kind) {
                    self.add_named(&list);
                }
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
        self.types.into_iter().collect()
    }

    fn add_named(&mut self, name: &str) {
        if let Some(id) = self.source.registry.schema().type_named(name) {
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
        let schema = self.source.registry.schema();
        let Some(facts) = schema.facts(id) else { return };
        let name = schema.openapi_name(&facts.name);
        if self.types.contains_key(&name) {
            return;
        }
        let rendered = self.render(facts, &name);
        self.types.insert(name, rendered);
        for field in &facts.fields {
            self.add_shape(&field.shape, facts, &field.name);
        }
    }

    fn add_shape(&mut self, shape: &Shape, owner: &TypeFacts, field: &str) {
        match shape {
            Shape::Object(id) => self.add_type(*id),
            Shape::List(item) | Shape::Map(item) => self.add_shape(item, owner, field),
            other => {
                let Some(name) = scalar_name(other, owner, field) else { return };
                if !self.types.contains_key(&name) {
                    let rendered = self.render_scalar(other, &name);
                    self.types.insert(name, rendered);
                }
            }
        }
        if let Shape::SchemaOr(_, id) = shape {
            self.add_type(*id);
        }
    }

    fn render(&self, facts: &TypeFacts, name: &str) -> Value {
        let mut schema = Map::new();
        self.add_description(&mut schema, name, None);
        schema.insert("type", "object");
        let mut properties = Map::new();
        let mut fields: Vec<&FieldFacts> = facts.fields.iter().collect();
        fields.sort_by(|one, other| one.name.cmp(&other.name));
        for field in &fields {
            properties.insert(&*field.name, self.render_field(field, facts, name));
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

    fn add_description(&self, schema: &mut Map, type_name: &str, field: Option<&str>) {
        if let Some(text) = self.source.texts.describe(type_name, field) {
            schema.insert("description", text);
        }
    }

    fn render_scalar(&self, shape: &Shape, name: &str) -> Value {
        let mut schema = Map::new();
        self.add_description(&mut schema, name, None);
        let (is_v2, text) = (self.source.dialect == Dialect::V2, value!({ "type": "string" }));
        match shape {
            Shape::Time | Shape::MicroTime => {
                schema.insert("type", "string");
                schema.insert("format", "date-time");
            }
            Shape::Quantity if is_v2 => drop(schema.insert("type", "string")),
            Shape::Quantity => {
                schema.insert("oneOf", vec![text, value!({ "type": "number" })]);
            }
            Shape::IntOrString if is_v2 => {
                schema.insert("type", "string");
                schema.insert("format", "int-or-string");
            }
            Shape::IntOrString => {
                schema.insert("oneOf", vec![value!({ "type": "integer" }), text]);
                schema.insert("format", "int-or-string");
            }
            // Of the others any JSON is taken, also what is no object.
            _ if name == FIELDS || name == RAW => drop(schema.insert("type", "object")),
            _ => {}
        }
        Value::Map(schema)
    }

    fn render_field(&self, field: &FieldFacts, owner: &TypeFacts, name: &str) -> Value {
        let mut schema = Map::new();
        self.add_description(&mut schema, name, Some(&field.name));
        for (key, value) in self.render_shape(&field.shape, owner, &field.name) {
            schema.insert(key, value);
        }
        let list = match field.list {
            ListType::Unsaid => None,
            ListType::Atomic => Some("atomic"),
            ListType::Set => Some("set"),
            ListType::Map => Some("map"),
        };
        if let Some(list) = list {
            schema.insert("x-kubernetes-list-type", list);
        }
        if !field.keys.is_empty() {
            let keys: Vec<Value> = field.keys.iter().map(|key| Value::from(&**key)).collect();
            schema.insert("x-kubernetes-list-map-keys", keys);
        }
        if let Some(key) = &field.merge_key {
            schema.insert("x-kubernetes-patch-merge-key", &**key);
        }
        let strategies = [
            ("merge", field.patch_merge),
            ("replace", field.patch_replace),
            ("retainKeys", field.patch_retain_keys),
        ];
        let strategies: Vec<&str> =
            strategies.into_iter().filter(|(_, is_set)| *is_set).map(|(name, _)| name).collect();
        if !strategies.is_empty() {
            schema.insert("x-kubernetes-patch-strategy", strategies.join(","));
        }
        if field.atomic {
            schema.insert("x-kubernetes-map-type", "atomic");
        }
        Value::Map(schema)
    }

    fn render_shape(&self, shape: &Shape, owner: &TypeFacts, field: &str) -> Map {
        let schema = match shape {
            Shape::String => value!({ "type": "string" }),
            Shape::Int32 => value!({ "type": "integer", "format": "int32" }),
            Shape::Int64 => value!({ "type": "integer", "format": "int64" }),
            Shape::Double => value!({ "type": "number", "format": "double" }),
            Shape::Bool => value!({ "type": "boolean" }),
            Shape::Bytes => value!({ "type": "string", "format": "byte" }),
            Shape::List(item) => {
                let item = self.render_shape(item, owner, field);
                value!({ "type": "array", "items": item })
            }
            Shape::Map(item) => {
                let item = self.render_shape(item, owner, field);
                value!({ "type": "object", "additionalProperties": item })
            }
            Shape::Object(_) => self.source.within(self.source.reference(shape)),
            other => match scalar_name(other, owner, field) {
                Some(name) => self.source.within(self.source.to_schema(&name)),
                None => value!({ "type": "object" }),
            },
        };
        match schema {
            Value::Map(map) => map,
            _ => Map::new(),
        }
    }
}

/// The name of a type that is no object of known fields.
fn scalar_name(shape: &Shape, owner: &TypeFacts, field: &str) -> Option<String> {
    let name = match shape {
        Shape::Quantity => QUANTITY,
        Shape::IntOrString => INT_OR_STRING,
        Shape::Time => TIME,
        Shape::MicroTime => MICRO_TIME,
        Shape::Any if field == "fieldsV1" => FIELDS,
        Shape::Any if &*owner.name == "apiextensions.v1.JSONSchemaProps" => JSON,
        Shape::Any => RAW,
        Shape::SchemaOr(Alternative::Bool, _) => return Some(format!("{SCHEMA_OR}Bool")),
        Shape::SchemaOr(Alternative::List, _) => return Some(format!("{SCHEMA_OR}Array")),
        Shape::SchemaOr(Alternative::Texts, _) => return Some(format!("{SCHEMA_OR}StringArray")),
        _ => return None,
    };
    Some(name.to_owned())
}

impl Source<'_> {
    /// `{"$ref": ...}` of a known type; any object for others.
    pub(super) fn reference(&self, shape: &Shape) -> Value {
        match self.registry.schema().object_facts(shape) {
            Some(facts) => self.to_schema(&self.registry.schema().openapi_name(&facts.name)),
            None => value!({ "type": "object" }),
        }
    }

    /// A reference may have no neighbours in version 3: what is said about the field stands beside `allOf`.
    fn within(&self, reference: Value) -> Value {
        match self.dialect {
            Dialect::V2 => reference,
            Dialect::V3 => value!({ "allOf": [reference] }),
        }
    }

    fn to_schema(self, name: &str) -> Value {
        let place = match self.dialect {
            Dialect::V2 => "definitions",
            Dialect::V3 => "components/schemas",
        };
        value!({ "$ref": (format!("#/{place}/{name}")) })
    }

    /// The reference to a kind's own schema.
    pub(super) fn kind_reference(&self, kind: &KindFacts) -> Value {
        match &kind.shape {
            shape @ Shape::Object(_) => self.reference(shape),
            _ => self.to_schema(&untyped_name(kind)),
        }
    }

    /// The reference to a type by its short name: `meta.v1.Status`.
    pub(super) fn named_reference(&self, name: &str) -> Value {
        self.reference(&self.registry.shape_named(name))
    }

    /// The short name of the type of a kind's lists, if that is known.
    pub(super) fn list_name(&self, kind: &KindFacts) -> Option<String> {
        let facts = self.registry.schema().object_facts(&kind.shape)?;
        let list = format!("{}List", facts.name);
        self.registry.schema().type_named(&list).map(|_| list)
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
