//! Trees through serde: for YAML, for tests, and for structs that carry a tree.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
    ser::{SerializeMap, SerializeSeq},
};

use super::{Map, Value};
use crate::{FieldPath, Name, json::Limits};

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(flag) => serializer.serialize_bool(*flag),
            Self::Int(number) => serializer.serialize_i64(*number),
            Self::Float(number) => serializer.serialize_f64(*number),
            Self::String(text) => serializer.serialize_str(text),
            Self::List(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                items.iter().try_for_each(|item| list.serialize_element(item))?;
                list.end()
            }
            Self::Map(map) => map.serialize(serializer),
        }
    }
}

impl Serialize for Map {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_map(Some(self.len()))?;
        self.iter().try_for_each(|(name, value)| fields.serialize_entry(name.as_str(), value))?;
        fields.end()
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut duplicates = Duplicates::default();
        Seed::new(Limits::default(), &mut duplicates).deserialize(deserializer)
    }
}

impl<'de> Deserialize<'de> for Map {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Map(map) => Ok(map),
            other => Err(D::Error::custom(format_args!(
                "expected an object, found {}",
                other.type_name()
            ))),
        }
    }
}

/// Paths of the keys that stood more than once in one object.
#[derive(Debug, Default)]
pub(crate) struct Duplicates {
    pub(crate) paths: Vec<FieldPath>,
}

impl Duplicates {
    /// Most duplicates that are remembered; a reader needs no more.
    const LEN_MAX: usize = 64;

    pub(crate) fn add(&mut self, path: FieldPath) {
        if self.paths.len() < Self::LEN_MAX && !self.paths.contains(&path) {
            self.paths.push(path);
        }
    }

    /// Makes a map of the last entries of `all`, from `start` on, as they were read: of a name that stands twice the
    /// last value counts. Where the map stands is only asked for then.
    pub(crate) fn collapse(
        &mut self,
        all: &mut Vec<(Name, Value)>,
        start: usize,
        at: impl FnOnce() -> FieldPath,
    ) -> Map {
        let entries = &all[start..];
        if are_unique_few(entries) {
            return Map::from_unique(all.drain(start..));
        }
        let mut order: Vec<usize> = (0..entries.len()).collect();
        order.sort_by(|a, b| entries[*a].0.cmp(&entries[*b].0).then(a.cmp(b)));
        let repeats = |pair: &[usize]| entries[pair[0]].0 == entries[pair[1]].0;
        if !order.windows(2).any(repeats) {
            return Map::from_unique(all.drain(start..));
        }
        let at = at();
        let mut dropped = vec![false; entries.len()];
        for pair in order.windows(2).filter(|pair| repeats(pair)) {
            dropped[pair[0]] = true;
            self.add(at.push_field(&entries[pair[0]].0));
        }
        let kept = all.drain(start..).zip(dropped).filter(|(_, dropped)| !dropped);
        let kept: Vec<(Name, Value)> = kept.map(|(entry, _)| entry).collect();
        Map::from_unique(kept.into_iter())
    }
}

/// Whether there are so few names that comparing each with each is quick, and none stands twice.
fn are_unique_few(entries: &[(Name, Value)]) -> bool {
    const FEW: usize = 12;
    let is_new = |at: usize| entries[..at].iter().all(|(name, _)| *name != entries[at].0);
    entries.len() <= FEW && (1..entries.len()).all(is_new)
}

/// Reads one value at a known depth and path.
pub(crate) struct Seed<'a> {
    limits: Limits,
    depth: usize,
    path: FieldPath,
    duplicates: &'a mut Duplicates,
}

impl<'a> Seed<'a> {
    pub(crate) fn new(limits: Limits, duplicates: &'a mut Duplicates) -> Self {
        Self { limits, depth: 0, path: FieldPath::root(), duplicates }
    }

    fn below<E: Error>(&mut self, path: FieldPath) -> Result<Seed<'_>, E> {
        let depth = self.depth + 1;
        if depth > self.limits.depth {
            return Err(E::custom(format_args!("nested deeper than {} levels", self.limits.depth)));
        }
        Ok(Seed { limits: self.limits, depth, path, duplicates: self.duplicates })
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Int(number))
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "whole numbers beyond i64 are doubles, as in JSON"
    )]
    fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
        Ok(i64::try_from(number).map_or(Value::Float(number as f64), Value::Int))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Value, E> {
        if number.is_finite() {
            Ok(Value::Float(number))
        } else {
            Err(E::custom("number is not finite"))
        }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::from(text))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Value, E> {
        Ok(Value::from(text))
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        loop {
            let path = self.path.push_index(items.len());
            match access.next_element_seed(self.below(path)?)? {
                Some(item) => items.push(item),
                None => return Ok(Value::List(items)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut access: A) -> Result<Value, A::Error> {
        let mut entries: Vec<(Name, Value)> = Vec::new();
        while let Some(key) = access.next_key::<String>()? {
            if entries.len() == self.limits.members {
                let max = self.limits.members;
                return Err(A::Error::custom(format_args!("an object has more than {max} fields")));
            }
            let path = self.path.push_field(&key);
            let value = access.next_value_seed(self.below(path)?)?;
            entries.push((Name::from(key), value));
        }
        Ok(Value::Map(self.duplicates.collapse(&mut entries, 0, || self.path)))
    }
}
