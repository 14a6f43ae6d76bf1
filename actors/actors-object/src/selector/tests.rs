//! Selectors: both forms, matching, refusals.

use expect_test::{Expect, expect};

use super::*;
use crate::value;

fn check(text: &str, expected: &Expect) {
    let shown = match LabelSelector::parse(text) {
        Ok(selector) => selector.to_string(),
        Err(error) => format!("error: {error}"),
    };
    expected.assert_eq(&shown);
}

#[test]
fn every_form_is_read() {
    check("", &expect![""]);
    check("a=b", &expect!["a=b"]);
    check(" a == b , c != d,e", &expect!["a=b,c!=d,e"]);
    check("a in (y, x,x),b notin (z),!c", &expect!["a in (x,y),b!=z,!c"]);
    check("x.io/in in (in)", &expect!["x.io/in=in"]);
    check("a=", &expect!["a="]);
    check("a in ()", &expect!["a="]);
}

#[test]
fn other_texts_are_refused() {
    check(
        "a,",
        &expect!["error: unable to parse requirement: found '', expected: identifier after ','"],
    );
    check("=b", &expect!["error: unable to parse requirement: found '=', expected: identifier"]);
    check(
        "a b",
        &expect!["error: unable to parse requirement: found 'b', expected: in, notin, =, ==, !="],
    );
    check("a in x", &expect!["error: unable to parse requirement: found 'x', expected: '('"]);
    check(
        "a in (x",
        &expect!["error: unable to parse requirement: found '', expected: ',' or ')'"],
    );
    check(
        "a>1",
        &expect!["error: unable to parse requirement: found '>', expected: in, notin, =, ==, !="],
    );
    for text in ["!", "a=b=c", "ä", "a=b c", "((((", "-a=b", "a=-b", "a/b/c"] {
        assert!(LabelSelector::parse(text).is_err(), "{text}");
    }
}

#[test]
fn absent_labels_match_negations_only() {
    let labels = value!({ "app": "web", "tier": "" });
    let matches = |text: &str| LabelSelector::parse(text).map(|selector| selector.matches(&labels));
    for text in
        ["", "app", "app=web", "app in (web,api)", "none!=x", "none notin (x)", "!none", "tier="]
    {
        assert_eq!(matches(text), Ok(true), "{text}");
    }
    for text in ["none", "app!=web", "app notin (web)", "!app", "none=", "app=web,none=x"] {
        assert_eq!(matches(text), Ok(false), "{text}");
    }
}

#[test]
fn the_object_form_is_read_and_checked() {
    let path = FieldPath::of(&["spec", "selector"]);
    let good = value!({
        "matchLabels": { "app": "web" },
        "matchExpressions": [{ "key": "tier", "operator": "NotIn", "values": ["a", "b"] }],
    });
    let selector = LabelSelector::from_value(&good, &path).map(|selector| selector.to_string());
    assert_eq!(selector, Ok("app=web,tier notin (a,b)".to_owned()));
    assert_eq!(LabelSelector::from_value(&Value::Null, &path), Ok(LabelSelector::nothing()));
    assert!(!LabelSelector::nothing().matches(&good));
    let bad = value!({
        "matchLabels": { "-": "x" },
        "matchExpressions": [{ "key": "a", "operator": "In" }, { "key": "b", "operator": "Near" }],
    });
    let errors = LabelSelector::from_value(&bad, &path).unwrap_err();
    let shown: Vec<String> =
        errors.iter().map(|error| error.to_string().chars().take(90).collect()).collect();
    expect![[r#"
        spec.selector.matchLabels: Invalid value: "-": the name must be letters, digits, '-', '_' 
        spec.selector.matchExpressions[0].values: Required value: must be specified when `operator
        spec.selector.matchExpressions[1].operator: Invalid value: "Near": not a valid selector op"#]]
    .assert_eq(&shown.join("\n"));
}

#[test]
fn field_selectors_compare_for_equality() {
    let lookup = |field: &str| match field {
        "metadata.name" => Some("web-0"),
        "status.phase" => Some("Running"),
        _ => None,
    };
    let matches = |text: &str| FieldSelector::parse(text).map(|selector| selector.matches(lookup));
    for text in
        ["", "metadata.name=web-0", "metadata.name==web-0,status.phase!=Failed", "spec.nodeName="]
    {
        assert_eq!(matches(text), Ok(true), "{text}");
    }
    assert_eq!(matches("metadata.name!=web-0"), Ok(false));
    for text in ["metadata.name", "a=b\\", "a=b\\x", "a=b=c"] {
        assert!(matches(text).is_err(), "{text}");
    }
    let escaped = FieldSelector::parse("a=x\\,y").map(|selector| selector.to_string());
    assert_eq!(escaped, Ok("a=x\\,y".to_owned()));
}
