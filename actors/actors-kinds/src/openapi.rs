//! OpenAPI out of the tables: what clients need to validate, merge and explain.
//!
//! Way in: [`places`] and [`document`] for version 3, [`swagger`] for version 2, [`gnostic`] for their protobuf forms.
//! Never: descriptions of its own; they come from whoever calls ([`Describe`]), for they are no facts.
//! Spec: documentation, "the Kubernetes API", "OpenAPI specification"; KEP-2896. What kubectl looks for: the
//! `fieldValidation` parameter and the media types of the PATCH operation of a kind, found by
//! `x-kubernetes-group-version-kind`, and the merge keys in the schemas.

pub mod gnostic;
mod paths;
mod schemas;

use actors_object::{Map, Value, value};

use crate::registry::Registry;

/// Where the texts about types and their fields come from.
pub trait Describe {
    /// The text about a type, by its full name, or about one of its fields.
    fn describe(&self, type_name: &str, field: Option<&str>) -> Option<String>;
}

/// Knows no texts: clients show `<empty>`.
#[derive(Debug, Clone, Copy)]
pub struct Undescribed;

impl Describe for Undescribed {
    fn describe(&self, _: &str, _: Option<&str>) -> Option<String> {
        None
    }
}

/// Which of the two versions of OpenAPI is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    V2,
    V3,
}

/// What a document is made from.
#[derive(Clone, Copy)]
struct Source<'a> {
    registry: &'a Registry,
    texts: &'a dyn Describe,
    dialect: Dialect,
}

/// One document of version 3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Behind `/openapi/v3/`: `apis/apps/v1`.
    pub path: String,
    /// Empty for the core group.
    pub group: String,
    /// `v1`.
    pub version: String,
}

/// All documents of version 3, in the order of discovery.
#[must_use]
pub fn places(registry: &Registry) -> Vec<Place> {
    let mut places = Vec::new();
    for (group, versions) in registry.groups() {
        for version in versions {
            places.push(Place {
                path: group_path(group, version),
                group: group.to_owned(),
                version: version.to_owned(),
            });
        }
    }
    places
}

/// The document at `/openapi/v3`: where the documents are. Their address carries a hash, so that clients may keep what
/// they fetched for as long as it does not change.
#[must_use]
pub fn index<'a>(documents: impl IntoIterator<Item = (&'a str, &'a str)>) -> Value {
    let mut paths = Map::new();
    for (path, hash) in documents {
        let url = format!("/openapi/v3/{path}?hash={hash}");
        paths.insert(path, value!({ "serverRelativeURL": url }));
    }
    value!({ "paths": paths })
}

/// The document of one version of a group, at `/openapi/v3/apis/GROUP/VERSION`; nothing if that is not served.
#[must_use]
pub fn document(
    registry: &Registry,
    group: &str,
    version: &str,
    texts: &dyn Describe,
) -> Option<Value> {
    let kinds: Vec<_> = registry
        .kinds()
        .filter(|kind| kind.gvk.group == group && kind.gvk.version == version)
        .collect();
    if kinds.is_empty() {
        return None;
    }
    let source = Source { registry, texts, dialect: Dialect::V3 };
    let (all_paths, schemas) = source.parts(kinds);
    Some(value!({
        "openapi": "3.0.0",
        "info": (info()),
        "paths": all_paths,
        "components": { "schemas": schemas },
    }))
}

/// The document at `/openapi/v2`: everything at once.
#[must_use]
pub fn swagger(registry: &Registry, texts: &dyn Describe) -> Value {
    let source = Source { registry, texts, dialect: Dialect::V2 };
    let (all_paths, schemas) = source.parts(registry.kinds());
    value!({
        "swagger": "2.0",
        "info": (info()),
        "paths": all_paths,
        "definitions": schemas,
    })
}

impl<'a> Source<'a> {
    fn parts(self, kinds: impl IntoIterator<Item = &'a crate::KindFacts>) -> (Map, Map) {
        let mut all_paths = Map::new();
        let mut needed = schemas::Needed::new(self);
        for kind in kinds {
            paths::add(self, kind, &mut all_paths);
            needed.add_kind(kind);
        }
        (all_paths, needed.into_schemas())
    }
}

fn info() -> Value {
    value!({ "title": "Kubernetes", "version": "v1.35.0" })
}

/// `api/v1`, `apis/apps/v1`.
fn group_path(group: &str, version: &str) -> String {
    if group.is_empty() { format!("api/{version}") } else { format!("apis/{group}/{version}") }
}

#[cfg(test)]
mod tests;
