//! Runs one script of rules.

use std::fmt::Write as _;

use actors_core::{Mono, Now, Wall};
use actors_kinds::{
    ColumnDefinition, KindFacts, Registry, column_definitions, columns, conform, default_object,
    initial_status, selectable_fields, validate::validate_subresource_update, validate_body,
    validate_create, validate_status_update, validate_update,
};
use actors_object::{
    FieldError, FieldPath, Gvk, Object, Value,
    json::{self, Limits},
    patch, value, yaml,
};

/// 2026-01-01T01:00:00Z.
const NOW: Now = Now { mono: Mono(0), wall: Wall(1_767_229_200_000_000_000) };
/// What a block begins with.
const SORTS: [&str; 5] = ["column", "default", "immutability", "selector", "validation"];

/// One command, with the lines that it stands in.
struct Command<'a> {
    word: &'a str,
    /// What follows the word, in one line.
    rest: String,
    lines: Vec<&'a str>,
}

/// The script with what comes out of it.
pub(crate) fn run(text: &str) -> String {
    let registry = Registry::builtin().expect("the tables are good");
    let mut stage = Stage { registry: &registry, kind: None, base: Value::Null, old: None };
    let mut out = String::new();
    for command in commands(text) {
        for line in &command.lines {
            writeln!(out, "{line}").expect("a text can be written to");
        }
        for line in stage.perform(command.word, &command.rest) {
            writeln!(out, "= {line}").expect("a text can be written to");
        }
    }
    out
}

/// Lines that begin with a space continue the line above; lines with `=` are what came out before.
fn commands(text: &str) -> Vec<Command<'_>> {
    let mut all: Vec<Command<'_>> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('=')) {
        match all.last_mut() {
            Some(last) if line.starts_with(' ') => {
                last.rest = format!("{} {}", last.rest, line.trim());
                last.lines.push(line);
            }
            _ => {
                let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
                all.push(Command { word, rest: rest.to_owned(), lines: vec![line] });
            }
        }
    }
    all
}

/// What the commands above have said.
struct Stage<'a> {
    registry: &'a Registry,
    kind: Option<&'a KindFacts>,
    base: Value,
    old: Option<Object>,
}

impl<'a> Stage<'a> {
    fn perform(&mut self, word: &str, rest: &str) -> Vec<String> {
        match word {
            "" | "#" => Vec::new(),
            "kind" => {
                self.begin(rest);
                Vec::new()
            }
            "base" => {
                patch::merge_patch(&mut self.base, parse(rest));
                Vec::new()
            }
            "old" => {
                let old = self.object(rest);
                let faults = validate_create(self.kind(), &old);
                self.old = Some(old);
                told(&faults).into_iter().filter(|line| line != GOOD).collect()
            }
            "create" => told(&validate_create(self.kind(), &self.object(rest))),
            "new" => told(&validate_update(self.kind(), &self.object(rest), self.old())),
            "status" => told(&validate_status_update(self.kind(), &self.object(rest), self.old())),
            "body" => told(&validate_body(&self.kind().gvk.kind, &self.object(rest))),
            "default" => self.defaults(rest),
            "begin" => {
                let status = initial_status(self.kind(), &self.object(rest));
                vec![status.map_or("no status".to_owned(), |status| json::to_string(&status))]
            }
            "columns" => self.columns(rest),
            "fields" => {
                let fields = selectable_fields(self.kind(), &self.object(rest));
                fields.iter().map(|(name, value)| format!("{name}={value}")).collect()
            }
            title if title.strip_suffix(':').is_some_and(|sort| SORTS.contains(&sort)) => {
                self.old = None;
                Vec::new()
            }
            subresource => {
                let (kind, new) = (self.kind(), self.object(rest));
                assert!(kind.subresource(subresource).is_some(), "{subresource}: no such command");
                told(&validate_subresource_update(kind, subresource, &new, self.old()))
            }
        }
    }

