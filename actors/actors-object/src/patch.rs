//! The three sorts of patch that turn the current object into the wanted one.
//!
//! Way in: [`json_patch`], [`merge_patch`], [`strategic_merge`].  Never: a panic, whatever the
//! patch.
//! Invariant: what a patch makes is at most [`crate::json::Limits::DEPTH`] levels deep.

mod json;
mod merge;
mod strategic;

pub use json::{PatchError, json_patch};
pub use merge::merge_patch;
pub use strategic::strategic_merge;

/// What a strategic merge must know of a kind's fields.
pub trait PatchSchema {
    /// The facts of the field at a path of field names from the object's root. Items of lists and
    /// values of maps add no step of their own: the ports of a pod's containers are `["spec",
    /// "containers", "ports"]`.
    fn patch_facts(&self, path: &[&str]) -> PatchFacts<'_>;
}

/// How one field takes a strategic merge patch. The default is what unknown fields have: maps are
/// merged, lists are replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PatchFacts<'a> {
    /// `merge` is among the field's strategies: a list is merged item by item.
    pub merge: bool,
    /// `replace` is among the field's strategies: a map is replaced as a whole.
    pub replace: bool,
    /// `retainKeys` is among the field's strategies: a patch may say which keys of the map stay.
    pub retain_keys: bool,
    /// The field that tells the items of a merged list apart; `None` for lists of scalars.
    pub merge_key: Option<&'a str>,
}

/// A schema that knows no field: for kinds without patch facts, and for tests.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoSchema;

impl PatchSchema for NoSchema {
    fn patch_facts(&self, _path: &[&str]) -> PatchFacts<'_> {
        PatchFacts::default()
    }
}

#[cfg(test)]
mod tests;
