//! JSON and YAML: no text harms, what is read can be written and read again, and both mean the same.

use actors_object::{
    Value,
    json::{self, Limits, ParseError},
    yaml,
};
use tests_fuzz::{Prey, hunt, metered};

use crate::{bounds, grown, outline, registry, sort_of};

const JSON_WORDS: [&str; 24] = [
    "{", "}", "[", "]", ",", ":", "\"", "{}", "[]", "null", "true", "false", "\"a\"", "\"a\":",
    "\\u0000", "\\ud800", "\\udc00", "\\u", "\\\\", "-", ".", "e+", " ", "\u{feff}",
];

const YAML_WORDS: [&str; 34] = [
    "a: ",
    "- ",
    "\n",
    "\n  ",
    "\n- ",
    "? ",
    ": ",
    "&a ",
    "*a",
    "!!str ",
    "!x ",
    "<<: ",
    "|",
    ">",
    "|-\n",
    ">+\n",
    "'",
    "\"",
    "{",
    "}",
    "[",
    "]",
    ", ",
    "#",
    "---\n",
    "...\n",
    "%YAML 1.1\n",
    "~",
    "yes",
    "0x1F",
    "0o17",
    ".inf",
    "\t",
    "\u{85}",
];

fn seeds() -> Vec<Value> {
    grown(&registry(), 4).into_iter().map(|(_, tree)| tree).collect()
}

#[test]
fn no_json_text_harms_and_what_is_read_is_written_as_it_was() {
    let seeds = seeds().iter().map(json::to_vec).collect();
    let prey = Prey { name: "json", seeds, words: &JSON_WORDS, cases: 60_000 };
    hunt(prey, &|text| judge_json(text));
}

fn judge_json(text: &[u8]) -> String {
    let read = metered(text.len(), bounds::JSON, || json::parse(text, Limits::default()));
    let other = serde_json::from_slice::<serde_json::Value>(text);
    let value = match read {
        Ok(parsed) => settled(parsed.value),
        Err(error) => {
            // Another reader of the same language agrees that this is none, but for our limits.
            let ours = !matches!(error, ParseError::Syntax { .. });
            assert!(other.is_err() || ours, "refused for no reason: {error}");
            return sort_of(&error);
        }
    };
    let written = json::to_vec(&value);
    let again = json::from_slice(&written).expect("what is written can be read");
    assert_eq!(again, value, "it is read as something else");
    assert_eq!(json::to_vec(&again), written, "it is written in another way");
    match other {
        Ok(other) => {
            let theirs = serde_json::from_slice(&written).expect("what is written can be read");
            assert!(same(&other, &theirs), "another reader reads {other} as {theirs}");
        }
        // Half of a pair of surrogates is the replacement character here, as Kubernetes' own reader has it.
        Err(error) => assert!(error.to_string().contains("hex escape"), "{error}"),
    }
    outline(&value)
}

/// The tree with whole doubles as integers, as every writer has them.
fn settled(value: Value) -> Value {
    match value {
        Value::Float(_) => value.as_i64().map_or(value, Value::Int),
        Value::List(items) => Value::List(items.into_iter().map(settled).collect()),
        Value::Map(map) => {
            let fields = map.into_iter().map(|(name, value)| (name, settled(value)));
            Value::Map(fields.collect())
        }
        other => other,
    }
}

/// Whether two trees mean the same: numbers by their value.
fn same(one: &serde_json::Value, other: &serde_json::Value) -> bool {
    use serde_json::Value as Tree;
    match (one, other) {
        (Tree::Number(one), Tree::Number(other)) => {
            let (one, other) = (one.as_f64().unwrap_or(0.0), other.as_f64().unwrap_or(0.0));
            // That reader is quick, and at times some steps of the last digit beside the number.
            (one - other).abs() <= one.abs() * 1e-12
        }
        (Tree::Array(one), Tree::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Tree::Object(one), Tree::Object(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .all(|(name, value)| other.get(name).is_some_and(|other| same(value, other)))
        }
        _ => one == other,
    }
}

#[test]
fn no_yaml_text_harms_and_what_is_read_is_written_as_it_was() {
    let mut seeds: Vec<Vec<u8>> =
        seeds().iter().map(|tree| yaml::to_block(tree).into_bytes()).collect();
    seeds.extend(
        [
            "a: &x [1, 2]\nb: *x\n",
            "a: |\n  x\n   y\nb: >-\n  z\n",
            "? [a]\n: b\n",
            "{a: 'b', c: \"\\x41\"}",
        ]
        .map(|text| text.as_bytes().to_vec()),
    );
    let prey = Prey { name: "yaml", seeds, words: &YAML_WORDS, cases: 12_000 };
    hunt(prey, &|text| judge_yaml(text));
}

fn judge_yaml(text: &[u8]) -> String {
    let read = metered(text.len(), bounds::YAML, || yaml::parse(text, Limits::default()));
    let value = match read {
        Ok(parsed) => settled(parsed.value),
        Err(error) => return sort_of(&error),
    };
    let block = yaml::to_block(&value);
    let again = yaml::parse(block.as_bytes(), Limits::default()).map(|parsed| parsed.value);
    assert_eq!(again.as_ref(), Ok(&value), "it is read as something else:\n{block}");
    let as_json = json::to_vec(&value);
    assert_eq!(json::from_slice(&as_json).as_ref(), Ok(&value), "JSON has it otherwise");
    outline(&value)
}

#[test]
fn every_json_text_is_yaml() {
    let seeds = seeds().iter().map(json::to_vec).collect();
    let prey = Prey { name: "json as yaml", seeds, words: &JSON_WORDS, cases: 6_000 };
    hunt(prey, &|text| {
        let Ok(value) = json::from_slice(text).map(settled) else { return "no JSON".to_owned() };
        // As our own writer has it: YAML knows neither tabs in all places nor lone surrogates.
        let written = json::to_vec(&value);
        match yaml::parse(&written, Limits::default()) {
            Ok(parsed) => assert_eq!(parsed.value, value),
            Err(error) => assert!(value.depth() > 40, "{error}"),
        }
        outline(&value)
    });
}
