//! How a strategic merge patch treats the fields of a kind: merge keys and strategies from the tables.

use actors_object::patch::{PatchFacts, PatchSchema};

use crate::{
    facts::{Schema, Shape, TypeId},
    registry::{KindFacts, Registry},
};

/// The schema of one kind, as patches need it.
#[derive(Debug, Clone, Copy)]
pub struct KindSchema<'a> {
    schema: &'a Schema,
    root: Option<TypeId>,
}

impl Registry {
    /// The patch schema of a kind.
    #[must_use]
    pub fn patch_schema(&self, kind: &KindFacts) -> KindSchema<'_> {
        let root = match kind.shape {
            Shape::Object(id) => Some(id),
            _ => None,
        };
        KindSchema { schema: self.schema(), root }
    }
}

impl PatchSchema for KindSchema<'_> {
    fn patch_facts(&self, path: &[&str]) -> PatchFacts<'_> {
        let field = self.root.and_then(|root| self.schema.field_at(root, path));
        field.map_or_else(PatchFacts::default, |field| PatchFacts {
            merge: field.patch_merge,
            replace: field.patch_replace,
            retain_keys: field.patch_retain_keys,
            merge_key: field.merge_key.as_deref(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_merge_by_their_keys() {
        let registry = Registry::builtin().expect("the tables are good");
        let deployments = registry.by_short_name("deploy").expect("deployments are served");
        let schema = registry.patch_schema(deployments);
        let check = |path: &[&str], merge: bool, retain_keys: bool, merge_key: Option<&str>| {
            let expected = PatchFacts { merge, replace: false, retain_keys, merge_key };
            assert_eq!(schema.patch_facts(path), expected, "{path:?}");
        };
        let pod = ["spec", "template", "spec"];
        check(&[&pod[..], &["containers"]].concat(), true, false, Some("name"));
        check(&[&pod[..], &["containers", "ports"]].concat(), true, false, Some("containerPort"));
        check(&[&pod[..], &["containers", "args"]].concat(), false, false, None);
        check(&[&pod[..], &["volumes"]].concat(), true, true, Some("name"));
        check(&["spec", "strategy"], false, true, None);
        check(&["metadata", "finalizers"], true, false, None);
        check(&["spec", "nothing"], false, false, None);
    }
}
