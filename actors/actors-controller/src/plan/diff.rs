//! Finds the merge patch that turns one tree into another, and tells patches that change nothing.
//!
//! Way in: [`merge_diff`], [`changes_nothing`].  Spec: RFC 7396 (JSON Merge Patch).

use actors_object::{Map, Value};

/// The smallest merge patch that makes `old` equal `new`; `None` if they are equal. Members that
/// are `null` in `new` count as absent, and so does an absent `new` member: it is removed.
#[must_use]
pub fn merge_diff(old: &Value, new: &Value) -> Option<Value> {
    let (Value::Map(old), Value::Map(new)) = (old, new) else {
        return (old != new).then(|| without_nulls(new));
    };
    let mut patch = Map::new();
    for (name, _) in old.iter().filter(|(_, value)| !value.is_null()) {
        if new.get(name).is_none_or(Value::is_null) {
            patch.insert(name.clone(), Value::Null);
        }
    }
    for (name, wanted) in new.iter().filter(|(_, value)| !value.is_null()) {
        let current = old.get(name).unwrap_or(&Value::Null);
        if let Some(change) = merge_diff(current, wanted) {
            patch.insert(name.clone(), change);
        }
    }
    (!patch.is_empty()).then_some(Value::Map(patch))
}

/// Whether merging `patch` into `current` would leave it as it is.
#[must_use]
pub fn changes_nothing(current: &Value, patch: &Value) -> bool {
    match (current, patch) {
        (Value::Map(current), Value::Map(patch)) => {
            patch.iter().all(|(name, change)| match (current.get(name), change) {
                (None | Some(Value::Null), Value::Null) => true,
                (None, _) => false,
                (Some(value), change) => changes_nothing(value, change),
            })
        }
        (current, patch) => current == patch,
    }
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Map(map) => {
            let kept = map.iter().filter(|(_, value)| !value.is_null());
            Value::Map(kept.map(|(name, value)| (name.clone(), without_nulls(value))).collect())
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use actors_object::value;

    use super::*;

    #[track_caller]
    fn check(old: Value, new: Value, patch: Option<Value>) {
        assert_eq!(merge_diff(&old, &new), patch);
        if let Some(patch) = patch {
            assert!(!changes_nothing(&old, &patch));
            assert!(changes_nothing(&new, &patch));
        }
    }

    #[test]
    fn only_what_differs_is_in_the_patch() {
        check(value!({ "a": 1, "b": 2 }), value!({ "b": 2, "a": 1 }), None);
        check(value!({ "a": 1, "b": 2 }), value!({ "a": 1, "b": 3 }), Some(value!({ "b": 3 })));
        check(value!({ "a": 1 }), value!({}), Some(value!({ "a": null })));
        check(value!({ "a": { "b": 1, "c": 1 } }), value!({ "a": { "b": 2, "c": 1 } }), {
            Some(value!({ "a": { "b": 2 } }))
        });
        check(value!({ "l": [1, 2] }), value!({ "l": [2] }), Some(value!({ "l": [2] })));
        check(Value::Null, value!({ "a": 1, "b": null }), Some(value!({ "a": 1 })));
    }

    #[test]
    fn nothing_and_null_are_the_same() {
        check(value!({}), value!({ "a": null }), None);
        assert!(changes_nothing(&value!({}), &value!({ "a": null })));
    }
}
