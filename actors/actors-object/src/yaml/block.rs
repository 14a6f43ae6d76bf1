//! Trees as YAML in the form that Kubernetes' tools write: fields by name, lists not indented, quotes where needed.
//!
//! Way in: [`to_block`].  Never: an anchor, a tag, a folded line; long texts stay on one line.
//! Spec: YAML 1.2.2, "Block styles"; YAML 1.1's words for truth are quoted too, because readers of it are in use.

use std::cmp::Ordering;

use crate::{Map, Value, json};

/// The YAML text of a tree, ended by a line break.
#[must_use]
pub fn to_block(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Map(map) if !map.is_empty() => write_map(map, 0, &mut out),
        Value::List(items) if !items.is_empty() => write_list(items, 0, &mut out),
        scalar => {
            write_scalar(scalar, 0, &mut out);
            out.push('\n');
        }
    }
    out
}

fn write_map(map: &Map, indent: usize, out: &mut String) {
    let mut fields: Vec<(&str, &Value)> =
        map.iter().map(|(name, value)| (&**name, value)).collect();
    fields.sort_by(|one, other| in_order(one.0, other.0));
    for (index, (name, value)) in fields.into_iter().enumerate() {
        // The first one stands behind the dash of its list's item, if it is in one.
        if index > 0 || out.is_empty() || out.ends_with('\n') {
            out.push_str(&" ".repeat(indent));
        }
        write_key(name, indent, out);
        out.push(':');
        match value {
            Value::Map(map) if !map.is_empty() => {
                out.push('\n');
                write_map(map, indent + 2, out);
            }
            Value::List(items) if !items.is_empty() => {
                out.push('\n');
                write_list(items, indent, out);
            }
            scalar => {
                out.push(' ');
                write_scalar(scalar, indent, out);
                out.push('\n');
            }
        }
    }
}

/// A name. Spec: "Implicit Keys": one line of at most 1,024 characters; Kubernetes' tools write longer ones than
/// [`KEY_MAX`] explicitly.
fn write_key(name: &str, indent: usize, out: &mut String) {
    let is_long = name.len() > KEY_MAX;
    if is_long {
        out.push_str("? ");
    }
    if name.contains('\n') {
        write_quoted(name, out);
    } else {
        write_text(name, indent, out);
    }
    if is_long {
        out.push('\n');
        out.push_str(&" ".repeat(indent));
    }
}

/// The longest name before a colon on its line.
const KEY_MAX: usize = 128;

fn write_list(items: &[Value], indent: usize, out: &mut String) {
    for (index, item) in items.iter().enumerate() {
        if index > 0 || out.is_empty() || out.ends_with('\n') {
            out.push_str(&" ".repeat(indent));
        }
        out.push_str("- ");
        match item {
            Value::Map(map) if !map.is_empty() => write_map(map, indent + 2, out),
            Value::List(items) if !items.is_empty() => write_list(items, indent + 2, out),
            scalar => {
                write_scalar(scalar, indent, out);
                out.push('\n');
            }
        }
    }
}

fn write_scalar(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::String(text) => write_text(text, indent, out),
        // Numbers, truth, nothing, and what is empty stand as they do in JSON.
        other => out.push_str(&json::to_string(other)),
    }
}

fn write_text(text: &str, indent: usize, out: &mut String) {
    let is_shown = |letter: char| letter == '\n' || is_printed(letter);
    if !text.chars().all(is_shown) || means_something_else(text) {
        write_quoted(text, out);
    } else if text.contains('\n') {
        write_lines(text, indent, out);
    } else if is_plain(text) {
        out.push_str(text);
    } else {
        out.push('\'');
        out.push_str(&text.replace('\'', "''"));
        out.push('\'');
    }
}

/// Spec: "Character Set": what readers need not take as it is.
fn is_printed(letter: char) -> bool {
    let is_odd = matches!(letter, '\u{feff}' | '\u{2028}' | '\u{2029}' | '\u{fffe}' | '\u{ffff}');
    !letter.is_control() && !is_odd
}

/// Spec: "Double-Quoted Style".
fn write_quoted(text: &str, out: &mut String) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            letter if is_printed(letter) => out.push(letter),
            letter => out.push_str(&format!("\\u{:04x}", u32::from(letter))),
        }
    }
    out.push('"');
}

/// Several lines, as they are. Spec: "Literal style"; the sign behind `|` says what becomes of the last breaks.
fn write_lines(text: &str, indent: usize, out: &mut String) {
    // Blanks at the beginning would be taken for the indentation.
    if text.starts_with([' ', '\n']) || text.lines().any(|line| line.ends_with(' ')) {
        write_quoted(text, out);
        return;
    }
    out.push('|');
    let body = text.strip_suffix('\n');
    match body {
        None => out.push('-'),
        Some(body) if body.ends_with('\n') => out.push('+'),
        Some(_) => {}
    }
    for line in body.unwrap_or(text).split('\n') {
        out.push('\n');
        if !line.is_empty() {
            out.push_str(&" ".repeat(indent + 2));
            out.push_str(line);
        }
    }
}

/// Whether a text without quotes would be read as a number, a date, truth or nothing.
fn means_something_else(text: &str) -> bool {
    let words = [
        "", "~", "null", "true", "false", "yes", "no", "on", "off", "y", "n", ".nan", ".inf",
        "-.inf", "+.inf", "<<", "=",
    ];
    let Some(first) = text.chars().next() else { return true };
    words.contains(&text.to_ascii_lowercase().as_str())
        || (first.is_ascii_digit() || matches!(first, '+' | '-' | '.')) && is_number_like(text)
}

