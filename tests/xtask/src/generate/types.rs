//! The types: one line each, and one line per field, in the order of the protobuf numbers.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use anyhow::{Result, bail};
use serde_json::{Map, Value};

use super::{is_default_served, short_name};

/// Which scalar fields tell an empty value from none; the other inputs do not say so.
const PRESENCE: &str = include_str!("presence.txt");

/// Appends the packages and types of all versions that are served by default.
pub(super) fn write(swagger: &Value, proto: &Value, table: &mut String) -> Result<()> {
    let empty = Map::new();
    let definitions = swagger["definitions"].as_object().unwrap_or(&empty);
    let kept: Vec<(&String, &Value)> =
        definitions.iter().filter(|(name, _)| is_kept(name)).collect();
    let packages: BTreeSet<&str> = kept
        .iter()
        .filter_map(|(name, _)| name.rsplit_once('.'))
        .map(|(package, _)| package)
        .collect();
    for package in packages {
        writeln!(table, "package {} {package} {}", short_name(package), proto_name(package))?;
    }
    for (name, definition) in kept {
        if scalar_of(name).is_some() {
            continue;
        }
        write!(table, "type {}", short_name(name))?;
        if let Some([gvk]) =
            definition["x-kubernetes-group-version-kind"].as_array().map(Vec::as_slice)
        {
            write!(table, " {}", super::resources::gvk_text(gvk))?;
        }
        if definition["x-kubernetes-map-type"] == "atomic" {
            write!(table, " atomic")?;
        }
        table.push('\n');
        write_fields(name, definition, proto, table)?;
    }
    Ok(())
}

/// Whether a definition belongs to a version that is served by default, or to none.
fn is_kept(name: &str) -> bool {
    let mut parts = name.rsplit('.');
    parts.next();
    parts.next().is_some_and(is_default_served)
}

fn write_fields(name: &str, definition: &Value, proto: &Value, table: &mut String) -> Result<()> {
    let Some(fields) = definition["properties"].as_object() else { return Ok(()) };
    let required: BTreeSet<&str> =
        definition["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut lines: Vec<(Vec<u64>, String)> = Vec::new();
    let presence = presence_of(&short_name(name));
    for (field, facts) in fields {
        let number = number_of(&proto_name(name), field, fields, proto);
        let mut line = format!(" {field} {} {}", type_text(facts)?, number_text(&number));
        if required.contains(field.as_str()) {
            line.push_str(" required");
        }
        if let Some(word) = presence.get(field.as_str()) {
            write!(line, " {word}")?;
        }
        write_extensions(facts, &mut line)?;
        // The fields that every object inlines have no number, and stand first.
        let place = match (field.as_str(), number.is_empty()) {
            ("kind", true) => vec![0, 0],
            ("apiVersion", true) => vec![0, 1],
            (_, true) => vec![u64::MAX],
            (_, false) => number,
        };
        lines.push((place, line));
    }
    lines.sort();
    for (_, line) in lines {
        writeln!(table, "{line}")?;
    }
    Ok(())
}

/// The fields of a type that tell an empty value from none, each with its word.
fn presence_of(short: &str) -> BTreeMap<&'static str, &'static str> {
    let rows = PRESENCE.lines().filter_map(|line| line.strip_prefix(short)?.strip_prefix(' '));
    rows.filter_map(|row| row.split_once(' ')).collect()
}

fn write_extensions(facts: &Value, line: &mut String) -> Result<()> {
    if let Some(list) = facts["x-kubernetes-list-type"].as_str() {
        write!(line, " list={list}")?;
    }
    if let Some(keys) = facts["x-kubernetes-list-map-keys"].as_array() {
        let keys: Vec<&str> = keys.iter().filter_map(Value::as_str).collect();
        write!(line, " keys={}", keys.join(","))?;
    }
    if let Some(strategy) = facts["x-kubernetes-patch-strategy"].as_str() {
        write!(line, " patch={strategy}")?;
    }
    if let Some(key) = facts["x-kubernetes-patch-merge-key"].as_str() {
        write!(line, " merge={key}")?;
    }
    if facts["x-kubernetes-map-type"] == "atomic" {
        line.push_str(" atomic");
    }
    Ok(())
}

/// The word of the table for a type: a scalar's name, a type's name, `[]T` or `{}T`.
fn type_text(facts: &Value) -> Result<String> {
    if let Some(target) = facts["$ref"].as_str() {
        let name = target.trim_start_matches("#/definitions/");
        return Ok(scalar_of(name).map_or_else(|| short_name(name), str::to_owned));
    }
    let text = match (facts["type"].as_str(), facts["format"].as_str()) {
        (Some("string"), Some("byte")) => "bytes".to_owned(),
        (Some("string"), Some("date-time")) => "time".to_owned(),
        (Some("string"), None) => "string".to_owned(),
        (Some("boolean"), _) => "bool".to_owned(),
        (Some("integer"), Some("int64")) => "int64".to_owned(),
        (Some("integer"), _) => "int32".to_owned(),
        (Some("number"), _) => "double".to_owned(),
        (Some("array"), _) => format!("[]{}", type_text(&facts["items"])?),
        (Some("object"), _) if facts["additionalProperties"].is_object() => {
            format!("{{}}{}", type_text(&facts["additionalProperties"])?)
        }
        (Some("object") | None, None) => "any".to_owned(),
        other => bail!("the table has no word for the type {other:?}"),
    };
    Ok(text)
}

/// Definitions that are scalars, or of any shape.
fn scalar_of(name: &str) -> Option<&'static str> {
    let word = match short_name(name).as_str() {
        "machinery.api.resource.Quantity" => "quantity",
        "machinery.util.intstr.IntOrString" => "int-or-string",
        "meta.v1.Time" => "time",
        "meta.v1.MicroTime" => "micro-time",
        "machinery.runtime.RawExtension"
        | "meta.v1.FieldsV1"
        | "meta.v1.Patch"
        | "apiextensions.v1.JSON" => "any",
        "apiextensions.v1.JSONSchemaPropsOrArray" => "schema-or-list",
        "apiextensions.v1.JSONSchemaPropsOrBool" => "schema-or-bool",
        "apiextensions.v1.JSONSchemaPropsOrStringArray" => "schema-or-texts",
        _ => return None,
    };
    Some(word)
}

