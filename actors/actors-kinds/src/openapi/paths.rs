//! `paths`: the operations on the objects of a kind.

use actors_object::{Gvk, Map, Value, value};

use super::{
    group_path,
    schemas::{gvk_value, kind_reference, reference},
};
use crate::{
    facts::Shape,
    registry::{KindFacts, Registry, Subresource},
};

/// Query parameters of every write.
const WRITE: &[&str] = &["dryRun", "fieldManager", "fieldValidation"];
const LIST: &[&str] = &[
    "allowWatchBookmarks",
    "continue",
    "fieldSelector",
    "labelSelector",
    "limit",
    "resourceVersion",
    "resourceVersionMatch",
    "sendInitialEvents",
    "timeoutSeconds",
    "watch",
];
const DELETE: &[&str] = &["dryRun", "gracePeriodSeconds", "orphanDependents", "propagationPolicy"];
const JSON: &[&str] = &["application/json", "application/yaml"];

/// What one operation is about.
struct About<'a> {
    gvk: &'a Gvk,
    /// Whether it opens a stream instead of reading and writing objects.
    connects: bool,
    body: Value,
    /// Whether its fields are known, so that a strategic merge can be computed.
    is_typed: bool,
}

/// Adds the paths of a kind.
pub(super) fn add(registry: &Registry, kind: &KindFacts, paths: &mut Map) {
    let root = format!("/{}", group_path(&kind.gvk.group, &kind.gvk.version));
    let collection = if kind.namespaced {
        paths.insert(format!("{root}/{}", kind.plural), across_namespaces(registry, kind));
        format!("{root}/namespaces/{{namespace}}/{}", kind.plural)
    } else {
        format!("{root}/{}", kind.plural)
    };
    let about = About {
        gvk: &kind.gvk,
        connects: false,
        body: kind_reference(registry, kind),
        is_typed: matches!(kind.shape, Shape::Object(_)),
    };
    let item = format!("{collection}/{{name}}");
    let of_collection = ["create", "deletecollection", "list"];
    let of_item = ["delete", "get", "patch", "update"];
    insert_path(paths, collection, &about, pick(&kind.verbs, &of_collection));
    insert_path(paths, item.clone(), &about, pick(&kind.verbs, &of_item));
    for sub in &kind.subresources {
        let about = about_subresource(registry, kind, sub);
        let verbs = pick(&sub.verbs, &["create", "delete", "get", "patch", "update"]);
        insert_path(paths, format!("{item}/{}", sub.name), &about, verbs);
    }
}

fn about_subresource<'a>(registry: &Registry, kind: &KindFacts, sub: &'a Subresource) -> About<'a> {
    let is_own = sub.gvk == kind.gvk;
    let body =
        if is_own { kind_reference(registry, kind) } else { reference(registry, &sub.shape) };
    let is_typed = matches!(sub.shape, Shape::Object(_));
    About { gvk: &sub.gvk, connects: !is_own && !is_typed, body, is_typed }
}

fn pick<'a>(verbs: &'a [String], wanted: &[&str]) -> Vec<&'a str> {
    verbs.iter().map(String::as_str).filter(|verb| wanted.contains(verb)).collect()
}

/// The list of a namespaced kind across all namespaces.
fn across_namespaces(registry: &Registry, kind: &KindFacts) -> Value {
    let body = kind_reference(registry, kind);
    let about = About { gvk: &kind.gvk, connects: false, body, is_typed: true };
    let mut item = Map::new();
    if kind.has_verb("list") {
        item.insert("get", operation(&about, "list"));
    }
    Value::Map(item)
}

fn insert_path(paths: &mut Map, path: String, about: &About<'_>, verbs: Vec<&str>) {
    if verbs.is_empty() {
        return;
    }
    let mut item = Map::new();
    for verb in verbs {
        let method = match verb {
            "create" => "post",
            "update" => "put",
            "patch" => "patch",
            "delete" | "deletecollection" => "delete",
            _ => "get",
        };
        item.insert(method, operation(about, verb));
    }
    let variables =
        ["namespace", "name"].into_iter().filter(|name| path.contains(&format!("{{{name}}}")));
    let parameters: Vec<Value> = variables.map(path_parameter).collect();
    if !parameters.is_empty() {
        item.insert("parameters", parameters);
    }
    paths.insert(path, item);
}

fn operation(about: &About<'_>, verb: &str) -> Value {
    let (action, parameters): (&str, &[&str]) = match verb {
        "create" => ("post", WRITE),
        "update" => ("put", WRITE),
        "patch" => ("patch", WRITE),
        "delete" => ("delete", DELETE),
        "deletecollection" => ("deletecollection", LIST),
        "list" => ("list", LIST),
        _ => ("get", &[]),
    };
    let (action, parameters) =
        if about.connects { ("connect", &[][..]) } else { (action, parameters) };
    let mut operation = Map::new();
    operation.insert("parameters", parameters.iter().map(query_parameter).collect::<Vec<_>>());
    if let Some(body) = request_body(about, verb) {
        operation.insert("requestBody", value!({ "required": true, "content": body }));
    }
    let content = media(JSON, &about.body);
    operation.insert("responses", value!({ "200": { "description": "OK", "content": content } }));
    operation.insert("x-kubernetes-action", action);
    operation.insert("x-kubernetes-group-version-kind", gvk_value(about.gvk));
    Value::Map(operation)
}

/// The media types that a body may have. What is not named here is refused: server-side apply is not served yet.
fn request_body(about: &About<'_>, verb: &str) -> Option<Map> {
    match verb {
        _ if about.connects => None,
        "create" | "update" => Some(media(JSON, &about.body)),
        "patch" => {
            let mut kinds = vec!["application/json-patch+json", "application/merge-patch+json"];
            if about.is_typed {
                kinds.push("application/strategic-merge-patch+json");
            }
            Some(media(&kinds, &value!({ "type": "object" })))
        }
        _ => None,
    }
}

fn media(kinds: &[&str], schema: &Value) -> Map {
    let mut content = Map::new();
    for kind in kinds {
        content.insert(*kind, value!({ "schema": schema }));
    }
    content
}

fn query_parameter(name: &&str) -> Value {
    let sort = match *name {
        "allowWatchBookmarks" | "orphanDependents" | "sendInitialEvents" | "watch" => "boolean",
        "gracePeriodSeconds" | "limit" | "timeoutSeconds" => "integer",
        _ => "string",
    };
    value!({ "name": (*name), "in": "query", "schema": { "type": sort, "uniqueItems": true } })
}

fn path_parameter(name: &str) -> Value {
    value!({ "name": name, "in": "path", "required": true, "schema": { "type": "string", "uniqueItems": true } })
}
