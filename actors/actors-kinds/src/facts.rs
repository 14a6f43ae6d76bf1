//! What upstream's description says about types: fields, their shapes, list keys, patch strategies, numbers.
//!
//! Way in: [`Schema`].  Owns: the parsed fact table (`tables/facts.txt`, made by `cargo xtask generate`).
//! Never: defaults or validation; those are documented in prose, and written by hand in this crate.
//! Invariants: 1. A [`TypeId`] indexes the schema that gave it. 2. Fields stand in the order of their protobuf
//! numbers, which is the order in which objects are stored and shown.

mod table;

use std::collections::BTreeMap;

use actors_object::Gvk;

pub(crate) use table::{ResourceRow, SubresourceRow, Table};
pub use table::{TableError, TableProblem};

/// A type of one [`Schema`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TypeId(u32);

/// What a field holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// A text.
    String,
    /// A whole number of 32 bits.
    Int32,
    /// A whole number of 64 bits.
    Int64,
    /// A number with a fraction.
    Double,
    /// True or false.
    Bool,
    /// Bytes, in JSON as base64.
    Bytes,
    /// An instant in seconds: RFC 3339.
    Time,
    /// An instant in microseconds: RFC 3339.
    MicroTime,
    /// An amount of a resource: `100m`, `1Gi`.
    Quantity,
    /// A whole number or a text.
    IntOrString,
    /// Anything.
    Any,
    /// A JSON schema, which is an object of this type, or what stands for one.
    SchemaOr(Alternative, TypeId),
    /// An object of a known type.
    Object(TypeId),
    /// A list.
    List(Box<Shape>),
    /// A map with texts as keys.
    Map(Box<Shape>),
}

/// What may stand in place of a JSON schema within another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alternative {
    /// True or false: whether anything is allowed.
    Bool,
    /// A list of schemas.
    List,
    /// A list of names.
    Texts,
}

/// How lists merge, as server-side apply and clients see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ListType {
    /// Not said; replaced as a whole.
    #[default]
    Unsaid,
    /// Replaced as a whole.
    Atomic,
    /// A set of scalars.
    Set,
    /// A map, by the keys of [`FieldFacts::keys`].
    Map,
}

/// What an empty scalar (`""`, `0`, `false`) of a field means beside no value at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Empty {
    /// The same; it is not written.
    #[default]
    Absent,
    /// The same; but it is written, so that readers always find the field.
    Shown,
    /// Something else: `replicas: 0` is not the default of 1.
    Distinct,
}

/// One field of a type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldFacts {
    /// Its name in JSON.
    pub name: Box<str>,
    /// What it holds.
    pub shape: Shape,
    /// Its protobuf number; several where JSON inlines what protobuf keeps in messages of their own; none for
    /// the fields that protobuf keeps in its envelope.
    pub numbers: Vec<u16>,
    /// Whether upstream's schema requires it.
    pub required: bool,
    /// What its empty value means, if it is a scalar.
    pub empty: Empty,
    /// How it merges, if it is a list.
    pub list: ListType,
    /// The fields that identify an item, if [`ListType::Map`].
    pub keys: Vec<Box<str>>,
    /// Whether a strategic merge patch merges this list instead of replacing it.
    pub patch_merge: bool,
    /// Whether a strategic merge patch replaces this map instead of merging it.
    pub patch_replace: bool,
    /// Whether a strategic merge patch keeps only the keys it names (`retainKeys`).
    pub patch_retain_keys: bool,
    /// The field that identifies an item for a strategic merge patch.
    pub merge_key: Option<Box<str>>,
    /// Whether it is a map that is replaced as a whole.
    pub atomic: bool,
}

/// One type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeFacts {
    /// Its short name: `apps.v1.Deployment`.
    pub name: Box<str>,
    /// The kind whose objects have this type, if it is the root of one.
    pub gvk: Option<Gvk>,
    /// Whether it is replaced as a whole.
    pub atomic: bool,
    /// Its fields, in canonical order.
    pub fields: Vec<FieldFacts>,
    /// Invariant: the beginnings of the fields' names, with indices into `fields`; sorted.
    by_name: Vec<(u64, u16)>,
}

