//! Sets of fields, and their form in `metadata.managedFields` (`FieldsV1`).
//!
//! Way in: [`FieldSet::of`], [`FieldSet::from_value`].
//! Spec: Kubernetes API reference, `ManagedFieldsEntry`; KEP-555: `f:` a field, `k:` an item by its keys, `v:` an item
//! by its value, `i:` an item by its index, `.` the place itself.

use std::{collections::BTreeMap, fmt};

use super::{
    Key, Place,
    place::{Parts, parts},
};
use crate::{Map, Value, json};

/// Sets that come from outside are at most this deep.
const DEPTH_MAX: usize = json::Limits::DEPTH;

/// One step of a path, in its written form: `f:spec`, `k:{"name":"web"}`, `v:"a"`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Step(Box<str>);

impl Step {
    /// To a field or an entry.
    #[must_use]
    pub fn field(name: &str) -> Self {
        Self(format!("f:{name}").into())
    }

    /// To an item that is its value.
    #[must_use]
    pub fn value(item: &Value) -> Self {
        Self(format!("v:{}", json::to_string(item)).into())
    }

    /// To an item by its keys; `None` if it has none of them.
    #[must_use]
    pub fn key(keys: &[Key], item: &Value) -> Option<Self> {
        let mut found: Vec<(&str, &Value)> = Vec::with_capacity(keys.len());
        for key in keys {
            let given = Some(item.at(&key.name)).filter(|value| !value.is_null());
            if let Some(value) = given.or(key.default.as_ref()) {
                found.push((&key.name, value));
            }
        }
        if found.is_empty() || item.as_map().is_none() {
            return None;
        }
        found.sort_by_key(|(name, _)| *name);
        let mut map = Map::new();
        for (name, value) in found {
            map.insert(name, value.clone());
        }
        Some(Self(format!("k:{}", json::to_string(&Value::Map(map))).into()))
    }

    /// The field's name, if this is a step to one.
    #[must_use]
    pub fn field_name(&self) -> Option<&str> {
        self.0.strip_prefix("f:")
    }

    fn read(text: &str) -> Result<Self, FieldSetError> {
        let bad = || FieldSetError::Step(text.to_owned());
        let (sort, rest) = text.split_once(':').ok_or_else(bad)?;
        let parsed = || json::from_slice(rest.as_bytes()).map_err(|_| bad());
        match sort {
            "f" => Ok(Self::field(rest)),
            "v" => Ok(Self::value(&parsed()?)),
            "i" => rest.parse::<u32>().map(|_| Self(text.into())).map_err(|_| bad()),
            "k" => {
                let item = parsed()?;
                let names = item.as_map().into_iter().flat_map(Map::keys);
                let keys: Vec<Key> =
                    names.map(|name| Key { name: (**name).into(), default: None }).collect();
                Self::key(&keys, &item).ok_or_else(bad)
            }
            _ => Err(bad()),
        }
    }
}

impl fmt::Display for Step {
    /// As people read paths: `.spec`, `[name="web"]`, `["a"]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.split_once(':') {
            Some(("f", name)) => write!(f, ".{name}"),
            Some(("k", keys)) => {
                let keys = json::from_slice(keys.as_bytes()).unwrap_or_default();
                let pairs = keys.as_map().into_iter().flat_map(Map::iter);
                let pairs: Vec<String> = pairs
                    .map(|(name, value)| format!("{}={}", &**name, json::to_string(value)))
                    .collect();
                write!(f, "[{}]", pairs.join(","))
            }
            Some((_, rest)) => write!(f, "[{rest}]"),
            None => f.write_str(&self.0),
        }
    }
}

/// Fields of an object, as a tree of steps.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FieldSet {
    steps: BTreeMap<Step, Node>,
}

/// What lies behind one step.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Node {
    /// Whether the place itself is a member.
    pub(super) own: bool,
    /// What is a member below it.
    pub(super) below: FieldSet,
}

/// A written set that cannot be read. Who wrote it acts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FieldSetError {
    /// A step that is none.
    #[error("{0:?} is no step to a field")]
    Step(String),
    /// Something else than steps.
    #[error("a set of fields must be an object of objects")]
    Shape,
    /// Too many levels.
    #[error("a set of fields is nested too deep")]
    Depth,
}

impl FieldSet {
    /// Everything that a value sets.
    #[must_use]
    pub fn of(place: &impl Place, value: &Value) -> Self {
        let mut set = Self::default();
        set.collect(place, value);
        set
    }

