//! Named fields in the order in which they were written.
//!
//! Way in: [`Map`].  Invariant: no name stands twice. Look-ups are linear: parsers bound the number
//! of members.

use std::collections::{BTreeMap, BTreeSet};

use ecow::EcoVec;

use super::Value;
use crate::Name;

/// An insertion-ordered map from field names to values. Equality does not look at the order.
///
/// A clone shares its fields with the original until one of the two is changed: to change one field of an object is to
/// copy the maps on the way to it, and nothing else.
#[derive(Debug, Clone, Default)]
pub struct Map {
    entries: EcoVec<(Name, Value)>,
}

impl Map {
    /// No fields.
    #[must_use]
    pub const fn new() -> Self {
        Self { entries: EcoVec::new() }
    }

    /// Takes entries as they are. Invariant of the caller: no name stands twice.
    pub(crate) fn from_unique(entries: impl ExactSizeIterator<Item = (Name, Value)>) -> Self {
        let mut kept = EcoVec::with_capacity(entries.len());
        kept.extend(entries);
        Self { entries: kept }
    }

    /// Whether both are one and the same: clones of which none was changed.
    #[must_use]
    pub fn is_shared_with(&self, other: &Self) -> bool {
        self.len() == other.len() && std::ptr::eq(self.entries.as_ptr(), other.entries.as_ptr())
    }

    /// How many fields there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The value of field `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.entries.iter().find(|(key, _)| *key == *name).map(|(_, value)| value)
    }

    /// The value of field `name`, to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Value> {
        let at = self.entries.iter().position(|(key, _)| *key == *name)?;
        Some(&mut self.entries.make_mut()[at].1)
    }

    /// Whether field `name` is there, be it `null`.
    #[must_use]
    pub fn contains_key(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Replaces the value of a field in its place, or adds the field behind the others; returns the
    /// old value.
    pub fn insert(&mut self, name: impl Into<Name>, value: impl Into<Value>) -> Option<Value> {
        let name = name.into();
        let value = value.into();
        match self.get_mut(&name) {
            Some(place) => Some(std::mem::replace(place, value)),
            None => {
                self.entries.push((name, value));
                None
            }
        }
    }

    /// Takes a field out; the others keep their order.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        let at = self.entries.iter().position(|(key, _)| *key == *name)?;
        Some(self.entries.remove(at).1)
    }

    /// The value of a field, made by `default` and added if it is not there.
    pub fn entry(&mut self, name: impl Into<Name>, default: impl FnOnce() -> Value) -> &mut Value {
        let name = name.into();
        let at = match self.entries.iter().position(|(key, _)| *key == name) {
            Some(at) => at,
            None => {
                self.entries.push((name, default()));
                self.entries.len() - 1
            }
        };
        &mut self.entries.make_mut()[at].1
    }

    /// The map at field `name`; whatever else stands there, or nothing, is replaced by an empty
    /// map.
    pub fn entry_or_map(&mut self, name: impl Into<Name>) -> &mut Self {
        self.entry(name, || Value::Map(Self::new())).make_map()
    }

    /// Sets a field only if it is not there or `null`; says whether it did.
    pub fn set_default(&mut self, name: impl Into<Name>, value: impl Into<Value>) -> bool {
        let name = name.into();
        // What is there is not copied to be left as it is.
        let absent = self.get(&name).is_none_or(|value| matches!(value, Value::Null));
        if absent {
            self.insert(name, value);
        }
        absent
    }

    /// Gives each of many changes its field's value, which is `null` if the field was not there:
    /// faster than one look-up for each. `change` says whether the field stays.
    pub fn merge(
        &mut self,
        changes: Self,
        mut change: impl FnMut(&Name, &mut Value, Value) -> bool,
    ) {
        let mut places: BTreeMap<Name, usize> = BTreeMap::new();
        for (at, (name, _)) in self.entries.iter().enumerate() {
            places.insert(name.clone(), at);
        }
        let mut gone = BTreeSet::new();
        for (name, new) in changes.entries {
            let at = *places.entry(name.clone()).or_insert_with(|| {
                self.entries.push((name.clone(), Value::Null));
                self.entries.len() - 1
            });
            if !change(&name, &mut self.entries.make_mut()[at].1, new) {
                gone.insert(name);
            }
        }
        if !gone.is_empty() {
            self.entries.retain(|(name, _)| !gone.contains(name));
        }
    }

    /// All fields in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&Name, &Value)> + Clone {
        self.entries.iter().map(|(name, value)| (name, value))
    }

    /// All fields in order, their values to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&Name, &mut Value)> {
        self.entries.make_mut().iter_mut().map(|(name, value)| (&*name, value))
    }

    /// All names in order.
    pub fn keys(&self) -> impl Iterator<Item = &Name> + Clone {
        self.entries.iter().map(|(name, _)| name)
    }

    /// All values in order.
    pub fn values(&self) -> impl Iterator<Item = &Value> + Clone {
        self.entries.iter().map(|(_, value)| value)
    }

    /// Keeps the fields for which `keep` is true.
    pub fn retain(&mut self, mut keep: impl FnMut(&Name, &mut Value) -> bool) {
        self.entries.retain(|(name, value)| keep(name, value));
    }

    /// Orders the fields by `rank`, keeping the order of those with the same rank.
    pub fn sort_by_key<K: Ord>(&mut self, mut rank: impl FnMut(&Name) -> K) {
        if !self.entries.is_sorted_by_key(|(name, _)| rank(name)) {
            self.entries.make_mut().sort_by_cached_key(|(name, _)| rank(name));
        }
    }
}

impl PartialEq for Map {
    fn eq(&self, other: &Self) -> bool {
        if self.len() != other.len() {
            return false;
        }
        if self.is_shared_with(other) {
            return true;
        }
        // Equal trees nearly always have the same order; only if not, both are sorted.
        let same_order = self.entries.iter().zip(other.entries.iter()).all(|(a, b)| a.0 == b.0);
        if same_order {
            return self.entries == other.entries;
        }
        let sorted = |map: &Self| {
            let mut order: Vec<usize> = (0..map.len()).collect();
            order.sort_by(|a, b| map.entries[*a].0.cmp(&map.entries[*b].0));
            order
        };
        let mut pairs = sorted(self).into_iter().zip(sorted(other));
        pairs.all(|(a, b)| self.entries[a] == other.entries[b])
    }
}

impl IntoIterator for Map {
    type Item = (Name, Value);
    type IntoIter = ecow::vec::IntoIter<(Name, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

impl<N: Into<Name>, V: Into<Value>> FromIterator<(N, V)> for Map {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(items: I) -> Self {
        let mut map = Self::new();
        map.extend(items);
        map
    }
}

impl<N: Into<Name>, V: Into<Value>> Extend<(N, V)> for Map {
    fn extend<I: IntoIterator<Item = (N, V)>>(&mut self, items: I) {
        for (name, value) in items {
            self.insert(name, value);
        }
    }
}
