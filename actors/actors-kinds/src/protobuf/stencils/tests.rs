//! Objects of one make, of several, and of none, against the way by their trees.

use actors_core::Rng;
use actors_object::{Value, json, value};
use proptest::prelude::*;

use super::{KEPT_MAX, PATIENCE, REST};
use crate::{
    Registry,
    facts::Shape,
    protobuf::{Canonical, Stencils, direct::tests::Drawn, encode, transcode},
};

const UID: &str = "\"uid\":\"";

/// An object's canonical JSON and the place of its revision.
fn stored(tree: &Value) -> (String, usize) {
    let text = json::to_string(tree);
    let at = text.find(UID).expect("it has a uid") + UID.len();
    let end = at + text[at..].find('"').expect("it ends") + 1;
    (text, end)
}

/// Checks both ways of a set of stencils on an object.
fn check(stencils: &mut Stencils, (registry, shape): (&Registry, &Shape), tree: &Value, at: u64) {
    let (text, revision_at) = stored(tree);
    let revision = at.to_string();
    let mut whole = tree.clone();
    whole.set_path(&["metadata", "resourceVersion"], revision.as_str());
    let expected = encode(registry.schema(), shape, &whole).expect("it has the shape");
    let stored = Canonical { json: text.as_bytes(), revision_at, revision: &revision };
    let of = || Some((registry.schema(), shape));
    assert_eq!(stencils.len(stored, of), Some(expected.len()), "{text}");
    let mut out = b"before".to_vec();
    assert_eq!(stencils.write(stored, of, &mut out), Some(()), "{text}");
    assert!(out.strip_prefix(b"before") == Some(&expected[..]), "{text}");
}

/// Changes some of the texts, numbers and whatever else is no list and no map; sometimes what is one, too.
fn differ(drawn: &mut Drawn<'_>, shape: &Shape, value: &mut Value) {
    let schema = drawn.schema;
    match (shape, value) {
        (Shape::Object(id), Value::Map(map)) => {
            let fields = schema.facts(*id).map_or(&[][..], |facts| &facts.fields);
            for field in fields {
                if let Some(value) = map.get_mut(&field.name) {
                    differ(drawn, &field.shape, value);
                }
            }
        }
        (Shape::List(item), Value::List(list)) => {
            list.iter_mut().for_each(|value| differ(drawn, item, value));
        }
        (Shape::Map(item), Value::Map(map)) => {
            let keys: Vec<String> = map.keys().map(|key| key.to_string()).collect();
            for key in keys {
                if let Some(value) = map.get_mut(&key) {
                    differ(drawn, item, value);
                }
            }
        }
        (shape, value) if drawn.rng.chance(200_000) => *value = drawn.value(shape, 7),
        _ => {}
    }
}

proptest! {
    #[test]
    fn what_is_compared_is_what_is_read(seed: u64) {
        let registry = Registry::builtin().expect("the tables are good");
        let mut rng = Rng::from_number(seed);
        let kinds: Vec<_> = registry.kinds().filter(|kind| kind.is_stored()).collect();
        let kind = *rng.pick(&kinds).expect("kinds are served");
        prop_assume!(!matches!(kind.shape, Shape::Any));
        let mut drawn = Drawn { schema: registry.schema(), rng };
        let mut first = drawn.value(&kind.shape, 7);
        prop_assume!(first.as_map().is_some());
        first.set_path(&["kind"], kind.gvk.kind.as_str());
        first.set_path(&["apiVersion"], kind.gvk.api_version());
        first.set_path(&["metadata", "uid"], "u-1");
        first.remove_path(&["metadata", "resourceVersion"]);
        let mut stencils = Stencils::default();
        for number in 0..12_u64 {
            let mut tree = first.clone();
            if number > 0 {
                differ(&mut drawn, &kind.shape, &mut tree);
            }
            tree.set_path(&["kind"], kind.gvk.kind.as_str());
            tree.set_path(&["apiVersion"], kind.gvk.api_version());
            tree.set_path(&["metadata", "uid"], format!("u-{number}"));
            tree.remove_path(&["metadata", "resourceVersion"]);
            registry.canonical_order(kind, &mut tree);
            check(&mut stencils, (&registry, &kind.shape), &tree, 7_u64.pow(number as u32));
        }
    }

    #[test]
    fn damaged_bytes_are_judged_as_without_stencils(
        cut in 0..900_usize, byte: u8, revision_at in 0..900_usize, keeps_place: bool,
    ) {
        let registry = Registry::builtin().expect("the tables are good");
        let shape = registry.shape_named("core.v1.Pod");
        let mut stencils = Stencils::default();
        for name in ["a", "b"] {
            check(&mut stencils, (&registry, &shape), &pod(name, 3), 7);
        }
        let (text, place) = stored(&pod("c", 3));
        let mut text = text.into_bytes();
        let cut = cut.min(text.len());
        if let Some(place) = text.get_mut(cut) {
            *place = byte;
        }
        let revision_at = if keeps_place { place } else { revision_at };
        for json in [&text[..], &text[..cut]] {
            let stored = Canonical { json, revision_at, revision: "7" };
            let of = || Some((registry.schema(), &shape));
            let expected = transcode(registry.schema(), &shape, stored);
            let mut out = Vec::new();
            let written = stencils.write(stored, of, &mut out).map(|()| out);
            prop_assert_eq!(&written, &expected);
            prop_assert_eq!(stencils.len(stored, of), expected.map(|bytes| bytes.len()));
        }
    }
}

