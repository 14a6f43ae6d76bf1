//! JSON: what is read, what is refused, what is written.

use super::*;
use crate::value;

fn refuse(text: &[u8]) -> String {
    match parse(text, Limits::default()) {
        Ok(parsed) => format!("read as {:?}", parsed.value),
        Err(error) => error.to_string(),
    }
}

#[test]
fn every_sort_of_value_is_read() {
    let text = r#" {"a": [1, -2, 0, 1.5, 1e3, true, false, null, {}, []], "s": "ä\"\\\/\b\f\n\r\té😀\ud83d\ude00"} "#;
    let expected = value!({
        "a": [1, -2, 0, 1.5, 1000.0, true, false, null, {}, []],
        "s": "ä\"\\/\u{8}\u{c}\n\r\té😀😀",
    });
    assert_eq!(from_slice(text.as_bytes()), Ok(expected));
}

#[test]
fn numbers_beyond_an_integer_become_doubles_or_are_refused() {
    assert_eq!(from_slice(b"9223372036854775807"), Ok(Value::Int(i64::MAX)));
    assert_eq!(from_slice(b"-9223372036854775808"), Ok(Value::Int(i64::MIN)));
    assert_eq!(from_slice(b"9223372036854775808"), Ok(Value::Float(9_223_372_036_854_775_808.0)));
    assert_eq!(refuse(b"1e999"), "number is out of range at byte 5");
}

#[test]
fn half_a_surrogate_pair_becomes_the_replacement_character() {
    assert_eq!(
        from_slice(br#""\ud800x\udc00\ud800\u0041""#),
        Ok("\u{fffd}x\u{fffd}\u{fffd}A".into())
    );
}

#[test]
fn malformed_texts_are_refused_with_their_place() {
    for (text, expected) in [
        (&b""[..], "unexpected end of JSON input at byte 0"),
        (b"{", "expected a field name in quotes at byte 1"),
        (b"{\"a\"}", "expected ':' after a field name at byte 4"),
        (b"{\"a\":1,}", "expected a field name in quotes at byte 7"),
        (b"[1,]", "expected a value at byte 3"),
        (b"[1 2]", "expected ',' or ']' at byte 3"),
        (b"{\"a\":1 \"b\":2}", "expected ',' or '}' at byte 7"),
        (b"01", "unexpected text after the value at byte 1"),
        (b"-", "expected a digit at byte 1"),
        (b"1.", "expected a digit at byte 2"),
        (b"1e", "expected a digit at byte 2"),
        (b"+1", "expected a value at byte 0"),
        (b"nul", "expected a value at byte 0"),
        (b"{} {}", "unexpected text after the value at byte 3"),
        (b"\"a", "unexpected end of JSON input at byte 2"),
        (b"\"\n\"", "control character in a string at byte 1"),
        (b"\"\\x\"", "unknown escape in a string at byte 2"),
        (b"\"\\", "unknown escape in a string at byte 2"),
        (b"\"\\u12", "expected four hexadecimal digits at byte 3"),
        (b"\"\\u+123\"", "expected four hexadecimal digits at byte 3"),
        (b"\"\xff\"", "string is not UTF-8 at byte 1"),
        (b"\xef\xbb\xbf{}", "expected a value at byte 0"),
        (b"'a'", "expected a value at byte 0"),
        (b"NaN", "expected a value at byte 0"),
    ] {
        assert_eq!(refuse(text), expected, "{}", String::from_utf8_lossy(text));
    }
}

#[test]
fn repeated_names_are_reported_with_their_paths_and_the_last_counts() {
    let text = br#"{"a":1,"a":2,"l":[{},{"x":1,"y":2,"x":3,"x":4}],"m":{"d":{"k":1,"k":1}}}"#;
    let parsed = parse(text, Limits::default()).expect("it is JSON");
    assert_eq!(
        parsed.value,
        value!({ "a": 2, "l": [{}, { "y": 2, "x": 4 }], "m": { "d": { "k": 1 } } })
    );
    let paths: Vec<String> = parsed.duplicates.iter().map(ToString::to_string).collect();
    assert_eq!(paths, ["l[1].x", "m.d.k", "a"]);
}

#[test]
fn limits_hold_and_deep_texts_do_not_overflow_the_stack() {
    let deep = |levels: usize| [vec![b'['; levels], vec![b']'; levels]].concat();
    assert!(from_slice(&deep(Limits::DEPTH)).is_ok());
    assert_eq!(refuse(&deep(Limits::DEPTH + 1)), "nested deeper than 100 levels");
    assert_eq!(refuse(&vec![b'['; 1_000_000]), "nested deeper than 100 levels");
    assert_eq!(refuse(&b"{\"a\":".repeat(500_000)), "nested deeper than 100 levels");
    let large = vec![b' '; Limits::BYTES + 1];
    assert_eq!(refuse(&large), "body of 3145729 bytes is larger than the limit of 3145728");
    let fields: Vec<String> =
        (0..=Limits::MEMBERS).map(|number| format!("\"{number}\":0")).collect();
    assert_eq!(
        refuse(format!("{{{}}}", fields.join(",")).as_bytes()),
        "an object has more than 16384 fields"
    );
}

#[test]
fn no_mutilated_text_panics() {
    let text =
        br#"{"kind":"Pod","spec":{"n":[-1.5e+3,true,null,"\u00e9\ud83d\ude00"],"m":{"a":"b"}}}"#;
    for end in 0..text.len() {
        assert!(from_slice(&text[..end]).is_err(), "cut at {end}");
    }
    let mut rng = actors_core::Rng::from_number(11);
    for _ in 0..20_000 {
        let mut bytes = text.to_vec();
        for _ in 0..=rng.below(4) {
            let at = usize::try_from(rng.below(bytes.len() as u64)).unwrap_or(0);
            bytes[at] = u8::try_from(rng.below(256)).unwrap_or(0);
        }
        if let Ok(value) = from_slice(&bytes) {
            let written = to_vec(&value);
            assert_eq!(from_slice(&written).map(|value| to_vec(&value)), Ok(written));
        }
    }
}

#[test]
fn what_is_written_is_compact_and_reads_back() {
    let tree = value!({ "s": "a\"\\\n\u{1}ä", "f": 0.1, "big": 1e300, "small": 1e-9, "l": [1, {}], "z": -0.5 });
    let text = to_string(&tree);
    let expected = r#"{"s":"a\"\\\n\u0001ä","f":0.1,"big":1e300,"small":1e-9,"l":[1,{}],"z":-0.5}"#;
    assert_eq!(text, expected);
    assert_eq!(from_slice(text.as_bytes()), Ok(tree));
    let mut pretty = Vec::new();
    write_pretty(&value!({ "a": [1, {}], "b": { "c": "d" } }), 2, &mut pretty);
    let shown = String::from_utf8(pretty).expect("JSON is UTF-8");
    assert_eq!(shown, "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": {\n    \"c\": \"d\"\n  }\n}");
}
