//! `paths`: the operations on the objects of a kind.

use actors_object::{Gvk, Map, Value, value};

use super::{Dialect, Source, group_path, schemas::gvk_value};
use crate::{
    facts::Shape,
    registry::{KindFacts, Subresource},
};

/// Query parameters of every write.
const WRITE: &[&str] = &["dryRun", "fieldManager", "fieldValidation"];
const PATCH: &[&str] = &["dryRun", "fieldManager", "fieldValidation", "force"];
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
const OBJECTS: &[&str] =
    &["application/json", "application/yaml", "application/vnd.kubernetes.protobuf"];
const LISTS: &[&str] = &[
    "application/json",
    "application/yaml",
    "application/vnd.kubernetes.protobuf",
    "application/json;stream=watch",
    "application/vnd.kubernetes.protobuf;stream=watch",
];
const PATCHES: &[&str] = &[
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/apply-patch+yaml",
];
const STRATEGIC: &str = "application/strategic-merge-patch+json";

/// What one operation is about.
struct About<'a> {
    gvk: &'a Gvk,
    /// Whether it opens a stream instead of reading and writing objects.
    connects: bool,
    /// The schema of one object, and of a list of them.
    body: Value,
    list: Value,
    /// Whether its fields are known, so that a strategic merge can be computed.
    is_typed: bool,
    /// What makes the operation's name its own: `AppsV1`, `NamespacedDeploymentScale`.
    name: (String, String),
}

/// Adds the paths of a kind.
pub(super) fn add(source: Source<'_>, kind: &KindFacts, paths: &mut Map) {
    let root = format!("/{}", group_path(&kind.gvk.group, &kind.gvk.version));
    let scope = if kind.namespaced { "Namespaced" } else { "" };
    let mut about = About {
        gvk: &kind.gvk,
        connects: false,
        body: source.kind_reference(kind),
        list: match source.list_name(kind) {
            Some(list) => source.named_reference(&list),
            None => value!({ "type": "object" }),
        },
        is_typed: matches!(kind.shape, Shape::Object(_)),
        name: (version_name(&kind.gvk), format!("{}ForAllNamespaces", kind.gvk.kind)),
    };
    let collection = if kind.namespaced {
        let everywhere = format!("{root}/{}", kind.plural);
        source.insert(paths, everywhere, &about, &pick(&kind.verbs, &["list"]));
        format!("{root}/namespaces/{{namespace}}/{}", kind.plural)
    } else {
        format!("{root}/{}", kind.plural)
    };
    about.name.1 = format!("{scope}{}", kind.gvk.kind);
    let item = format!("{collection}/{{name}}");
    let of_collection = pick(&kind.verbs, &["create", "deletecollection", "list"]);
    let of_item = pick(&kind.verbs, &["delete", "get", "patch", "update"]);
    source.insert(paths, collection, &about, &of_collection);
    source.insert(paths, item.clone(), &about, &of_item);
    for sub in &kind.subresources {
        let about = about_subresource(source, kind, sub, scope);
        let verbs = pick(&sub.verbs, &["create", "delete", "get", "patch", "update"]);
        source.insert(paths, format!("{item}/{}", sub.name), &about, &verbs);
    }
}

fn about_subresource<'a>(
    source: Source<'_>,
    kind: &KindFacts,
    sub: &'a Subresource,
    scope: &str,
) -> About<'a> {
    let is_own = sub.gvk == kind.gvk;
    let body = if is_own { source.kind_reference(kind) } else { source.reference(&sub.shape) };
    let is_typed = matches!(sub.shape, Shape::Object(_));
    let name = format!("{scope}{}{}", kind.gvk.kind, capital(&sub.name));
    About {
        gvk: &sub.gvk,
        connects: !is_own && !is_typed,
        list: body.clone(),
        body,
        is_typed,
        name: (version_name(&kind.gvk), name),
    }
}

/// `AppsV1`; the end that Kubernetes' own groups share is left out.
fn version_name(gvk: &Gvk) -> String {
    let group = if gvk.group.is_empty() { "core" } else { gvk.group.trim_end_matches(".k8s.io") };
    let words: Vec<String> = group.split(['.', '-']).map(capital).collect();
    format!("{}{}", words.concat(), capital(&gvk.version))
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn pick<'a>(verbs: &'a [String], wanted: &[&str]) -> Vec<&'a str> {
    verbs.iter().map(String::as_str).filter(|verb| wanted.contains(verb)).collect()
}

