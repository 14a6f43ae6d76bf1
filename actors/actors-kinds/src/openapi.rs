//! OpenAPI v3 out of the tables: what clients need to validate, merge and explain.
//!
//! Way in: [`index`], [`document`].  Never: descriptions; clients show `<no description>`.
//! Spec: documentation, "the Kubernetes API", "OpenAPI specification"; KEP-2896. What kubectl looks for: the
//! `fieldValidation` parameter and the media types of the PATCH operation of a kind, found by
//! `x-kubernetes-group-version-kind`, and the merge keys in `components.schemas`.

mod paths;
mod schemas;

use actors_object::{Map, Value, hash, json, value};

use crate::registry::Registry;

/// The document at `/openapi/v3`: where the documents of the groups are. Their address carries a hash, so that
/// clients may keep what they fetched for as long as it does not change.
#[must_use]
pub fn index(registry: &Registry) -> Value {
    let mut paths = Map::new();
    for (group, versions) in registry.groups() {
        for version in versions {
            let Some(document) = document(registry, group, version) else { continue };
            let hash = hash::fnv32a(&json::to_vec(&document));
            let path = group_path(group, version);
            let url = format!("/openapi/v3/{path}?hash={hash:08X}");
            paths.insert(path, value!({ "serverRelativeURL": url }));
        }
    }
    value!({ "paths": paths })
}

/// The document of one version of a group, at `/openapi/v3/apis/GROUP/VERSION`; nothing if that is not served.
#[must_use]
pub fn document(registry: &Registry, group: &str, version: &str) -> Option<Value> {
    let kinds: Vec<_> = registry
        .kinds()
        .filter(|kind| kind.gvk.group == group && kind.gvk.version == version)
        .collect();
    if kinds.is_empty() {
        return None;
    }
    let mut all_paths = Map::new();
    let mut needed = schemas::Needed::new(registry);
    for kind in kinds {
        paths::add(registry, kind, &mut all_paths);
        needed.add_kind(kind);
    }
    Some(value!({
        "openapi": "3.0.0",
        "info": { "title": "Kubernetes", "version": "v1.35.0" },
        "paths": all_paths,
        "components": { "schemas": (needed.into_schemas()) },
    }))
}

/// `api/v1`, `apis/apps/v1`.
fn group_path(group: &str, version: &str) -> String {
    if group.is_empty() { format!("api/{version}") } else { format!("apis/{group}/{version}") }
}

#[cfg(test)]
mod tests;