impl TypeFacts {
    /// The field with this name in JSON.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&FieldFacts> {
        self.position(name).and_then(|position| self.fields.get(position))
    }

    /// The place of a field in canonical order.
    #[must_use]
    pub fn position(&self, name: &str) -> Option<usize> {
        let beginning = beginning(name);
        let first = self.by_name.partition_point(|(known, _)| *known < beginning);
        let alike = self.by_name[first..].iter().take_while(|(known, _)| *known == beginning);
        let mut places = alike.map(|(_, index)| usize::from(*index));
        places.find(|place| self.fields.get(*place).is_some_and(|field| *field.name == *name))
    }
}

/// The first bytes of a name as a number: most names of a type differ there.
pub(crate) fn beginning(name: &str) -> u64 {
    let short = || name.bytes().fold(0, |number, byte| number << 8 | u64::from(byte));
    match name.as_bytes().first_chunk() {
        Some(first) => u64::from_be_bytes(*first),
        // As if zeros followed: a name stands before those that it begins.
        None => short() << (8 * (8 - name.len()) % 64),
    }
}

/// The names of one package of types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Short: `apps.v1`.
    pub short: Box<str>,
    /// In OpenAPI documents: `io.k8s.api.apps.v1`.
    pub openapi: Box<str>,
    /// In protobuf: `k8s.io.api.apps.v1`.
    pub proto: Box<str>,
}

/// All types.
#[derive(Debug, Clone, Default)]
pub struct Schema {
    types: Vec<TypeFacts>,
    by_name: BTreeMap<Box<str>, TypeId>,
    packages: Vec<Package>,
}

impl Schema {
    /// The type with this short name.
    #[must_use]
    pub fn type_named(&self, name: &str) -> Option<TypeId> {
        self.by_name.get(name).copied()
    }

    /// The shape of the objects of a kind, whether it is served or not. Walks all types.
    #[must_use]
    pub fn shape_of_kind(&self, gvk: &Gvk) -> Option<Shape> {
        let at = self.types.iter().position(|facts| facts.gvk.as_ref() == Some(gvk))?;
        u32::try_from(at).ok().map(|at| Shape::Object(TypeId(at)))
    }

    /// The facts of a type.
    #[must_use]
    pub fn facts(&self, id: TypeId) -> Option<&TypeFacts> {
        self.types.get(usize::try_from(id.0).ok()?)
    }

    /// The facts behind a shape, if it is an object of a known type.
    #[must_use]
    pub fn object_facts(&self, shape: &Shape) -> Option<&TypeFacts> {
        match shape {
            Shape::Object(id) => self.facts(*id),
            _ => None,
        }
    }

    /// One field of a type.
    #[must_use]
    pub fn field(&self, id: TypeId, name: &str) -> Option<&FieldFacts> {
        self.facts(id)?.field(name)
    }

    /// The field that a path of names reaches from a type; items of lists and values of maps take no step.
    #[must_use]
    pub fn field_at(&self, id: TypeId, path: &[&str]) -> Option<&FieldFacts> {
        let (last, before) = path.split_last()?;
        let mut at = id;
        for name in before {
            at = innermost(&self.field(at, name)?.shape)?;
        }
        self.field(at, last)
    }

    /// The full name of a type in OpenAPI documents.
    #[must_use]
    pub fn openapi_name(&self, short: &str) -> String {
        self.full_name(short, |package| &package.openapi)
    }

    /// The full name of a type's protobuf message.
    #[must_use]
    pub fn proto_name(&self, short: &str) -> String {
        self.full_name(short, |package| &package.proto)
    }

    fn full_name(&self, short: &str, pick: fn(&Package) -> &str) -> String {
        let Some((package, name)) = short.rsplit_once('.') else { return short.to_owned() };
        let found = self.packages.iter().find(|known| &*known.short == package);
        found.map_or_else(|| short.to_owned(), |known| format!("{}.{name}", pick(known)))
    }
}

/// The type of the objects in a shape, through lists and maps.
fn innermost(shape: &Shape) -> Option<TypeId> {
    match shape {
        Shape::Object(id) => Some(*id),
        Shape::List(item) | Shape::Map(item) => innermost(item),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
