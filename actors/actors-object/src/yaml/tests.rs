//! YAML: the same trees, the same bounds.

use super::*;
use crate::value;

fn read(text: &str) -> Result<Value, ParseError> {
    parse(text.as_bytes(), Limits::default()).map(|parsed| parsed.value)
}

#[test]
fn manifests_are_read() {
    let text = "
apiVersion: v1
kind: Pod
metadata:
  name: \"web\"
  labels: {app: web, version: '1'}
spec:
  containers:
  - name: c
    args: [\"-v\", \"true\", yes]
    ports:
    - containerPort: 80
  ratio: 1.5
  flag: true
  nothing: null
  empty: ~
  text: |
    two
    lines
";
    let expected = value!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": "web", "labels": { "app": "web", "version": "1" } },
        "spec": {
            "containers": [
                { "name": "c", "args": ["-v", "true", true], "ports": [{ "containerPort": 80 }] },
            ],
            "ratio": 1.5,
            "flag": true,
            "nothing": null,
            "empty": null,
            "text": "two\nlines\n",
        },
    });
    assert_eq!(read(text), Ok(expected));
}

#[test]
fn repeated_names_are_reported() {
    let parsed = parse(b"a: 1\nl:\n- x: 1\n  x: 2\na: 2\n", Limits::default()).expect("it is YAML");
    assert_eq!(parsed.value, value!({ "l": [{ "x": 2 }], "a": 2 }));
    let paths: Vec<String> = parsed.duplicates.iter().map(ToString::to_string).collect();
    assert_eq!(paths, ["l[0].x", "a"]);
}

#[test]
fn streams_are_split_into_documents() {
    let documents = parse_all(b"---\na: 1\n---\n# nothing\n---\nb: 2\n", Limits::default());
    assert_eq!(documents, Ok(vec![value!({ "a": 1 }), value!({ "b": 2 })]));
}

#[test]
fn trees_survive_a_round_trip() {
    let tree =
        value!({ "a": [1, "1", "true", null, 1.5], "m": { "k": "x: y\n- z" }, "e": {}, "l": [] });
    let text = to_string(&tree).expect("it is written");
    assert_eq!(read(&text), Ok(tree), "{text}");
}

#[test]
fn hostile_texts_are_refused_quickly() {
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n".to_owned()
        + &(0..9).fold(String::new(), |text, level| {
            let (from, to) = (char::from(b'a' + level), char::from(b'b' + level));
            let aliases = vec![format!("*{from}"); 9].join(",");
            format!("{text}{to}: &{to} [{aliases}]\n")
        });
    for text in [&bomb, &"[".repeat(100_000), &"- ".repeat(100_000), &"{a: ".repeat(10_000)] {
        assert!(read(text).is_err(), "{}", &text[..30]);
    }
    for text in [
        "a: b: c",
        "\t- a",
        "[1",
        "{a",
        "'",
        "a: *x",
        "%",
        "&a",
        "!!binary x",
        "? [a]\n: b",
        "\u{0}",
    ] {
        // Some of these are YAML; none may panic.
        read(text).ok();
    }
}

#[test]
fn json_is_yaml_and_so_is_what_only_looks_like_it() {
    let text = r#" {"a":1,"b":[true,null,"x\n"],"c":{"d":1.5,"d":2}}"#;
    let parsed = parse(text.as_bytes(), Limits::default()).expect("it is JSON");
    assert_eq!(parsed.value, value!({ "a": 1, "b": [true, null, "x\n"], "c": { "d": 2 } }));
    assert_eq!(parsed.duplicates.iter().map(ToString::to_string).collect::<Vec<_>>(), ["c.d"]);
    assert_eq!(read("{a: 1, b: [x, \"y\"]}"), Ok(value!({ "a": 1, "b": ["x", "y"] })));
    assert_eq!(read("{\"a\": yes}\n# ended\n"), Ok(value!({ "a": true })));
    assert!(read("{\"a\":").is_err());
}

#[test]
fn modes_of_files_are_octal() {
    let read = read("defaultMode: 0644\nnone: 0\nnew: 0o17\ntext: '010'\nno: 089");
    let expected = value!({ "defaultMode": 420, "none": 0, "new": 15, "text": "010", "no": 89.0 });
    assert_eq!(read, Ok(expected));
}

#[test]
fn names_of_any_length_and_of_several_lines_are_written() {
    for name in ["k".repeat(2_000), "two\nlines".to_owned(), format!("{}\n", "k".repeat(200))] {
        let mut inner = crate::Map::new();
        inner.insert(name.as_str(), value!({ "b": [1], "c": "d" }));
        inner.insert(format!("{name}2"), "plain");
        let tree = value!({ "a": [inner.clone()], "m": inner });
        let text = to_block(&tree);
        assert_eq!(read(&text).as_ref(), Ok(&tree), "{text}");
    }
}
