//! The resources: what is served under which path, with which verbs, and its subresources.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use anyhow::Result;
use serde_json::{Map, Value};

use super::{is_default_served, short_name};

/// Group, version, plural name, and the subresource if it is one.
type Place = (String, String, String, Option<String>);

#[derive(Default)]
struct Served {
    gvk: String,
    kind_type: String,
    namespaced: bool,
    verbs: BTreeSet<&'static str>,
}

/// Appends the resources of all versions that are served by default.
pub(super) fn write(swagger: &Value, table: &mut String) -> Result<()> {
    let mut served: BTreeMap<Place, Served> = BTreeMap::new();
    let empty = Map::new();
    for (path, operations) in swagger["paths"].as_object().unwrap_or(&empty) {
        let Some((place, namespaced)) = place_of(path) else { continue };
        let entry = served.entry(place).or_default();
        entry.namespaced |= namespaced;
        for (method, operation) in operations.as_object().unwrap_or(&empty) {
            entry.verbs.extend(verb_of(method, operation["x-kubernetes-action"].as_str()));
            note_kind(entry, operation, swagger);
        }
    }
    for ((group, version, plural, subresource), facts) in served {
        let verbs = facts.verbs.iter().copied().collect::<Vec<_>>().join(",");
        let kind = facts.gvk.rsplit('/').next().unwrap_or_default();
        let scope = if facts.namespaced { "namespaced" } else { "cluster" };
        match subresource {
            Some(name) => writeln!(table, " {name} {} {} {verbs}", facts.gvk, facts.kind_type)?,
            None => writeln!(
                table,
                "resource {} {version} {plural} {kind} {} {scope} {verbs}",
                if group.is_empty() { "core" } else { &group },
                facts.kind_type
            )?,
        }
    }
    Ok(())
}

/// `group/version/Kind`, with `core` for the group without a name.
pub(super) fn gvk_text(gvk: &Value) -> String {
    let word = |key: &str| gvk[key].as_str().unwrap_or_default().to_owned();
    let group = word("group");
    let group = if group.is_empty() { "core".to_owned() } else { group };
    format!("{group}/{}/{}", word("version"), word("kind"))
}

/// Which resource a path serves, and whether the path names a namespace.
fn place_of(path: &str) -> Option<(Place, bool)> {
    let (group, version, rest) = if let Some(rest) = path.strip_prefix("/api/v1/") {
        ("", "v1", rest)
    } else {
        let (group, rest) = path.strip_prefix("/apis/")?.split_once('/')?;
        let (version, rest) = rest.split_once('/')?;
        (group, version, rest)
    };
    let rest = rest.strip_prefix("watch/").unwrap_or(rest);
    let (rest, namespaced) = match rest.strip_prefix("namespaces/{namespace}/") {
        Some(rest) => (rest, true),
        None => (rest, false),
    };
    if rest.is_empty() || !is_default_served(version) {
        return None;
    }
    let mut words = rest.split('/');
    let plural = words.next()?.to_owned();
    let subresource = words.nth(1).map(str::to_owned);
    Some(((group.to_owned(), version.to_owned(), plural, subresource), namespaced))
}

/// The verb of an operation, in the API's own words.
fn verb_of(method: &str, action: Option<&str>) -> Option<&'static str> {
    match (action?, method) {
        ("get", _) | ("connect", "get") => Some("get"),
        ("list", _) => Some("list"),
        ("post", _) | ("connect", "post") => Some("create"),
        ("put", _) | ("connect", "put") => Some("update"),
        ("patch", _) | ("connect", "patch") => Some("patch"),
        ("delete", _) | ("connect", "delete") => Some("delete"),
        ("deletecollection", _) => Some("deletecollection"),
        ("watch" | "watchlist", _) => Some("watch"),
        _ => None,
    }
}

/// Remembers kind and type from the operation; only the resource's own paths carry its kind.
fn note_kind(served: &mut Served, operation: &Value, swagger: &Value) {
    let gvk = &operation["x-kubernetes-group-version-kind"];
    if !gvk.is_object() {
        return;
    }
    let text = gvk_text(gvk);
    if served.kind_type.is_empty() {
        served.kind_type = type_of(gvk, swagger).unwrap_or_else(|| "any".to_owned());
        served.gvk = text;
    }
}

/// The definition that claims a kind.
fn type_of(gvk: &Value, swagger: &Value) -> Option<String> {
    swagger["definitions"].as_object()?.iter().find_map(|(name, definition)| {
        let claims = definition["x-kubernetes-group-version-kind"].as_array()?;
        (claims.contains(gvk)).then(|| short_name(name))
    })
}
