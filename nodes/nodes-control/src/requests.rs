//! The items of a plan as requests at the door, and the door's answers as verdicts.
//!
//! Way in: [`of_item`], [`verdict`].  Invariant: every request carries the uid that was planned for.

use actors_controller::{Item, Key, Kind, Refusal, Target as Planned, Verdict};
use actors_kinds::{KindFacts, Registry};
use actors_object::{ApiError, Map, Value, json};
use nodes_door::{
    Body, Identity, Media, Options, PatchKind, Request, Response, ResponseBody, Target, Verb,
};

/// What managedFields say of the controllers' writes, as in any Kubernetes cluster.
const CONTROLLERS: &str = "kube-controller-manager";

/// The program that an identity writes as: `kube-controller-manager` for the controllers' service accounts, for a
/// component its own name without `system:`. Users and tools look for these names in `managedFields`. Spec: Kubernetes
/// documentation, "Server-Side Apply", "Managers".
fn program_of(identity: &Identity) -> &str {
    let component = identity.user.strip_prefix("system:").unwrap_or(&identity.user);
    if component.starts_with("serviceaccount:") { CONTROLLERS } else { component }
}

/// The request of one item.
///
/// # Errors
/// If the kind is not served: a refusal, as the door would give it.
pub fn of_item(item: &Item, identity: &Identity, registry: &Registry) -> Result<Request, Refusal> {
    let facts = |kind: &Kind| {
        let found = registry.kind_named(kind.api_version(), kind.kind());
        found.ok_or_else(|| refusal(item, &ApiError::no_such_resource()))
    };
    let of = |target: &Planned, subresource: Option<&str>| {
        facts(&target.key.kind).map(|facts| at(facts, &target.key, subresource))
    };
    let request = |verb, target, body: Option<Value>| Request {
        identity: identity.clone(),
        verb,
        target,
        options: Options::default(),
        body: Body {
            media: Media::Json,
            bytes: body.map(|body| json::to_vec(&body)).unwrap_or_default().into(),
        },
        user_agent: program_of(identity).to_owned(),
    };
    let merge = Verb::Patch(PatchKind::Merge);
    Ok(match item {
        Item::Create(object) => {
            let mut target = at(facts(&Kind::of(object))?, &Key::of(object), None);
            target.name = None;
            request(Verb::Create, target, Some(object.0.clone()))
        }
        Item::Patch { target, patch } => {
            request(merge, of(target, None)?, Some(guarded(patch, target)))
        }
        Item::Status { target, patch } => {
            request(merge, of(target, Some("status"))?, Some(guarded(patch, target)))
        }
        Item::Delete { target, propagation, grace_seconds } => {
            let mut request = request(Verb::Delete, of(target, None)?, None);
            request.options.propagation_policy = Some(propagation.as_str().to_owned());
            request.options.grace_period_seconds = grace_seconds.map(i64::from);
            request.options.precondition_uid = Some(target.uid.clone());
            request.options.precondition_resource_version = target.resource_version.clone();
            request
        }
        Item::Finalize { target } => {
            let patch = Value::Map(Map::default());
            let mut body = guarded(&patch, target);
            body.set_path(&["metadata", "name"], target.key.name.clone());
            body.set_path(&["spec", "finalizers"], Value::List(Vec::new()));
            request(Verb::Update, of(target, Some("finalize"))?, Some(body))
        }
        Item::Bind { target, node } => {
            request(Verb::Create, of(target, Some("binding"))?, Some(binding(target, node)))
        }
        Item::Approve { target, patch } => {
            request(merge, of(target, Some("approval"))?, Some(guarded(patch, target)))
        }
        Item::Event(_) => return Err(refusal(item, &ApiError::internal("an event is no write"))),
    })
}

/// A patch that the door refuses if the object is another, or (where it matters) has changed.
fn guarded(patch: &Value, target: &Planned) -> Value {
    let mut patch = patch.clone();
    patch.set_path(&["metadata", "uid"], target.uid.clone());
    if let Some(revision) = &target.resource_version {
        patch.set_path(&["metadata", "resourceVersion"], revision.clone());
    }
    patch
}

/// `v1.Binding`. Spec: Kubernetes API reference, "create binding of a Pod".
fn binding(target: &Planned, node: &str) -> Value {
    let mut binding = Value::Map(Map::default());
    binding.set_path(&["apiVersion"], "v1");
    binding.set_path(&["kind"], "Binding");
    binding.set_path(&["metadata", "name"], target.key.name.clone());
    binding.set_path(&["metadata", "namespace"], target.key.namespace.clone());
    binding.set_path(&["metadata", "uid"], target.uid.clone());
    binding.set_path(&["target", "apiVersion"], "v1");
    binding.set_path(&["target", "kind"], "Node");
    binding.set_path(&["target", "name"], node);
    binding
}

fn at(facts: &KindFacts, key: &Key, subresource: Option<&str>) -> Target {
    Target {
        group: facts.gvk.group.clone(),
        version: facts.gvk.version.clone(),
        resource: facts.plural.clone(),
        subresource: subresource.map(str::to_owned),
        namespace: facts.namespaced.then(|| key.namespace.clone()),
        name: (!key.name.is_empty()).then(|| key.name.clone()),
    }
}

/// What became of an item, by the door's answer. `shown_from` is the revision of the replica when it answered:
/// the verdict's where the answer names none.
#[must_use]
pub fn verdict(item: &Item, response: &Response, shown_from: u64) -> Verdict {
    match &response.body {
        ResponseBody::Error(error) => Verdict::Refused(refusal(item, error)),
        _ => {
            Verdict::Done { revision: response.revision.map_or(shown_from, |revision| revision.0) }
        }
    }
}

fn refusal(item: &Item, error: &ApiError) -> Refusal {
    let causes =
        error.details.as_ref().map(|details| details.causes.as_slice()).unwrap_or_default();
    Refusal {
        item: item.to_string(),
        code: error.code,
        reason: error.reason.as_str().to_owned(),
        message: error.message.clone(),
        cause: causes.first().map(|cause| cause.reason.clone()).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_are_in_the_name_of_the_programs_that_every_cluster_has() {
        let of = |identity: &Identity| program_of(identity).to_owned();
        assert_eq!(of(&crate::identity("deployment")), "kube-controller-manager");
        assert_eq!(of(&Identity::new("system:kube-scheduler", &[])), "kube-scheduler");
        assert_eq!(of(&Identity::new("ann", &[])), "ann");
    }
}
