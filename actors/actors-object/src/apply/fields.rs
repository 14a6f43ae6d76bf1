//! Sets of fields, and their form in `metadata.managedFields` (`FieldsV1`).
//!
//! Way in: [`FieldSet::of`], [`FieldSet::from_value`].
//! Spec: Kubernetes API reference, `ManagedFieldsEntry`; KEP-555: `f:` a field, `k:` an item by its keys, `v:` an item
//! by its value, `i:` an item by its index, `.` the place itself.

use std::fmt;

use super::{
    Key, Place,
    place::{Parts, parts},
};
use crate::{Map, Name, Value, json};

/// Sets that come from outside are at most this deep.
const DEPTH_MAX: usize = json::Limits::DEPTH;

/// One step of a path, in its written form: `f:spec`, `k:{"name":"web"}`, `v:"a"`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Step(Name);

impl Step {
    /// To a field or an entry.
    #[must_use]
    pub fn field(name: &str) -> Self {
        Self(Name::joined("f:", name))
    }

    /// To an item that is its value.
    #[must_use]
    pub fn value(item: &Value) -> Self {
        Self(Name::joined("v:", &json::to_string(item)))
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
        let map: Map = found.into_iter().map(|(name, value)| (name, value.clone())).collect();
        Some(Self(Name::joined("k:", &json::to_string(&Value::Map(map)))))
    }

    /// The field's name, if this is a step to one.
    #[must_use]
    pub fn field_name(&self) -> Option<&str> {
        self.0.strip_prefix("f:")
    }

    fn read(text: &Name) -> Result<Self, FieldSetError> {
        let bad = || FieldSetError::Step(text.as_str().to_owned());
        let (sort, rest) = text.split_once(':').ok_or_else(bad)?;
        let parsed = || json::from_slice(rest.as_bytes()).map_err(|_| bad());
        match sort {
            "f" => Ok(Self(text.clone())),
            "v" => Ok(Self::value(&parsed()?)),
            "i" => rest.parse::<u32>().map(|_| Self(text.clone())).map_err(|_| bad()),
            "k" if is_plain_key(rest) => Ok(Self(text.clone())),
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

/// Whether these are the keys of an item as [`Step::key`] writes them, seen without reading them:
/// one key, and a text in which nothing is escaped.
fn is_plain_key(keys: &str) -> bool {
    let parts = keys.strip_prefix("{\"").and_then(|rest| rest.strip_suffix("\"}"));
    let is_plain = |text: &str| {
        text.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\')
    };
    parts
        .and_then(|parts| parts.split_once("\":\""))
        .is_some_and(|(name, text)| is_plain(name) && is_plain(text))
}

/// Fields of an object, as a tree of steps.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FieldSet {
    /// Invariant: ordered by step, and no step stands twice. Most levels have one step or two: a tree would take
    /// more room than what is in it.
    steps: Vec<(Step, Node)>,
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
                self.steps.reserve(map.len());
                for (name, value) in in_order(map) {
                    let mut node = Node::default();
                    let has_parts = node.below.collect(&place.field(name), value);
                    let is_empty = value.as_map().is_some_and(Map::is_empty);
                    node.own = !has_parts || is_empty || is_entry;
                    self.put(Step::field(name), node);
                }
            }
            Parts::Items(mut items) => {
                let place = place.item();
                items.sort_by(|(one, _), (other, _)| one.cmp(other));
                self.steps.reserve(items.len());
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
        if !node.own && node.below.is_empty() {
            return;
        }
        match self.place(&step) {
            Ok(at) => {
                let place = &mut self.steps[at].1;
                place.own |= node.own;
                place.below.add(&node.below);
            }
            Err(at) => self.steps.insert(at, (step, node)),
        }
    }

    /// Where a step stands, or where it would.
    fn place(&self, step: &Step) -> Result<usize, usize> {
        // What is added in order comes behind the others.
        match self.steps.last() {
            Some((last, _)) if last < step => Err(self.steps.len()),
            _ => self.steps.binary_search_by(|(known, _)| known.cmp(step)),
        }
    }

    /// Whether there is no member.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    pub(super) fn node(&self, step: &Step) -> Option<&Node> {
        self.place(step).ok().map(|at| &self.steps[at].1)
    }

