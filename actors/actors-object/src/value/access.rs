//! Reading and changing a tree by names and paths; what is absent reads as `null`, empty, or
//! `None`.

use super::{Map, Value};

static NULL: Value = Value::Null;
static EMPTY: Map = Map::new();

impl Value {
    /// The field `name`, if this is a map that has it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.as_map().and_then(|map| map.get(name))
    }

    /// The field `name`, to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Self> {
        self.as_map_mut().and_then(|map| map.get_mut(name))
    }

    /// The field `name`, or `null`.
    #[must_use]
    pub fn at(&self, name: &str) -> &Self {
        self.get(name).unwrap_or(&NULL)
    }

    /// What stands at the end of a path of field names.
    #[must_use]
    pub fn path(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |value, name| value.get(name))
    }

    /// What stands at the end of a path of field names, to be changed.
    pub fn path_mut(&mut self, path: &[&str]) -> Option<&mut Self> {
        path.iter().try_fold(self, |value, name| value.get_mut(name))
    }

    /// Sets what stands at the end of a path; what is on the way and not a map is replaced by one.
    pub fn set_path(&mut self, path: &[&str], value: impl Into<Self>) {
        let place =
            path.iter().fold(self, |place, name| place.make_map().entry(*name, || Self::Null));
        *place = value.into();
    }

    /// Takes out what stands at the end of a path; maps on the way stay, also if they become empty.
    pub fn remove_path(&mut self, path: &[&str]) -> Option<Self> {
        let (last, way) = path.split_last()?;
        self.path_mut(way)?.as_map_mut()?.remove(last)
    }

    /// Makes this a map unless it is one, and returns it.
    pub fn make_map(&mut self) -> &mut Map {
        if !matches!(self, Self::Map(_)) {
            *self = Self::Map(Map::new());
        }
        match self {
            Self::Map(map) => map,
            _ => unreachable!("it was made a map just above"),
        }
    }

    /// Makes this a list unless it is one, and returns it.
    pub fn make_list(&mut self) -> &mut Vec<Self> {
        if !matches!(self, Self::List(_)) {
            *self = Self::List(Vec::new());
        }
        match self {
            Self::List(items) => items,
            _ => unreachable!("it was made a list just above"),
        }
    }

    /// Whether this is `null`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The text, if this is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The whole number, if this is one; `2.0` counts as 2, as API servers accept it.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            Self::Float(number) => whole(*number),
            _ => None,
        }
    }

    /// The number, if this is one.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "JSON numbers are doubles wherever they are not whole"
    )]
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Int(number) => Some(*number as f64),
            Self::Float(number) => Some(*number),
            _ => None,
        }
    }

    /// The flag, if this is one.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(flag) => Some(*flag),
            _ => None,
        }
    }

    /// The items, if this is a list.
    #[must_use]
    pub fn as_list(&self) -> Option<&[Self]> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }

    /// The items, to be changed.
    pub fn as_list_mut(&mut self) -> Option<&mut Vec<Self>> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }

    /// The fields, if this is a map.
    #[must_use]
    pub fn as_map(&self) -> Option<&Map> {
        match self {
            Self::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The fields, to be changed.
    pub fn as_map_mut(&mut self) -> Option<&mut Map> {
        match self {
            Self::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The text at a path.
    #[must_use]
    pub fn str_at(&self, path: &[&str]) -> Option<&str> {
        self.path(path).and_then(Self::as_str)
    }

    /// The whole number at a path.
    #[must_use]
    pub fn i64_at(&self, path: &[&str]) -> Option<i64> {
        self.path(path).and_then(Self::as_i64)
    }

    /// The flag at a path.
    #[must_use]
    pub fn bool_at(&self, path: &[&str]) -> Option<bool> {
        self.path(path).and_then(Self::as_bool)
    }

    /// The items of the list at a path; none if there is no list.
    #[must_use]
    pub fn list_at(&self, path: &[&str]) -> &[Self] {
        self.path(path).and_then(Self::as_list).unwrap_or_default()
    }

    /// The items of the list at a path, to be changed.
    pub fn list_at_mut(&mut self, path: &[&str]) -> Option<&mut Vec<Self>> {
        self.path_mut(path).and_then(Self::as_list_mut)
    }

    /// The fields of the map at a path; none if there is no map.
    #[must_use]
    pub fn map_at(&self, path: &[&str]) -> &Map {
        self.path(path).and_then(Self::as_map).unwrap_or(&EMPTY)
    }

    /// Takes this value out and leaves `null`.
    #[must_use]
    pub fn take(&mut self) -> Self {
        std::mem::take(self)
    }
}

/// The double as a whole number, if it is one that fits.
#[expect(clippy::cast_possible_truncation, reason = "the range was checked just before")]
fn whole(number: f64) -> Option<i64> {
    const BOUND: f64 = 9_223_372_036_854_775_808.0;
    (number.fract() == 0.0 && (-BOUND..BOUND).contains(&number)).then_some(number as i64)
}
