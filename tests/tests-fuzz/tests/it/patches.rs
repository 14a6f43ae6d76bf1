//! Patches of every sort: none harms, one that is refused changes nothing, and what they make is bounded.

use actors_core::Rng;
use actors_kinds::Registry;
use actors_object::{
    Object, Value,
    apply::{FieldSet, How, Manager, Managers, Operation, Reach},
    json::{self, Limits},
    patch::{json_patch, merge_patch, strategic_merge},
};
use tests_fuzz::{Prey, grow, hunt, metered, spoil};

use crate::{bounds, outline, registry, sort_of};

const WORDS: [&str; 40] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "null",
    "{}",
    "[]",
    "\"$patch\":\"delete\"",
    "\"$patch\":\"replace\"",
    "\"$patch\":\"merge\"",
    "\"$retainKeys\":[\"name\"]",
    "\"$setElementOrder/containers\":[{\"name\":\"a\"}]",
    "\"$deleteFromPrimitiveList/finalizers\":[\"a\"]",
    "\"$setElementOrder/finalizers\":[\"b\"]",
    "\"op\":\"add\"",
    "\"op\":\"remove\"",
    "\"op\":\"replace\"",
    "\"op\":\"move\"",
    "\"op\":\"copy\"",
    "\"op\":\"test\"",
    "\"path\":\"\"",
    "\"path\":\"/spec\"",
    "\"path\":\"/spec/containers/0\"",
    "\"path\":\"/spec/containers/-\"",
    "\"from\":\"\"",
    "\"from\":\"/spec\"",
    "\"from\":\"/metadata\"",
    "~0",
    "~1",
    "/-",
    "/0",
    "/01",
    "\"value\":{}",
    "\"metadata\":{}",
    "\"spec\":{}",
    "\"containers\":[{\"name\":\"a\"}]",
    "\"name\":\"a\"",
    "\"finalizers\":[\"a\",\"b\"]",
];

/// An input is a list of two trees: what is there, and the patch.
fn pair(there: &Value, patch: Value) -> Vec<u8> {
    json::to_vec(&Value::List(vec![there.clone(), patch]))
}

/// Pods, each beside one that differs here and there.
fn pods(registry: &Registry) -> Vec<(Value, Value)> {
    let mut rng = Rng::from_number(3).ready();
    let shape = registry.shape_named("core.v1.Pod");
    let mut all = Vec::new();
    for _ in 0..24 {
        let one = grow(&mut rng, (registry.schema(), &shape), 6);
        let mut other = one.clone();
        for _ in 0..4 {
            spoil(&mut rng, &mut other);
        }
        all.push((one, other));
    }
    all
}

fn read(input: &[u8]) -> Option<(Value, Value)> {
    let value = json::parse(input, Limits::default()).ok()?.value;
    let mut both = value.as_list()?.iter().cloned();
    both.next().zip(both.next())
}