    /// Adds what a value sets below its place; false if it is owned as a whole.
    pub(super) fn collect(&mut self, place: &impl Place, value: &Value) -> bool {
        match parts(place, value) {
            Parts::Whole => return false,
            Parts::Fields(map, is_entry) => {
                for (name, value) in map.iter() {
                    let mut node = Node::default();
                    let has_parts = node.below.collect(&place.field(name), value);
                    let is_empty = value.as_map().is_some_and(Map::is_empty);
                    node.own = !has_parts || is_empty || is_entry;
                    self.put(Step::field(name), node);
                }
            }
            Parts::Items(items) => {
                let place = place.item();
                for (step, item) in items {
                    let mut node = Node { own: true, below: Self::default() };
                    node.below.collect(&place, item);
                    self.put(step, node);
                }
            }
        }
        true
    }

    /// Adds one node; an empty one is dropped.
    pub(super) fn put(&mut self, step: Step, node: Node) {
        if node.own || !node.below.is_empty() {
            let place = self.steps.entry(step).or_default();
            place.own |= node.own;
            place.below.add(&node.below);
        }
    }

    /// Whether there is no member.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    pub(super) fn node(&self, step: &Step) -> Option<&Node> {
        self.steps.get(step)
    }

    /// Adds all members of another set.
    pub fn add(&mut self, other: &Self) {
        for (step, node) in &other.steps {
            let place = self.steps.entry(step.clone()).or_default();
            place.own |= node.own;
            place.below.add(&node.below);
        }
    }

    /// Takes all members of another set away.
    pub fn subtract(&mut self, other: &Self) {
        for (step, node) in &other.steps {
            if let Some(place) = self.steps.get_mut(step) {
                place.own &= !node.own;
                place.below.subtract(&node.below);
                if !place.own && place.below.is_empty() {
                    self.steps.remove(step);
                }
            }
        }
    }

    /// The members that another set has too.
    #[must_use]
    pub fn common(&self, other: &Self) -> Self {
        let mut common = Self::default();
        for (step, node) in &self.steps {
            if let Some(theirs) = other.steps.get(step) {
                let own = node.own && theirs.own;
                common.put(step.clone(), Node { own, below: node.below.common(&theirs.below) });
            }
        }
        common
    }

    /// Takes a place and everything below it away.
    pub fn remove_path(&mut self, fields: &[&str]) {
        let Some((first, rest)) = fields.split_first() else { return };
        let step = Step::field(first);
        let Some(node) = self.steps.get_mut(&step) else { return };
        if rest.is_empty() {
            self.steps.remove(&step);
            return;
        }
        node.below.remove_path(rest);
        if !node.own && node.below.is_empty() {
            self.steps.remove(&step);
        }
    }

    /// Takes everything away but what lies at these places or below them.
    pub fn retain_paths(&mut self, kept: &[&[&str]]) {
        let mut rest = self.clone();
        kept.iter().for_each(|path| rest.remove_path(path));
        self.subtract(&rest);
    }

    /// Every member as a path that people read: `.spec.replicas`.
    #[must_use]
    pub fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        self.add_paths("", &mut paths);
        paths
    }

    fn add_paths(&self, before: &str, paths: &mut Vec<String>) {
        for (step, node) in &self.steps {
            let path = format!("{before}{step}");
            if node.own {
                paths.push(path.clone());
            }
            node.below.add_paths(&path, paths);
        }
    }

    /// The written form.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let mut map = Map::new();
        for (step, node) in &self.steps {
            let mut below = node.below.to_value();
            if node.own && !node.below.is_empty() {
                let mut marked = Map::new();
                marked.insert(".", Value::Map(Map::new()));
                let inner = below.as_map().into_iter().flat_map(Map::iter);
                inner.for_each(|(name, value)| {
                    marked.insert(name.clone(), value.clone());
                });
                below = Value::Map(marked);
            }
            map.insert(&*step.0, below);
        }
        Value::Map(map)
    }

    /// Reads the written form.
    ///
    /// # Errors
    /// What is no set of fields.
    pub fn from_value(value: &Value) -> Result<Self, FieldSetError> {
        Self::read(value, DEPTH_MAX)
    }

    fn read(value: &Value, depth: usize) -> Result<Self, FieldSetError> {
        let depth = depth.checked_sub(1).ok_or(FieldSetError::Depth)?;
        let mut set = Self::default();
        for (name, inner) in value.as_map().ok_or(FieldSetError::Shape)?.iter() {
            if &**name == "." {
                continue;
            }
            let map = inner.as_map().ok_or(FieldSetError::Shape)?;
            let own = map.is_empty() || map.contains_key(".");
            set.put(Step::read(name)?, Node { own, below: Self::read(inner, depth)? });
        }
        Ok(set)
    }
}
