//! Families of inputs that grow: what an attacker would send, in two sizes. Four times the input costs at most six
//! times as much memory, and its time is bounded by its length.

use actors_kinds::{
    Registry,
    protobuf::{decode, encode},
};
use actors_object::{
    LabelSelector, Value,
    apply::FieldSet,
    json::{self, Limits},
    patch::{json_patch, merge_patch, strategic_merge},
    value, yaml,
};
use tests_fuzz::{Bounds, metered};

use crate::{bounds, registry};

/// One family: its member of some size.
type Family = (&'static str, fn(usize) -> String);

const JSON: [Family; 13] = [
    ("open lists", |n| "[".repeat(n)),
    ("open objects", |n| "{\"a\":".repeat(n / 5)),
    ("lists in lists", |n| "[[],".repeat(n / 4)),
    ("empty objects", |n| format!("[{}{{}}]", "{},".repeat(n / 3))),
    ("zeros", |n| format!("[{}0]", "0,".repeat(n / 2))),
    ("fields", |n| object((0..n / 8).map(|at| format!("\"k{at}\":0")))),
    ("one name again and again", |n| object((0..n / 8).map(|_| "\"k\":0".to_owned()))),
    ("names that begin alike", |n| {
        object((0..n / 40).map(|at| format!("\"{}{at}\":0", "k".repeat(30))))
    }),
    ("a long text", |n| format!("\"{}\"", "a".repeat(n))),
    ("escapes", |n| format!("\"{}\"", "\\u0000".repeat(n / 6))),
    ("surrogates", |n| format!("\"{}\"", "\\ud83d\\ude00".repeat(n / 12))),
    ("digits", |n| "9".repeat(n)),
    ("a fraction", |n| format!("0.{}1e-9", "0".repeat(n))),
];

const YAML: [Family; 14] = [
    ("open lists", |n| "[".repeat(n)),
    ("open objects", |n| "{a: ".repeat(n / 4)),
    ("dashes", |n| "- ".repeat(n / 2)),
    ("questions", |n| "? ".repeat(n / 2)),
    ("items", |n| "- a\n".repeat(n / 4)),
    ("fields", |n| (0..n / 8).map(|at| format!("k{at}: 0\n")).collect()),
    ("steps inwards", |n| (0..n.isqrt()).map(|at| format!("{}k:\n", " ".repeat(at))).collect()),
    ("anchors", |n| (0..n / 8).map(|at| format!("- &a{at} x\n")).collect()),
    ("aliases", |n| format!("- &a [x, y]\n{}", "- *a\n".repeat(n / 5))),
    ("a bomb", |n| bomb(n)),
    ("merges", |n| format!("a: &a {{x: y}}\nb:\n{}", "  <<: *a\n".repeat(n / 10))),
    ("a long text", |n| format!("a: {}", "b ".repeat(n / 2))),
    ("a folded text", |n| format!("a: >\n{}", "  b\n\n".repeat(n / 5))),
    ("comments", |n| format!("{}a: b\n", "#\n".repeat(n / 2))),
];

fn object(fields: impl Iterator<Item = String>) -> String {
    format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
}

/// Each line has what the one before has, nine times.
fn bomb(len: usize) -> String {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for at in 1..(len / 60).max(2) {
        let inner = vec![format!("*a{}", at - 1); 9].join(", ");
        text.push_str(&format!("a{at}: &a{at} [{inner}]\n"));
    }
    text
}

/// Small and large, each within its bounds.
fn check(families: &[Family], bounds: Bounds, read: fn(&[u8])) {
    for (name, make) in families {
        for len in [1 << 12, 1 << 14, 1 << 16, 1 << 18] {
            let text = make(len);
            assert!(text.len() < 3 * len, "{name} is longer than it should be");
            println!("{name}: {} bytes", text.len());
            metered(text.len(), bounds, || read(text.as_bytes()));
        }
    }
}

#[test]
fn json_of_any_length_costs_no_more_than_its_length() {
    check(&JSON, bounds::JSON, |text| drop(json::parse(text, Limits::default())));
}

#[test]
fn yaml_of_any_length_costs_no_more_than_its_length() {
    check(&YAML, bounds::YAML, |text| drop(yaml::parse(text, Limits::default())));
    check(&JSON, bounds::YAML, |text| drop(yaml::parse(text, Limits::default())));
}

#[test]
fn messages_of_any_length_cost_no_more_than_their_length() {
    let registry = registry();
    // Field 1 (the metadata), field 2 (the specification), and numbers that no type has.
    let pieces: [&[u8]; 6] =
        [b"\n\0", b"\x12\0", b"\x12\x02\x12\0", b"\xfa\x7f\0", b"\x08\x01", b"\n\x02j\0"];
    for name in ["core.v1.Pod", "core.v1.ConfigMap", "meta.v1.Status"] {
        let shape = registry.shape_named(name);
        for piece in pieces {
            for times in [1 << 10, 1 << 14] {
                let message = piece.repeat(times);
                let read = || decode(registry.schema(), &shape, &message);
                drop(metered(message.len(), bounds::PROTOBUF, read));
            }
        }
    }
    nested_messages(&registry);
}

/// A schema within a schema within a schema.
fn nested_messages(registry: &Registry) {
    let shape = registry.shape_named("apiextensions.v1.JSONSchemaProps");
    for depth in [10, 1_000, 100_000_usize] {
        let mut tree = value!({ "type": "object" });
        for _ in 0..depth.min(60) {
            tree = value!({ "not": tree });
        }
        let message = encode(registry.schema(), &shape, &tree).expect("a schema has a message");
        // Messages that stand behind each other are one.
        let wrapped = message.repeat(depth / 60 + 1);
        let read = || decode(registry.schema(), &shape, &wrapped);
        drop(metered(wrapped.len(), bounds::PROTOBUF, read));
    }
}

/// A map of so many fields.
fn wide(fields: usize) -> Value {
    let text = object((0..fields).map(|at| format!("\"k{at}\":\"v\"")));
    json::from_slice(text.as_bytes()).expect("JSON")
}

#[test]
fn patches_of_any_length_cost_no_more_than_their_length() {
    let registry = registry();
    let pods = registry.kind_named("v1", "Pod").expect("pods are served");
    let schema = registry.patch_schema(pods);
    for fields in [500, 2_000, 8_000] {
        let there = value!({ "metadata": { "labels": wide(fields) } });
        let len = json::to_vec(&there).len() * 2;
        metered(len, bounds::PATCH, || merge_patch(&mut there.clone(), there.clone()));
        metered(len, bounds::PATCH, || {
            strategic_merge(&mut there.clone(), &there, &schema).expect("a patch")
        });
        let items: Vec<Value> =
            (0..fields).map(|at| value!({ "name": format!("c{at}"), "image": "i" })).collect();
        let there = value!({ "spec": { "containers": items } });
        let len = json::to_vec(&there).len() * 2;
        metered(len, bounds::PATCH, || {
            strategic_merge(&mut there.clone(), &there, &schema).expect("a patch")
        });
        metered(len, bounds::PATCH, || drop(FieldSet::of(&registry.place(pods), &there)));
    }
}

#[test]
fn operations_of_any_number_cost_no_more_than_their_number() {
    for operations in [100, 1_000, 9_999] {
        let adds: Vec<Value> = (0..operations)
            .map(|at| value!({ "op": "add", "path": format!("/a{at}"), "value": at }))
            .collect();
        let doubling: Vec<Value> = (0..operations)
            .map(|at| value!({ "op": "copy", "from": "", "path": format!("/c{at}") }))
            .collect();
        for patch in [Value::List(adds), Value::List(doubling)] {
            let mut there = value!({ "a": "b" });
            let len = json::to_vec(&patch).len();
            // Refused or not: it ends, and soon.
            let ended = metered(len, bounds::PATCH, || json_patch(&mut there, &patch));
            assert!(ended.is_ok() || there == value!({ "a": "b" }));
        }
    }
}

#[test]
fn selectors_of_any_length_cost_no_more_than_their_length() {
    for len in [1 << 10, 1 << 14, 1 << 16] {
        for text in [
            ",".repeat(len),
            "a,".repeat(len / 2),
            format!("a in ({}b)", "b,".repeat(len / 2)),
            " ".repeat(len),
        ] {
            drop(metered(text.len(), bounds::SHORT, || LabelSelector::parse(&text)));
        }
    }
}
