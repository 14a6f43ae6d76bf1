//! The one tree in which every object is read, changed and written.
//!
//! Way in: [`Value`], [`value!`](crate::value!).  Never: a typed struct, so that unknown fields
//! survive.
//! Invariant: trees that come from [`crate::json`], [`crate::yaml`] or [`crate::patch`] are at most
//! [`crate::json::Limits::DEPTH`] deep, so that walking them by recursion is safe.

mod access;
mod build;
mod map;
mod serde_impl;

pub use map::Map;
pub(crate) use serde_impl::{Duplicates, Seed};
use smol_str::SmolStr;

/// One node of an object's tree.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    /// `null`.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number; never NaN or infinite when it comes from a parser.
    Float(f64),
    /// A text: one of up to 23 bytes stands in the tree itself, a longer one is shared by all clones.
    String(SmolStr),
    /// A list.
    List(Vec<Value>),
    /// An object: named fields in the order in which they were written.
    Map(Map),
}

impl Value {
    /// How error messages name this sort of value.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::Int(_) => "integer",
            Self::Float(_) => "number",
            Self::String(_) => "string",
            Self::List(_) => "array",
            Self::Map(_) => "object",
        }
    }

    /// How many levels of lists and maps this value has; 0 for a scalar.
    #[must_use]
    pub fn depth(&self) -> usize {
        let below = match self {
            Self::List(items) => items.iter().map(Self::depth).max(),
            Self::Map(map) => map.iter().map(|(_, value)| value.depth()).max(),
            _ => return 0,
        };
        below.unwrap_or(0) + 1
    }

    /// Whether this is `null`, `""`, `0`, `false`, `[]` or `{}`: what Kubernetes' encoders leave
    /// out.
    #[must_use]
    pub fn is_empty_value(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Bool(flag) => !flag,
            Self::Int(number) => *number == 0,
            Self::Float(number) => *number == 0.0,
            Self::String(text) => text.is_empty(),
            Self::List(items) => items.is_empty(),
            Self::Map(map) => map.is_empty(),
        }
    }
}

#[cfg(test)]
mod tests;
