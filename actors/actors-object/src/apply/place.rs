//! What apply must know of a place in an object: whether it is owned as a whole or part by part.
//!
//! Way in: [`Place`].

use super::Step;
use crate::{Map, Value};

/// A place in the objects of one kind, as its schema sees it. Cheap to clone.
pub trait Place: Clone {
    /// How values at this place are owned.
    fn form(&self) -> Form;

    /// The place of a field or entry below.
    fn field(&self, name: &str) -> Self;

    /// The place of the items below.
    fn item(&self) -> Self;
}

/// How values at a place are owned.
#[derive(Debug, Clone, PartialEq)]
pub enum Form {
    /// As a whole: scalars, and what is atomic.
    Whole,
    /// Field by field.
    Fields,
    /// Entry by entry, under keys that the schema does not name.
    Entries,
    /// Item by item; an item is its value.
    Set,
    /// Item by item; these fields tell items apart.
    Keyed(Vec<Key>),
    /// There is no schema: maps entry by entry, lists as a whole.
    Unknown,
}

/// A field that tells the items of a list apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    /// Its name.
    pub name: Box<str>,
    /// What an item that does not have it means.
    pub default: Option<Value>,
}

/// The place of everything in a kind without a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Deduced;

impl Place for Deduced {
    fn form(&self) -> Form {
        Form::Unknown
    }

    fn field(&self, _name: &str) -> Self {
        Self
    }

    fn item(&self) -> Self {
        Self
    }
}

/// A value and its place, taken apart one level.
pub(super) enum Parts<'v> {
    /// It is owned as a whole.
    Whole,
    /// Its fields; `true` if each is a member of its own whatever is below it.
    Fields(&'v Map, bool),
    /// Its items.
    Items(Vec<(Step, &'v Value)>),
}

/// Takes a value apart as its place says; what does not fit the schema is owned as a whole.
pub(super) fn parts<'v>(place: &impl Place, value: &'v Value) -> Parts<'v> {
    match (place.form(), value) {
        (Form::Fields, Value::Map(map)) => Parts::Fields(map, false),
        (Form::Entries | Form::Unknown, Value::Map(map)) => Parts::Fields(map, true),
        (Form::Set, Value::List(items)) => {
            Parts::Items(items.iter().map(|item| (Step::value(item), item)).collect())
        }
        (Form::Keyed(keys), Value::List(items)) => {
            let steps: Option<Vec<_>> =
                items.iter().map(|item| Some((Step::key(&keys, item)?, item))).collect();
            steps.map_or(Parts::Whole, Parts::Items)
        }
        _ => Parts::Whole,
    }
}