impl Source<'_> {
    fn insert(self, paths: &mut Map, path: String, about: &About<'_>, verbs: &[&str]) {
        if verbs.is_empty() {
            return;
        }
        let mut item = Map::new();
        for verb in verbs {
            let method = match *verb {
                "create" => "post",
                "update" => "put",
                "patch" => "patch",
                "delete" | "deletecollection" => "delete",
                _ => "get",
            };
            item.insert(method, self.operation(about, (verb, method)));
        }
        let variables =
            ["namespace", "name"].into_iter().filter(|name| path.contains(&format!("{{{name}}}")));
        let parameters: Vec<Value> = variables.map(|name| self.path_parameter(name)).collect();
        if !parameters.is_empty() {
            item.insert("parameters", parameters);
        }
        paths.insert(path, item);
    }

    fn operation(self, about: &About<'_>, (verb, method): (&str, &str)) -> Value {
        let (action, parameters): (&str, &[&str]) = match verb {
            _ if about.connects => ("connect", &[]),
            "create" => ("post", WRITE),
            "update" => ("put", WRITE),
            "patch" => ("patch", PATCH),
            "delete" => ("delete", DELETE),
            "deletecollection" => ("deletecollection", LIST),
            "list" => ("list", LIST),
            _ => ("get", &[]),
        };
        let answer = match verb {
            "list" => about.list.clone(),
            "delete" | "deletecollection" => self.named_reference("meta.v1.Status"),
            _ => about.body.clone(),
        };
        let produced = if verb == "list" { LISTS } else { OBJECTS };
        let mut query: Vec<Value> =
            parameters.iter().map(|name| self.query_parameter(name)).collect();
        let mut operation = Map::new();
        let version = (about.gvk.group.as_str(), about.gvk.version.as_str());
        operation.insert("tags", vec![tag(version)]);
        operation.insert("operationId", operation_id(about, (verb, method)));
        if self.dialect == Dialect::V2 {
            let consumed = self.request_media(about, verb).unwrap_or_else(|| vec!["*/*"]);
            operation.insert("consumes", Value::from_iter(consumed));
            operation.insert("produces", Value::from_iter(produced.iter().copied()));
            operation.insert("schemes", vec!["https"]);
        }
        if let Some(media) = self.request_media(about, verb) {
            let schema = match verb {
                "patch" => self.named_reference("meta.v1.Patch"),
                "delete" | "deletecollection" => self.named_reference("meta.v1.DeleteOptions"),
                _ => about.body.clone(),
            };
            let required = !verb.starts_with("delete");
            match self.dialect {
                Dialect::V2 => query.insert(
                    0,
                    value!({ "name": "body", "in": "body", "required": required, "schema": schema }),
                ),
                Dialect::V3 => {
                    let content = content(&media, &schema);
                    let body = value!({ "content": content, "required": required });
                    operation.insert("requestBody", body);
                }
            }
        }
        operation.insert("parameters", query);
        operation.insert("responses", self.responses(verb, produced, &answer));
        operation.insert("x-kubernetes-action", action);
        operation.insert("x-kubernetes-group-version-kind", gvk_value(about.gvk));
        Value::Map(operation)
    }

    /// The media types that a body may have. What is not named here is refused.
    fn request_media(self, about: &About<'_>, verb: &str) -> Option<Vec<&'static str>> {
        match verb {
            _ if about.connects => None,
            "create" | "update" | "delete" | "deletecollection" => Some(OBJECTS.to_vec()),
            "patch" => {
                let mut kinds = PATCHES.to_vec();
                if about.is_typed {
                    kinds.push(STRATEGIC);
                }
                Some(kinds)
            }
            _ => None,
        }
    }

    fn responses(self, verb: &str, produced: &[&str], schema: &Value) -> Value {
        let answer = match self.dialect {
            Dialect::V2 => value!({ "description": "OK", "schema": schema }),
            Dialect::V3 => value!({ "description": "OK", "content": (content(produced, schema)) }),
        };
        let mut responses = Map::new();
        responses.insert("200", answer.clone());
        let more = match verb {
            "create" => Some("Created"),
            "update" | "patch" => Some("Created"),
            _ => None,
        };
        if let Some(word) = more {
            let mut created = answer;
            created.set_path(&["description"], word);
            responses.insert("201", created);
        }
        responses.insert("401", value!({ "description": "Unauthorized" }));
        Value::Map(responses)
    }

    fn query_parameter(self, name: &str) -> Value {
        let sort = match name {
            "allowWatchBookmarks"
            | "force"
            | "orphanDependents"
            | "sendInitialEvents"
            | "watch" => "boolean",
            "gracePeriodSeconds" | "limit" | "timeoutSeconds" => "integer",
            _ => "string",
        };
        self.parameter(name, "query", sort)
    }

    fn path_parameter(self, name: &str) -> Value {
        let mut parameter = self.parameter(name, "path", "string");
        parameter.set_path(&["required"], true);
        parameter
    }

    fn parameter(self, name: &str, place: &str, sort: &str) -> Value {
        match self.dialect {
            Dialect::V2 => {
                value!({ "name": name, "in": place, "type": sort, "uniqueItems": true })
            }
            Dialect::V3 => value!({
                "name": name, "in": place, "schema": { "type": sort, "uniqueItems": true },
            }),
        }
    }
}

/// `apps_v1`.
fn tag((group, version): (&str, &str)) -> String {
    let group = if group.is_empty() { "core" } else { group.trim_end_matches(".k8s.io") };
    format!("{}_{version}", group.replace('.', ""))
}

/// `listAppsV1NamespacedDeployment`. Spec: names by which clients are generated must be each its own.
fn operation_id(about: &About<'_>, (verb, method): (&str, &str)) -> String {
    let (version, name) = &about.name;
    match verb {
        _ if about.connects => format!("connect{version}{}{name}", capital(method)),
        "deletecollection" => format!("delete{version}Collection{name}"),
        "get" => format!("read{version}{name}"),
        "update" => format!("replace{version}{name}"),
        verb => format!("{verb}{version}{name}"),
    }
}

fn content(kinds: &[&str], schema: &Value) -> Map {
    kinds.iter().map(|kind| (*kind, value!({ "schema": schema }))).collect()
}