/// Numbers of any base, with signs, exponents and underscores; times of a day, dates.
fn is_number_like(text: &str) -> bool {
    let digits = text.trim_start_matches(['+', '-']);
    let is_based = |prefix: &str, radix: u32| {
        let rest = digits.strip_prefix(prefix);
        rest.is_some_and(|rest| rest.chars().all(|digit| digit.is_digit(radix) || digit == '_'))
    };
    let is_decimal = digits.replace('_', "").parse::<f64>().is_ok();
    let is_date = digits.len() >= 8
        && digits.starts_with(|digit: char| digit.is_ascii_digit())
        && digits.get(4..5) == Some("-")
        && digits.chars().all(|letter| letter.is_ascii_digit() || "-:.TtZz+ ".contains(letter));
    let mut parts = digits.split(':');
    let is_sixty = digits.contains(':')
        && parts.all(|part| !part.is_empty() && part.chars().all(|digit| digit.is_ascii_digit()));
    is_decimal
        || is_based("0x", 16)
        || is_based("0o", 8)
        || is_based("0b", 2)
        || is_date
        || is_sixty
}

/// Spec: "Plain style": no indicator in front, and no `: ` or ` #` within.
fn is_plain(text: &str) -> bool {
    let mut letters = text.chars();
    let (first, second) = (letters.next().unwrap_or(' '), letters.next());
    let begins_well = match first {
        '-' | '?' | ':' => second.is_some_and(|second| second != ' '),
        ',' | '[' | ']' | '{' | '}' | '#' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%'
        | '@' | '`' | ' ' => false,
        _ => true,
    };
    let is_marker = text.starts_with("---") || text.starts_with("...");
    let ends_well = !text.ends_with([':', ' ']);
    begins_well && ends_well && !is_marker && !text.contains(": ") && !text.contains(" #")
}

/// The order of names: numbers within them by size, letters behind everything else.
fn in_order(one: &str, other: &str) -> Ordering {
    let (mut one, mut other) = (one.chars().peekable(), other.chars().peekable());
    loop {
        let (Some(a), Some(b)) = (one.peek().copied(), other.peek().copied()) else {
            return one.count().cmp(&other.count());
        };
        if a.is_ascii_digit() && b.is_ascii_digit() {
            let number = |letters: &mut std::iter::Peekable<std::str::Chars<'_>>| {
                let mut digits = String::new();
                while let Some(digit) = letters.next_if(char::is_ascii_digit) {
                    digits.push(digit);
                }
                let size = digits.trim_start_matches('0').to_owned();
                (size.len(), size, digits.len())
            };
            match number(&mut one).cmp(&number(&mut other)) {
                Ordering::Equal => {}
                differs => return differs,
            }
            continue;
        }
        if a != b {
            return (a.is_alphabetic(), a).cmp(&(b.is_alphabetic(), b));
        }
        one.next();
        other.next();
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::{json::Limits, value, yaml};

    #[test]
    fn objects_look_as_people_write_them() {
        let tree = value!({
            "kind": "ConfigMap",
            "metadata": { "labels": {}, "name": "a", "creationTimestamp": "2008-01-01T01:01:01Z" },
            "data": {
                "a10": "10", "a9": "0x1f", "on": "yes", "t": "a: b", "lines": "a\n\n  b\n",
                "open": "a\nb", "ctl": "\u{7}", "quote": "'", "version": "1.2.3", "time": "1:30",
            },
            "list": ["x", [1, { "y": 2.5, "z": null }], []],
        });
        expect![[r#"
            data:
              a9: "0x1f"
              a10: "10"
              ctl: "\u0007"
              lines: |
                a

                  b
              "on": "yes"
              open: |-
                a
                b
              quote: ''''
              t: 'a: b'
              time: "1:30"
              version: 1.2.3
            kind: ConfigMap
            list:
            - x
            - - 1
              - "y": 2.5
                z: null
            - []
            metadata:
              creationTimestamp: "2008-01-01T01:01:01Z"
              labels: {}
              name: a
        "#]]
        .assert_eq(&to_block(&tree));
    }

    proptest::proptest! {
        #[test]
        fn every_text_is_read_back_as_it_was(texts in proptest::collection::vec(".{0,12}", 1..4), odd: String) {
            let mut map = Map::new();
            for (index, text) in texts.iter().chain([&odd]).enumerate() {
                map.insert(format!("k{index}"), text.as_str());
                map.insert(format!("l{index}"), vec![Value::from(text.as_str())]);
            }
            let tree = Value::Map(map);
            let text = to_block(&tree);
            let read = yaml::parse(text.as_bytes(), Limits::default());
            let read = read.map_err(|error| format!("{error}: {text:?}")).expect("YAML").value;
            let same = |name: &str| read.at(name) == tree.at(name);
            for name in tree.as_map().expect("a map").keys() {
                proptest::prop_assert!(same(name), "{name} of {text:?}");
            }
        }

        #[test]
        fn words_and_numbers_stay_texts(text in "[-+.0-9a-fxobtruenls:TZ_ ~#'\"|>&*!%@`,?{}\\[\\]\n]{0,8}") {
            let tree = value!({ "a": (text.as_str()) });
            let written = to_block(&tree);
            let read = yaml::parse(written.as_bytes(), Limits::default());
            let read = read.map_err(|error| format!("{error}: {written:?}")).expect("YAML").value;
            proptest::prop_assert_eq!(read, tree, "{}", written);
        }
    }
}
