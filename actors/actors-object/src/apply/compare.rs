//! What differs between two states of an object, as sets of fields.

use super::{
    FieldSet, Place, Step,
    fields::{Node, in_order},
    place::{Parts, parts},
};
use crate::Value;

/// What differs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Difference {
    /// What the new state has another value for, or has alone.
    pub(super) changed: FieldSet,
    /// What only the old state has.
    pub(super) removed: FieldSet,
}

/// Compares two states of the value at a place.
pub(super) fn difference(place: &impl Place, old: &Value, new: &Value) -> Difference {
    let mut found = Difference::default();
    compare(place, (old, new), &mut found);
    found
}

/// Adds what differs below a place; false if the value is owned as a whole and differs.
fn compare(place: &impl Place, (old, new): (&Value, &Value), found: &mut Difference) -> bool {
    // Most of an object is what it was, and shared by both states.
    let is_same = match (old, new) {
        (Value::Map(old), Value::Map(new)) => old.is_shared_with(new),
        (Value::List(old), Value::List(new)) => old == new,
        _ => false,
    };
    if is_same {
        return true;
    }
    match (parts(place, old), parts(place, new)) {
        (Parts::Fields(old, _), Parts::Fields(new, is_entry)) => {
            for (name, value) in in_order(new) {
                let inner = place.field(name);
                let was = old.get(name);
                child((&inner, Step::field(name)), (was, Some(value), is_entry), found);
            }
            for (name, value) in in_order(old) {
                if new.contains_key(name) {
                    continue;
                }
                let inner = place.field(name);
                child((&inner, Step::field(name)), (Some(value), None, is_entry), found);
            }
            true
        }
        (Parts::Items(old), Parts::Items(new)) => {
            let inner = place.item();
            let find = |items: &[(Step, &Value)], step: &Step| {
                items.iter().find(|(known, _)| known == step).map(|(_, item)| (*item).clone())
            };
            for (step, item) in &new {
                let was = find(&old, step);
                child((&inner, step.clone()), (was.as_ref(), Some(item), true), found);
            }
            for (step, item) in old.iter().filter(|(step, _)| find(&new, step).is_none()) {
                child((&inner, step.clone()), (Some(item), None, true), found);
            }
            true
        }
        _ => old == new,
    }
}

fn child(
    (place, step): (&impl Place, Step),
    (old, new, is_member): (Option<&Value>, Option<&Value>, bool),
    found: &mut Difference,
) {
    match (old, new) {
        (Some(old), Some(new)) => {
            let mut inner = Difference::default();
            let same = compare(place, (old, new), &mut inner);
            found.changed.put(step.clone(), Node { own: !same, below: inner.changed });
            found.removed.put(step, Node { own: false, below: inner.removed });
        }
        (None, Some(new)) => found.changed.put(step, whole(place, new, is_member)),
        (Some(old), None) => found.removed.put(step, whole(place, old, is_member)),
        (None, None) => {}
    }
}

/// Everything that a value sets, itself included if it is a member.
fn whole(place: &impl Place, value: &Value, is_member: bool) -> Node {
    let mut node = Node::default();
    let has_parts = node.below.collect(place, value);
    node.own = is_member || !has_parts || node.below.is_empty();
    node
}
