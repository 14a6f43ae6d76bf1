//! Writing JSON: compact, in the tree's own order.

use std::io::Write;

use super::scan::plain_len;
use crate::{Map, Value};

/// Appends the compact JSON text of a tree.
pub fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Int(number) => display(number, out),
        Value::Float(number) => write_float(*number, out),
        Value::String(text) => write_str(text, out),
        Value::List(items) => {
            out.push(b'[');
            for (number, item) in items.iter().enumerate() {
                if number > 0 {
                    out.push(b',');
                }
                write(item, out);
            }
            out.push(b']');
        }
        Value::Map(map) => write_map(map, out),
    }
}

/// The compact JSON text of a tree.
#[must_use]
pub fn to_vec(value: &Value) -> Vec<u8> {
    let mut out = Vec::with_capacity(1_024);
    write(value, &mut out);
    out
}

/// The compact JSON text of a tree, as a string.
#[must_use]
pub fn to_string(value: &Value) -> String {
    String::from_utf8(to_vec(value)).unwrap_or_default()
}

/// Appends JSON text with one field a line, indented by `indent` spaces a level: for people.
pub fn write_pretty(value: &Value, indent: usize, out: &mut Vec<u8>) {
    pretty(value, (indent, 1), out);
}

fn pretty(value: &Value, (indent, level): (usize, usize), out: &mut Vec<u8>) {
    let line = |level: usize, out: &mut Vec<u8>| {
        out.push(b'\n');
        out.resize(out.len() + indent * level, b' ');
    };
    match value {
        Value::List(items) if !items.is_empty() => {
            for (number, item) in items.iter().enumerate() {
                out.push(if number == 0 { b'[' } else { b',' });
                line(level, out);
                pretty(item, (indent, level + 1), out);
            }
            line(level - 1, out);
            out.push(b']');
        }
        Value::Map(map) if !map.is_empty() => {
            for (number, (name, item)) in map.iter().enumerate() {
                out.push(if number == 0 { b'{' } else { b',' });
                line(level, out);
                write_str(name, out);
                out.extend_from_slice(b": ");
                pretty(item, (indent, level + 1), out);
            }
            line(level - 1, out);
            out.push(b'}');
        }
        other => write(other, out),
    }
}

fn write_map(map: &Map, out: &mut Vec<u8>) {
    out.push(b'{');
    for (number, (name, value)) in map.iter().enumerate() {
        if number > 0 {
            out.push(b',');
        }
        write_str(name, out);
        out.push(b':');
        write(value, out);
    }
    out.push(b'}');
}

/// Doubles in the shortest form that reads back as the same double; `null` for what JSON cannot
/// say.
fn write_float(number: f64, out: &mut Vec<u8>) {
    let size = number.abs();
    if !number.is_finite() {
        out.extend_from_slice(b"null");
    } else if size == 0.0 {
        out.push(b'0');
    } else if (1e-6..1e21).contains(&size) {
        display(&number, out);
    } else {
        display(&format_args!("{number:e}"), out);
    }
}

fn display(what: &dyn std::fmt::Display, out: &mut Vec<u8>) {
    // Writing into a vector cannot fail.
    let written = write!(out, "{what}");
    debug_assert!(written.is_ok(), "a vector takes every byte");
}

fn write_str(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    loop {
        let (run, tail) = rest.split_at(plain_len(rest));
        out.extend_from_slice(run);
        let Some((special, behind)) = tail.split_first() else { break };
        match special {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            byte => display(&format_args!("\\u{byte:04x}"), out),
        }
        rest = behind;
    }
    out.push(b'"');
}