    /// `GROUP/VERSION KIND`; the core group has no name.
    fn begin(&mut self, rest: &str) {
        let (version, kind) = rest.split_once(' ').expect("a version and a kind");
        let found = self.registry.kind(&Gvk::from_api_version(version, kind));
        let facts = found.unwrap_or_else(|| panic!("{rest} is not served"));
        self.kind = Some(facts);
        self.base = value!({ "apiVersion": version, "kind": kind, "metadata": { "name": "x" } });
        if facts.namespaced {
            self.base.set_path(&["metadata", "namespace"], "a");
        }
    }

    fn kind(&self) -> &'a KindFacts {
        self.kind.expect("the script names its kind")
    }

    fn old(&self) -> &Object {
        self.old.as_ref().expect("there is an old object")
    }

    /// An object as the door has it before defaults: the base and what is said here.
    fn given(&self, text: &str) -> Object {
        let mut value = self.base.clone();
        patch::merge_patch(&mut value, parse(text));
        let report = conform::check_fields(self.registry.schema(), &self.kind().shape, &value);
        assert!(report.is_clean(), "{text}: {report:?}");
        conform::normalize(self.registry.schema(), &self.kind().shape, &mut value);
        Object(value)
    }

    /// An object with its defaults.
    fn object(&self, text: &str) -> Object {
        let mut object = self.given(text);
        default_object(self.kind(), &mut object);
        object
    }

    fn defaults(&self, text: &str) -> Vec<String> {
        let (given, filled) = (self.given(text), self.object(text));
        let mut twice = filled.clone();
        default_object(self.kind(), &mut twice);
        assert_eq!(twice.0, filled.0, "defaulting twice is defaulting once");
        let (mut before, mut after) = (Vec::new(), Vec::new());
        leaves(&given, &FieldPath::root(), &mut before);
        leaves(&filled, &FieldPath::root(), &mut after);
        let new = after.iter().filter(|leaf| !before.contains(leaf)).cloned();
        // What stands in the place of an empty map is no loss of the map.
        let gone = before.iter().filter(|leaf| !after.contains(leaf) && !leaf.ends_with("{}"));
        new.chain(gone.map(|leaf| format!("not {leaf}"))).collect()
    }

    fn columns(&self, text: &str) -> Vec<String> {
        let object = self.object(text);
        let (heads, cells) = (column_definitions(self.kind()), columns(self.kind(), &object, NOW));
        assert_eq!(heads.len(), cells.len(), "a cell for each column");
        heads.iter().zip(&cells).map(|(head, cell)| shown(head, cell)).collect()
    }
}

/// `Age: 5m`, `Drivers (integer): 2`, `[Selector: app=web]`.
fn shown(head: &ColumnDefinition, cell: &Value) -> String {
    let cell = cell.as_str().map_or_else(|| json::to_string(cell), str::to_owned);
    let sort = if head.sort == "string" { String::new() } else { format!(" ({})", head.sort) };
    let line = format!("{}{sort}: {cell}", head.name);
    if head.priority > 0 { format!("[{line}]") } else { line }
}

const GOOD: &str = "good";

fn told(faults: &[FieldError]) -> Vec<String> {
    if faults.is_empty() {
        return vec![GOOD.to_owned()];
    }
    faults.iter().map(ToString::to_string).collect()
}

fn parse(text: &str) -> Value {
    let parsed = yaml::parse(text.as_bytes(), Limits::default());
    parsed.unwrap_or_else(|error| panic!("{text}: {error}")).value
}

/// `path: value` of everything that has nothing below it.
fn leaves(value: &Value, path: &FieldPath, out: &mut Vec<String>) {
    match value {
        Value::Map(map) if !map.is_empty() => {
            for (name, value) in map.iter() {
                leaves(value, &path.push_field(name), out);
            }
        }
        Value::List(items) if !items.is_empty() => {
            for (index, item) in items.iter().enumerate() {
                leaves(item, &path.push_index(index), out);
            }
        }
        leaf => out.push(format!("{path}: {}", json::to_string(leaf))),
    }
}