fn pod(name: &str, restarts: i64) -> Value {
    let set = format!("{{\"f:podIPs\":{{\"k:{{\\\"ip\\\":\\\"10.0.0.{restarts}\\\"}}\":{{}}}}}}");
    let set = json::from_slice(set.as_bytes()).expect("JSON");
    value!({
        "kind": "Pod", "apiVersion": "v1",
        "metadata": {
            "name": name, "uid": (format!("u-{name}")), "creationTimestamp": "2026-11-21T08:05:00Z",
            "labels": { "app": name },
            "managedFields": [{ "manager": "m", "fieldsV1": set }],
        },
        "spec": { "containers": [{ "name": "c", "resources": { "limits": { "cpu": "1" } } }] },
        "status": { "phase": "Running", "containerStatuses": [{ "name": "c", "restartCount": restarts }] },
    })
}

#[test]
fn pods_of_one_make_need_one_stencil() {
    let registry = Registry::builtin().expect("the tables are good");
    let shape = registry.shape_named("core.v1.Pod");
    let mut stencils = Stencils::default();
    for number in 0..300 {
        // Lengths of all kinds: of texts, of numbers, and of what stands around them.
        let name = "x".repeat(number);
        let mut tree = pod(&name, 1 << (number % 31));
        tree.set_path(
            &["metadata", "creationTimestamp"],
            format!("20{:02}-02-03T04:05:06Z", number % 90 + 10),
        );
        check(&mut stencils, (&registry, &shape), &tree, number as u64);
    }
    assert_eq!(stencils.kept.len(), 1);
}

#[test]
fn another_kind_never_fits() {
    let registry = Registry::builtin().expect("the tables are good");
    let mut stencils = Stencils::default();
    for (kind, name) in [("ConfigMap", "core.v1.ConfigMap"), ("Secret", "core.v1.Secret")] {
        let tree =
            value!({ "kind": kind, "apiVersion": "v1", "metadata": { "name": "a", "uid": "u" } });
        check(&mut stencils, (&registry, &registry.shape_named(name)), &tree, 3);
    }
    assert_eq!(stencils.kept.len(), 2);
}

#[test]
fn where_nothing_is_alike_little_is_tried() {
    let registry = Registry::builtin().expect("the tables are good");
    let shape = registry.shape_named("core.v1.ConfigMap");
    let mut stencils = Stencils::default();
    let mut made = 0;
    for number in 0..1_000 {
        let (key, before) = (format!("key-{number}"), stencils.misses);
        let mut tree = value!({ "kind": "ConfigMap", "apiVersion": "v1", "metadata": { "name": "a", "uid": "u" } });
        tree.set_path(&["data", &key], "v");
        let (text, revision_at) = stored(&tree);
        let stored = Canonical { json: text.as_bytes(), revision_at, revision: "7" };
        let expected = transcode(registry.schema(), &shape, stored).map(|bytes| bytes.len());
        assert_eq!(stencils.len(stored, || Some((registry.schema(), &shape))), expected);
        assert!(stencils.kept.len() <= KEPT_MAX);
        made += stencils.misses - before;
    }
    assert!(made <= PATIENCE + 1_000 / REST + 1, "{made}");
}