/// The protobuf name of a definition or package.
fn proto_name(name: &str) -> String {
    match name.strip_prefix("io.k8s.") {
        Some(rest) => format!("k8s.io.{}", rest.replace('-', "_")),
        None => name.to_owned(),
    }
}

/// The field's number; several if JSON inlines what protobuf keeps in messages of their own; none if unknown.
fn number_of(message: &str, field: &str, json: &Map<String, Value>, proto: &Value) -> Vec<u64> {
    // A few messages write a name with other capitals.
    let wire = wire_name(field);
    let mut fields = proto[message].as_object().into_iter().flatten();
    let found = fields.find(|(name, _)| name.eq_ignore_ascii_case(&wire));
    if let Some(number) = found.and_then(|(_, facts)| facts[0].as_u64()) {
        return vec![number];
    }
    let package = message.rsplit_once('.').map_or("", |(package, _)| package);
    for (name, facts) in proto[message].as_object().into_iter().flatten() {
        let target = facts[1].as_str().unwrap_or_default();
        let target =
            if target.contains('.') { target.to_owned() } else { format!("{package}.{target}") };
        let (false, Some(outer)) = (json.contains_key(name), facts[0].as_u64()) else { continue };
        if target == message {
            continue;
        }
        let inner = number_of(&target, field, json, proto);
        if !inner.is_empty() {
            return [vec![outer], inner].concat();
        }
    }
    Vec::new()
}

fn number_text(number: &[u64]) -> String {
    match number {
        [] => "-".to_owned(),
        [number] => number.to_string(),
        path => path.iter().map(u64::to_string).collect::<Vec<_>>().join("/"),
    }
}

/// How protobuf spells a JSON field: without `$`, and with capitals for dashes.
fn wire_name(field: &str) -> String {
    let mut wire = String::new();
    let mut is_capital = false;
    for character in field.trim_start_matches('$').chars() {
        if character == '-' {
            is_capital = true;
        } else if is_capital {
            wire.extend(character.to_uppercase());
            is_capital = false;
        } else {
            wire.push(character);
        }
    }
    wire
}
