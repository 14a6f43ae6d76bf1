//! `scale`: the number of replicas, for clients that need not know the kind.
//!
//! Spec: Kubernetes API reference, `autoscaling/v1 Scale`.

use std::sync::Arc;

use actors_kinds::KindFacts;
use actors_object::{ApiError, FieldError, FieldPath, LabelSelector, Object, Value, value};

use crate::{
    Entry, Verb, decode,
    visit::{Decision, Visit},
    write::{self, Change, Scope},
};

/// Reads or sets the number of replicas.
pub(super) fn decide(visit: &mut Visit<'_>) -> Decision {
    let item = visit.current()?;
    let object = visit.object(&item)?;
    let scale = render(visit.kind, &object);
    let Some(sub) = visit.sub else { return Err(ApiError::no_such_resource()) };
    let expected = decode::Expected { gvk: &sub.gvk, shape: &sub.shape };
    let (wanted, conditional) = match visit.request.verb {
        Verb::Get => return Ok(visit.reply(200, Entry::Made(Arc::new(scale)))),
        Verb::Update => {
            let wanted = decode::body(visit, &expected)?;
            let conditional = !wanted.resource_version().is_empty();
            (wanted, conditional)
        }
        Verb::Patch(kind) => write::patched(visit, (kind, &scale), &expected)?,
        _ => {
            return Err(ApiError::method_not_allowed(
                &visit.resource(),
                visit.request.verb.as_str(),
            ));
        }
    };
    let replicas = wanted.i64_at(&["spec", "replicas"]).unwrap_or(0);
    if replicas < 0 {
        let path = FieldPath::of(&["spec", "replicas"]);
        let error = FieldError::invalid(&path, replicas, "must be greater than or equal to 0");
        return Err(ApiError::invalid(&sub.gvk.group_kind(), object.name(), &[error]));
    }
    let mut new = (*object).clone();
    new.set_path(&["spec", "replicas"], replicas);
    // What the client says of the revision and the uid is checked with the rest.
    new.set_resource_version(wanted.resource_version());
    if !wanted.uid().is_empty() {
        new.set_uid(wanted.uid());
    }
    replace(visit, (item, new, conditional))
}

fn replace(
    visit: &mut Visit<'_>,
    (item, new, conditional): (Arc<store_catalog::Item>, Object, bool),
) -> Decision {
    let change = Change { item, new, scope: Scope::Main, render: Some(render), conditional };
    write::replace(visit, change)
}

/// The scale of an object.
fn render(_kind: &KindFacts, object: &Object) -> Object {
    let mut metadata = actors_object::Map::new();
    for field in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        if let Some(value) = object.metadata().get(field) {
            metadata.insert(field, value);
        }
    }
    let replicas = |part: &Value| part.at("replicas").as_i64().unwrap_or(0);
    let mut status = value!({ "replicas": replicas(object.status()) });
    // A replication controller's selector is labels and nothing else.
    let selector = match object.kind() {
        "ReplicationController" => {
            value!({ "matchLabels": (object.spec().at("selector").clone()) })
        }
        _ => object.spec().at("selector").clone(),
    };
    let selector = LabelSelector::from_value(&selector, &FieldPath::new("spec"));
    if let Ok(selector) = selector {
        status.set_path(&["selector"], selector.to_string());
    }
    Object(value!({
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": metadata,
        "spec": { "replicas": replicas(object.spec()) },
        "status": status,
    }))
}
