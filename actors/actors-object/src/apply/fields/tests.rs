//! Sets of fields against sets of paths, which cannot be wrong about what is in both.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::apply::Deduced;

/// Small trees over few names, so that two of them have much in common.
fn trees() -> impl Strategy<Value = Value> {
    let names = || prop_oneof![Just("spec"), Just("a"), Just("b"), Just("x-own")];
    Just(Value::Int(1)).prop_recursive(4, 40, 4, move |inner| {
        let fields = prop::collection::vec((names(), inner), 0..4);
        fields.prop_map(|fields| Value::Map(fields.into_iter().collect()))
    })
}

fn sets() -> impl Strategy<Value = FieldSet> {
    trees().prop_map(|tree| FieldSet::of(&Deduced, &tree))
}

fn paths(set: &FieldSet) -> BTreeSet<String> {
    set.paths().into_iter().collect()
}

proptest! {
    #[test]
    fn sets_of_fields_behave_as_sets(one in sets(), other in sets()) {
        let (ones, others) = (paths(&one), paths(&other));
        let mut sum = one.clone();
        sum.add(&other);
        prop_assert_eq!(paths(&sum), &ones | &others);
        let mut rest = one.clone();
        rest.subtract(&other);
        prop_assert_eq!(paths(&rest), &ones - &others);
        let common = one.common(&other);
        prop_assert_eq!(paths(&common), &ones & &others);
        prop_assert_eq!(one.meets(&other), !common.is_empty());
        for set in [&sum, &rest, &common] {
            prop_assert!(set.steps.is_sorted_by(|(one, _), (other, _)| one < other));
            prop_assert!(set.steps.iter().all(|(_, node)| node.own || !node.below.is_empty()));
        }
    }

    #[test]
    fn a_written_set_is_read_as_the_same(set in sets()) {
        prop_assert_eq!(FieldSet::from_value(&set.to_value()), Ok(set));
    }

    #[test]
    fn nothing_is_left_below_a_path_that_is_taken_away(set in sets()) {
        let mut less = set.clone();
        less.remove_path(&["spec", "a"]);
        let is_below = |path: &&String| *path == ".spec.a" || path.starts_with(".spec.a.");
        let kept: BTreeSet<String> = paths(&set).iter().filter(|path| !is_below(path)).cloned().collect();
        prop_assert_eq!(paths(&less), kept);
    }

    #[test]
    fn the_key_of_an_item_is_read_as_it_is_written(text in "[ -~]{0,6}", name in "[a-z]{1,3}") {
        let item: Map = [(name.as_str(), text.as_str())].into_iter().collect();
        let key = Key { name: name.as_str().into(), default: None };
        let step = Step::key(&[key], &Value::Map(item)).expect("it has the key");
        prop_assert_eq!(Step::read(&step.0), Ok(step.clone()));
        let keys = step.0.strip_prefix("k:").expect("it is a key");
        let is_escaped = text.contains(['"', '\\']);
        prop_assert_eq!(is_plain_key(keys), !is_escaped);
    }
}

#[test]
fn keys_that_are_not_written_as_ours_are_no_plain_ones() {
    for keys in [
        "{}",
        r#"{"a":1}"#,
        r#"{"a": "b"}"#,
        r#"{"b":"x","a":"y"}"#,
        r#"{"a":"b"} "#,
        "\"a\":\"b\"",
    ] {
        assert!(!is_plain_key(keys), "{keys}");
    }
}
