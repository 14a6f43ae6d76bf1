//! Selectors of query strings, amounts and times: none harms, and what is read is written as the same.

use actors_object::{FieldSelector, LabelSelector, Quantity, timefmt};
use tests_fuzz::{Prey, hunt, metered};

use crate::{bounds, sort_of};

fn seeds(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

#[test]
fn no_label_selector_harms() {
    let seeds = seeds(&["a=b,c!=d", "x in (a,b),y notin (c)", "!k,a.example.com/b", "a==b", ""]);
    let words =
        ["=", "==", "!=", "!", "in", "notin", "(", ")", ",", " ", "a", "a/b", "<", ">", "ü"];
    let labels = [("a", "b"), ("x", "a")].map(|(key, value)| (key.to_owned(), value.to_owned()));
    let labels = labels.to_vec();
    hunt(Prey { name: "label selectors", seeds, words: &words, cases: 60_000 }, &|input| {
        let Ok(text) = std::str::from_utf8(input) else { return "no text".to_owned() };
        let read = metered(text.len(), bounds::SHORT, || LabelSelector::parse(text));
        match read {
            Err(error) => sort_of(&error),
            Ok(selector) => {
                let again = LabelSelector::parse(&selector.to_string());
                let again = again.unwrap_or_else(|error| panic!("{selector} is not read: {error}"));
                assert_eq!(again.requirements(), selector.requirements());
                format!("{} {}", selector.requirements().len(), selector.matches(&labels))
            }
        }
    });
}

#[test]
fn no_field_selector_harms() {
    let seeds = seeds(&["metadata.name=a", "a!=b,c==d", r"a=b\,c\=d\\", "", ","]);
    let words = ["=", "==", "!=", ",", "\\", "\\,", "\\=", "metadata.name", "spec.nodeName", "ü"];
    hunt(Prey { name: "field selectors", seeds, words: &words, cases: 60_000 }, &|input| {
        let Ok(text) = std::str::from_utf8(input) else { return "no text".to_owned() };
        let read = metered(text.len(), bounds::SHORT, || FieldSelector::parse(text));
        match read {
            Err(error) => sort_of(&error),
            // Fields have no such names; the door knows none of them.
            Ok(selector) if selector.requirements().iter().any(|term| !is_name(&term.field)) => {
                "no fields".to_owned()
            }
            Ok(selector) => {
                let again = FieldSelector::parse(&selector.to_string());
                let again = again.unwrap_or_else(|error| panic!("{selector} is not read: {error}"));
                assert_eq!(again.requirements(), selector.requirements());
                format!("{} {}", selector.requirements().len(), selector.matches(|_| Some("a")))
            }
        }
    });
}

fn is_name(field: &str) -> bool {
    field.chars().all(|letter| letter.is_alphanumeric() || matches!(letter, '.' | '-' | '_'))
}

#[test]
fn no_amount_harms() {
    let seeds = seeds(&["1", "100m", "1.5Gi", "-3e6", "12E", "0.000000001", "9223372036854775807"]);
    let words = ["n", "u", "m", "k", "M", "Ki", "Ei", "e", "E", "+", "-", ".", "0", "e-9", "ü"];
    hunt(Prey { name: "amounts", seeds, words: &words, cases: 60_000 }, &|input| {
        let Ok(text) = std::str::from_utf8(input) else { return "no text".to_owned() };
        match metered(text.len(), bounds::SHORT, || Quantity::parse(text)) {
            Err(error) => sort_of(&error),
            Ok(amount) => {
                let written = amount.to_string();
                let again = Quantity::parse(&written).expect("what is written can be read");
                assert_eq!(again, amount, "{text} is written as {written}");
                assert_eq!(again.to_string(), written, "written again, it is another text");
                format!("{:?} {}", amount.family(), written.len())
            }
        }
    });
}

#[test]
fn no_time_harms() {
    let seeds = seeds(&[
        "2026-11-21T08:05:00Z",
        "2026-11-21T08:05:00.123456+01:00",
        "0001-01-01T00:00:00Z",
    ]);
    let words = ["T", "Z", ":", "-", "+", ".", "99", "0000", "24:00", "60", "-00:00"];
    hunt(Prey { name: "times", seeds, words: &words, cases: 60_000 }, &|input| {
        let Ok(text) = std::str::from_utf8(input) else { return "no text".to_owned() };
        match metered(text.len(), bounds::SHORT, || timefmt::parse(text)) {
            None => "no time".to_owned(),
            Some(at) => {
                let written = timefmt::nanos(at);
                assert_eq!(timefmt::parse(&written), Some(at), "{text} is written as {written}");
                format!("{}", written.len())
            }
        }
    });
}