#[test]
fn no_json_patch_harms() {
    let there =
        json::from_slice(br#"{"metadata":{"name":"a"},"spec":{"containers":[{"name":"c"}]}}"#);
    let there = there.expect("JSON");
    let patches = [
        r#"[{"op":"add","path":"/spec/containers/-","value":{"name":"d"}}]"#,
        r#"[{"op":"copy","from":"","path":"/a"},{"op":"copy","from":"","path":"/b"}]"#,
        r#"[{"op":"move","from":"/spec","path":"/metadata/x"},{"op":"remove","path":"/metadata/name"}]"#,
        r#"[{"op":"test","path":"/metadata/name","value":"a"},{"op":"replace","path":"/spec/containers/0/name","value":1}]"#,
    ];
    let patches = patches.map(|text| json::from_slice(text.as_bytes()).expect("JSON"));
    let seeds = patches.into_iter().map(|patch| pair(&there, patch)).collect();
    hunt(Prey { name: "json patch", seeds, words: &WORDS, cases: 25_000 }, &|input| {
        let Some((there, patch)) = read(input) else { return "no pair".to_owned() };
        let mut changed = there.clone();
        let done = metered(input.len(), bounds::PATCH, || json_patch(&mut changed, &patch));
        match done {
            Err(error) => {
                assert_eq!(changed, there, "a refused patch has changed something");
                sort_of(&error)
            }
            Ok(()) => {
                assert!(changed.depth() <= Limits::DEPTH, "too deep");
                let longest = input.len() * 2 + (4 << 20);
                assert!(json::to_vec(&changed).len() <= longest, "too long");
                outline(&changed)
            }
        }
    });
}

#[test]
fn a_merge_patch_that_is_repeated_changes_nothing() {
    let seeds = pods(&registry()).into_iter().map(|(one, other)| pair(&one, other)).collect();
    hunt(Prey { name: "merge patch", seeds, words: &WORDS, cases: 15_000 }, &|input| {
        let Some((there, patch)) = read(input) else { return "no pair".to_owned() };
        let mut changed = there;
        metered(input.len(), bounds::PATCH, || merge_patch(&mut changed, patch.clone()));
        let once = changed.clone();
        merge_patch(&mut changed, patch);
        assert_eq!(changed, once);
        outline(&changed)
    });
}

#[test]
fn no_strategic_merge_patch_harms() {
    let registry = registry();
    let seeds = pods(&registry).into_iter().map(|(one, other)| pair(&one, other)).collect();
    let kind = registry.kind_named("v1", "Pod").expect("pods are served");
    let schema = registry.patch_schema(kind);
    hunt(Prey { name: "strategic merge patch", seeds, words: &WORDS, cases: 15_000 }, &|input| {
        let Some((there, patch)) = read(input) else { return "no pair".to_owned() };
        let mut changed = there.clone();
        let done =
            metered(input.len(), bounds::PATCH, || strategic_merge(&mut changed, &patch, &schema));
        match done {
            Err(error) => {
                assert_eq!(changed, there, "a refused patch has changed something");
                sort_of(&error)
            }
            Ok(()) => {
                // Two trees laid over each other have no level that neither has.
                assert!(changed.depth() <= there.depth().max(patch.depth()));
                let once = changed.clone();
                let again = strategic_merge(&mut changed, &patch, &schema);
                assert_eq!((again.is_ok(), &changed), (true, &once), "repeated, it changes more");
                outline(&changed)
            }
        }
    });
}

#[test]
fn no_configuration_harms_and_one_that_is_applied_again_changes_nothing() {
    let registry = registry();
    let seeds = pods(&registry).into_iter().map(|(one, other)| pair(&one, other)).collect();
    let kind = registry.kind_named("v1", "Pod").expect("pods are served");
    let place = registry.place(kind);
    let manager = Manager {
        operation: Operation::Apply,
        name: "m".to_owned(),
        api_version: "v1".to_owned(),
        subresource: String::new(),
    };
    let complete = |_: &mut Value| {};
    let how = How { reach: Reach::AllBut(&[]), force: true, complete: &complete };
    hunt(Prey { name: "apply", seeds, words: &WORDS, cases: 12_000 }, &|input| {
        let Some((live, config)) = read(input) else { return "no pair".to_owned() };
        if live.as_map().is_none() || config.as_map().is_none() {
            return "no objects".to_owned();
        }
        let by = (&manager, "2026-11-21T08:05:00Z");
        let apply = |managers: &Managers, live: &Value| {
            managers.apply(&place, (live, &config), by, how).expect("it is forced")
        };
        let first = metered(input.len(), bounds::PATCH, || apply(&Managers::default(), &live));
        let second = apply(&first.managers, &first.object);
        assert_eq!(second.object, first.object, "applied again, it changes more");
        assert_eq!(second.managers, first.managers, "applied again, others own it");
        let mut object = Object(Value::Map(Default::default()));
        object.0.set_path(&["metadata", "managedFields"], first.managers.to_value());
        assert_eq!(Managers::of(&object), Ok(first.managers), "owners are read as others");
        outline(&first.object)
    });
}

#[test]
fn no_set_of_fields_harms() {
    let seeds = [
        r#"{"f:metadata":{"f:labels":{".":{},"f:a":{}}},"f:spec":{"f:containers":{"k:{\"name\":\"c\"}":{".":{},"f:image":{}}}}}"#,
        r#"{"f:x":{"v:1":{},"v:\"a\"":{},"i:0":{}}}"#,
    ];
    let seeds = seeds.iter().map(|text| text.as_bytes().to_vec()).collect();
    let words =
        ["\"f:a\":{}", "\"k:{}\":{}", "\"v:null\":{}", "\"i:9\":{}", "\".\":{}", "{", "}", ","];
    hunt(Prey { name: "field sets", seeds, words: &words, cases: 30_000 }, &|input| {
        let Ok(value) = json::from_slice(input) else { return "no JSON".to_owned() };
        let read = metered(input.len(), bounds::JSON, || FieldSet::from_value(&value));
        match read {
            Err(error) => sort_of(&error),
            Ok(set) => {
                assert_eq!(FieldSet::from_value(&set.to_value()).as_ref(), Ok(&set));
                format!("{} paths", set.paths().len())
            }
        }
    });
}
