//! A place in an object: the value there, and how it was reached, without building its path before it is needed.
//!
//! Way in: [`Spot::root`].  Invariant: only [`Spot::path`], which is called for a fault, allocates.

use actors_object::{FieldPath, Value};

/// One place in an object that is being validated.
#[derive(Clone, Copy)]
pub(crate) struct Spot<'a> {
    /// What is there; null if nothing is.
    pub(crate) value: &'a Value,
    above: Option<&'a Spot<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Root,
    Field(&'a str),
    Item(&'a str, usize),
    Entry(&'a str, &'a str),
}

impl<'a> Spot<'a> {
    /// The object itself.
    pub(crate) fn root(value: &'a Value) -> Self {
        Self { value, above: None, step: Step::Root }
    }

    /// A field of the object here.
    pub(crate) fn field<'b>(&'b self, name: &'b str) -> Spot<'b> {
        Spot { value: self.value.at(name), above: Some(self), step: Step::Field(name) }
    }

    /// The items of a list in a field.
    pub(crate) fn each<'b>(&'b self, name: &'b str) -> impl Iterator<Item = Spot<'b>> {
        let items = self.value.at(name).as_list().unwrap_or_default();
        items.iter().enumerate().map(move |(index, value)| Spot {
            value,
            above: Some(self),
            step: Step::Item(name, index),
        })
    }

    /// The entries of a map in a field.
    pub(crate) fn entries<'b>(
        &'b self,
        name: &'b str,
    ) -> impl Iterator<Item = (&'b str, Spot<'b>)> {
        let entries = self.value.at(name).as_map();
        entries.into_iter().flat_map(|map| map.iter()).map(move |(key, value)| {
            let step = Step::Entry(name, key);
            (&**key, Spot { value, above: Some(self), step })
        })
    }

    /// The path from the root of the object.
    pub(crate) fn path(&self) -> FieldPath {
        let above = self.above.map_or_else(FieldPath::root, Spot::path);
        match self.step {
            Step::Root => above,
            Step::Field(name) => above.push_field(name),
            Step::Item(name, index) => above.push_field(name).push_index(index),
            Step::Entry(name, key) => above.push_field(name).push_key(key),
        }
    }

    /// Whether anything but null is here.
    pub(crate) fn is_set(&self) -> bool {
        !self.value.is_null()
    }

    /// Whether nothing is here, or an empty text, list or map.
    pub(crate) fn is_empty(&self) -> bool {
        match self.value {
            Value::Null => true,
            Value::String(text) => text.is_empty(),
            Value::List(items) => items.is_empty(),
            Value::Map(map) => map.is_empty(),
            _ => false,
        }
    }

    /// The text here; empty if there is none.
    pub(crate) fn text(&self) -> &'a str {
        self.value.as_str().unwrap_or_default()
    }

    /// The whole number here.
    pub(crate) fn int(&self) -> Option<i64> {
        self.value.as_i64()
    }

    /// Whether `true` is here.
    pub(crate) fn is_true(&self) -> bool {
        self.value.as_bool() == Some(true)
    }

    /// How many items or entries are here.
    pub(crate) fn len(&self) -> usize {
        match self.value {
            Value::List(items) => items.len(),
            Value::Map(map) => map.len(),
            _ => 0,
        }
    }
}
