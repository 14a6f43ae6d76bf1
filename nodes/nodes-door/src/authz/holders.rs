//! Bindings by whom they speak of, so that a request touches only its own.
//!
//! Way in: [`bindings_of`]; [`marks`] is what the catalog keeps of each binding.
//! Invariant: a binding of which somebody is a subject is found; what is found may still be about
//! somebody else.

use std::sync::Arc;

use actors_object::Value;
use store_catalog::{Item, Snapshot};
use store_mvcc::Key;

use crate::Identity;

/// What the keys of all objects of RBAC begin with.
const ROOT: &[u8] = b"/registry/rbac.authorization.k8s.io/";

/// Those that are bindings, behind that.
const BINDINGS: [&[u8]; 2] = [b"clusterrolebindings/", b"rolebindings/"];

/// Whether an object at this key is a binding.
pub(crate) fn has_marks(key: &Key) -> bool {
    let rest = key.as_bytes().strip_prefix(ROOT);
    rest.is_some_and(|rest| BINDINGS.iter().any(|plural| rest.starts_with(plural)))
}

/// The marks of a binding: one for each of its subjects, within its namespace.
pub(crate) fn marks(item: &Item) -> Vec<String> {
    let binding = item.object();
    let place = binding.namespace();
    let mut marks: Vec<String> =
        binding.list_at(&["subjects"]).iter().filter_map(|subject| mark(subject, place)).collect();
    marks.sort_unstable();
    marks.dedup();
    marks
}

/// What binds somebody in a namespace, or in the whole cluster if that is empty; by name.
pub(crate) fn bindings_of<'a>(
    snapshot: &'a Snapshot,
    who: &Identity,
    place: &str,
) -> Vec<&'a Arc<Item>> {
    let groups = who.groups.iter().map(|group| of_group(place, group));
    let marks = groups.chain([of_user(place, &who.user)]);
    let mut found: Vec<&Arc<Item>> = Vec::new();
    for mark in marks {
        found.extend(snapshot.by_mark(&mark));
    }
    found.sort_unstable_by(|one, other| one.key().cmp(other.key()));
    found.dedup_by(|one, other| one.key() == other.key());
    found
}

fn mark(subject: &Value, place: &str) -> Option<String> {
    let text = |field: &str| subject.at(field).as_str();
    let name = text("name").unwrap_or_default();
    match text("kind")? {
        "User" => Some(of_user(place, name)),
        "Group" => Some(of_group(place, name)),
        "ServiceAccount" => {
            let home = text("namespace").unwrap_or(place);
            Some(of_user(place, &format!("system:serviceaccount:{home}:{name}")))
        }
        _ => None,
    }
}

fn of_user(place: &str, name: &str) -> String {
    format!("rbac {place} user {name}")
}

fn of_group(place: &str, name: &str) -> String {
    format!("rbac {place} group {name}")
}
