//! The way without a tree against the way by one.

use actors_core::Rng;
use actors_object::{Map, Value, json, value};
use proptest::prelude::*;

use crate::{
    Registry,
    facts::{Schema, Shape},
    protobuf::{Canonical, encode, transcode, transcoded_len},
};

const UID: &str = "0f0f0f0f-1111-4222-8333-444444444444";

/// Draws trees of a shape, as the door leaves them: nothing is null, and no schema stands for another.
pub(in crate::protobuf) struct Drawn<'a> {
    pub(in crate::protobuf) schema: &'a Schema,
    pub(in crate::protobuf) rng: Rng,
}

fn stands_for_schemas(shape: &Shape) -> bool {
    match shape {
        Shape::SchemaOr(..) => true,
        Shape::List(item) | Shape::Map(item) => stands_for_schemas(item),
        _ => false,
    }
}

impl Drawn<'_> {
    fn text(&mut self) -> String {
        let long = "x".repeat(200);
        let texts = ["", "a", "web-0", "é \"quoted\"\\\n\t\u{1}", "{\"a\":[1,2]}", "ü", &long];
        self.rng.pick(&texts).copied().unwrap_or_default().to_owned()
    }

    fn number(&mut self) -> i64 {
        let numbers = [0, 1, -1, 127, 128, 8_080, i64::from(i32::MAX), i64::from(i32::MIN)];
        self.rng.pick(&numbers).copied().unwrap_or_default()
    }

    pub(in crate::protobuf) fn value(&mut self, shape: &Shape, depth: usize) -> Value {
        match shape {
            Shape::String => Value::from(self.text()),
            Shape::Int32 | Shape::Int64 => Value::Int(self.number()),
            Shape::Double => value!(0.25),
            Shape::Bool => Value::Bool(self.rng.chance(500_000)),
            Shape::Bytes => value!("eHh4eA=="),
            Shape::Time => value!("2026-11-21T08:05:00Z"),
            Shape::MicroTime => value!("2026-11-21T08:05:00.000123Z"),
            Shape::Quantity => value!("128Mi"),
            Shape::IntOrString if self.rng.chance(500_000) => Value::Int(self.number()),
            Shape::IntOrString => Value::from(self.text()),
            Shape::Any | Shape::SchemaOr(..) => {
                let text = self.text();
                value!({ "f:a": { ".": {} }, "b": [1, -2.5, true, text], "": {}, "c": [] })
            }
            Shape::Object(id) => {
                let mut map = Map::new();
                let fields = self.schema.facts(*id).map_or(&[][..], |facts| &facts.fields);
                for field in fields {
                    if !stands_for_schemas(&field.shape) && depth > 0 && self.rng.chance(400_000) {
                        map.insert(&*field.name, self.value(&field.shape, depth - 1));
                    }
                }
                Value::Map(map)
            }
            Shape::List(item) => {
                let count = self.rng.below(3);
                Value::List((0..count).map(|_| self.value(item, depth)).collect())
            }
            Shape::Map(item) => {
                let keys = ["app", "a/b", "\u{2}", "é", "zone"];
                let keys = keys.iter().filter(|_| self.rng.chance(300_000)).collect::<Vec<_>>();
                let entries = keys.into_iter().map(|key| (*key, self.value(item, depth)));
                Value::Map(entries.collect())
            }
        }
    }
}

proptest! {
    #[test]
    fn both_ways_write_the_same(seed: u64) {
        let registry = Registry::builtin().expect("the tables are good");
        let schema = registry.schema();
        let mut rng = Rng::from_number(seed);
        let kinds: Vec<_> = registry.kinds().filter(|kind| kind.is_stored()).collect();
        let kind = *rng.pick(&kinds).expect("kinds are served");
        let mut drawn = Drawn { schema, rng };
        let mut tree = drawn.value(&kind.shape, 7);
        prop_assume!(tree.as_map().is_some() && !matches!(kind.shape, Shape::Any));
        tree.set_path(&["metadata", "uid"], UID);
        tree.remove_path(&["metadata", "resourceVersion"]);
        registry.canonical_order(kind, &mut tree);
        let text = json::to_string(&tree);
        let mark = format!("\"uid\":\"{UID}\"");
        let revision_at = text.find(&mark).expect("it has a uid") + mark.len();
        tree.set_path(&["metadata", "resourceVersion"], "12345");
        let expected = encode(schema, &kind.shape, &tree).expect("it has the shape");
        let stored = Canonical { json: text.as_bytes(), revision_at, revision: "12345" };
        let len = transcoded_len(schema, &kind.shape, stored);
        prop_assert_eq!(len, Some(expected.len()), "{}", text);
        prop_assert_eq!(transcode(schema, &kind.shape, stored), Some(expected), "{}", text);
    }

    #[test]
    fn no_bytes_crash_it(cut in 0..700_usize, byte: u8, revision_at in 0..800_usize) {
        let registry = Registry::builtin().expect("the tables are good");
        let shape = registry.shape_named("core.v1.Pod");
        let mut text = POD.as_bytes().to_vec();
        if let Some(place) = text.get_mut(cut) {
            *place = byte;
        }
        for json in [&text[..], &text[..cut.min(text.len())]] {
            let stored = Canonical { json, revision_at, revision: "7" };
            let len = transcoded_len(registry.schema(), &shape, stored);
            let bytes = transcode(registry.schema(), &shape, stored);
            prop_assert_eq!(len, bytes.map(|bytes| bytes.len()));
        }
    }
}

const POD: &str = r#"{"kind":"Pod","apiVersion":"v1","metadata":{"name":"p","uid":"u","labels":{"a":"1","b":"2"}},"spec":{"volumes":[{"name":"v","emptyDir":{}}],"containers":[{"name":"c","image":"i","resources":{"limits":{"cpu":"1"}},"livenessProbe":{"httpGet":{"port":80}}}]},"status":{"phase":"Running"}}"#;

#[test]
fn what_is_not_canonical_goes_the_other_way() {
    let registry = Registry::builtin().expect("the tables are good");
    let shape = registry.shape_named("core.v1.Pod");
    let at = POD.find("\"uid\":\"u\"").expect("it has a uid") + 9;
    let write = |json: &str, revision_at| {
        let stored = Canonical { json: json.as_bytes(), revision_at, revision: "7" };
        transcode(registry.schema(), &shape, stored)
    };
    assert!(write(POD, at).is_some());
    let named =
        |json: &'static str| Canonical { json: json.as_bytes(), revision_at: 0, revision: "" };
    assert_eq!(named(POD).kind(), Some(("v1", "Pod")));
    assert_eq!(named(r#"{"apiVersion":"v1","kind":"Pod"}"#).kind(), None);
    let with_unknown = POD.replace("\"phase\"", "\"later\":{\"x\":[1]},\"phase\"");
    assert_eq!(write(&with_unknown, at), write(POD, at), "what has no number is left out");
    // Where no field ends, there is no place for the revision.
    assert_eq!(write(POD, at + 1), None);
    for (from, to) in [
        ("{\"a\":\"1\",\"b\":\"2\"}", "{\"b\":\"2\",\"a\":\"1\"}"),
        ("\"name\":\"v\",\"emptyDir\":{}", "\"emptyDir\":{},\"name\":\"v\""),
        ("\"phase\":\"Running\"", "\"phase\": \"Running\""),
        ("\"phase\":\"Running\"", "\"phase\":null"),
        ("\"port\":80", "\"port\":80.5"),
        ("\"Running\"}}", "\"Running\"}} "),
    ] {
        assert_eq!(write(&POD.replace(from, to), at), None, "{to}");
    }
}