    /// Adds all members of another set.
    pub fn add(&mut self, other: &Self) {
        if self.is_empty() {
            self.steps.clone_from(&other.steps);
            return;
        }
        let mut theirs = other.steps.iter().peekable();
        let mut sum = Vec::with_capacity(self.steps.len() + other.steps.len());
        for (step, mut node) in std::mem::take(&mut self.steps) {
            while let Some(new) = theirs.next_if(|(their, _)| *their < step) {
                sum.push(new.clone());
            }
            if let Some((_, new)) = theirs.next_if(|(their, _)| *their == step) {
                node.own |= new.own;
                node.below.add(&new.below);
            }
            sum.push((step, node));
        }
        sum.extend(theirs.cloned());
        self.steps = sum;
    }

    /// Takes all members of another set away.
    pub fn subtract(&mut self, other: &Self) {
        let mut theirs = other.steps.iter().peekable();
        self.steps.retain_mut(|(step, node)| {
            while theirs.next_if(|(their, _)| their < step).is_some() {}
            if let Some((_, gone)) = theirs.next_if(|(their, _)| their == step) {
                node.own &= !gone.own;
                node.below.subtract(&gone.below);
                return node.own || !node.below.is_empty();
            }
            true
        });
    }

    /// The members that another set has too.
    #[must_use]
    pub fn common(&self, other: &Self) -> Self {
        let mut common = Self::default();
        let mut theirs = other.steps.iter().peekable();
        for (step, node) in &self.steps {
            while theirs.next_if(|(their, _)| their < step).is_some() {}
            if let Some((_, also)) = theirs.next_if(|(their, _)| their == step) {
                let own = node.own && also.own;
                common.put(step.clone(), Node { own, below: node.below.common(&also.below) });
            }
        }
        common
    }

    /// Whether there is a member that another set has too.
    pub(super) fn meets(&self, other: &Self) -> bool {
        let mut theirs = other.steps.iter().peekable();
        self.steps.iter().any(|(step, node)| {
            while theirs.next_if(|(their, _)| their < step).is_some() {}
            let same = theirs.next_if(|(their, _)| their == step);
            same.is_some_and(|(_, also)| (node.own && also.own) || node.below.meets(&also.below))
        })
    }

    /// Takes a place and everything below it away.
    pub fn remove_path(&mut self, fields: &[&str]) {
        let Some((first, rest)) = fields.split_first() else { return };
        // Levels that anybody names are short; a step to look for would have to be made.
        let mut steps = self.steps.iter();
        let Some(at) = steps.position(|(step, _)| step.field_name() == Some(first)) else { return };
        let node = &mut self.steps[at].1;
        let is_whole = rest.is_empty();
        if !is_whole {
            node.below.remove_path(rest);
        }
        if is_whole || (!node.own && node.below.is_empty()) {
            self.steps.remove(at);
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
        self.written(false)
    }

    fn written(&self, is_marked: bool) -> Value {
        let mark = is_marked.then(|| (Name::from("."), Value::Map(Map::new())));
        let below = |node: &Node| node.below.written(node.own && !node.below.is_empty());
        let steps = self.steps.iter().map(|(step, node)| (step.0.clone(), below(node)));
        // No step stands twice, and none is a dot.
        Value::Map(Map::from_unique(Vec::from_iter(mark.into_iter().chain(steps)).into_iter()))
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
        for (name, inner) in in_order(value.as_map().ok_or(FieldSetError::Shape)?) {
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

/// Fields in the order of their names: what is added in order is added at the end.
pub(super) fn in_order(map: &Map) -> Vec<(&Name, &Value)> {
    let mut fields: Vec<_> = map.iter().collect();
    if !fields.is_sorted_by_key(|(name, _)| *name) {
        fields.sort_unstable_by_key(|(name, _)| *name);
    }
    fields
}

#[cfg(test)]
mod tests;
