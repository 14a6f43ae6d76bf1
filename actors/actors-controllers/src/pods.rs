//! What a pod's status says, in the words that controllers use: active, ready, available.
//!
//! Way in: [`is_active`], [`is_ready`], [`availability`].  Spec: Kubernetes documentation, "Pod
//! Lifecycle".

use std::time::Duration;

use actors_controller::Kind;
use actors_core::Wall;
use actors_object::{Object, OwnerRef, Value, timefmt, value};

use crate::conditions;

/// The phase; `Pending` if there is none yet.
#[must_use]
pub(crate) fn phase(pod: &Object) -> &str {
    pod.str_at(&["status", "phase"]).unwrap_or("Pending")
}

/// Whether all its containers have ended for good.
#[must_use]
pub(crate) fn is_finished(pod: &Object) -> bool {
    matches!(phase(pod), "Succeeded" | "Failed")
}

/// Whether it counts as one of its controller's pods: not finished, not being deleted.
#[must_use]
pub(crate) fn is_active(pod: &Object) -> bool {
    !is_finished(pod) && !pod.is_terminating()
}

/// Whether it can serve, by its `Ready` condition.
#[must_use]
pub(crate) fn is_ready(pod: &Object) -> bool {
    conditions::is(pod, "Ready", "True")
}

/// The node it is bound to, if it is.
#[must_use]
pub(crate) fn node(pod: &Object) -> Option<&str> {
    pod.str_at(&["spec", "nodeName"]).filter(|name| !name.is_empty())
}

/// Since when it is ready.
#[must_use]
pub(crate) fn ready_since(pod: &Object) -> Option<Wall> {
    let ready = conditions::find(pod, "Ready")?;
    let is_true = ready.at("status").as_str() == Some("True");
    let stamp = ready.at("lastTransitionTime").as_str();
    stamp.filter(|_| is_true).and_then(timefmt::parse)
}

/// When it counts as available: ready for `minReadySeconds`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Availability {
    /// It is.
    Now,
    /// It will be after this time, if it stays ready.
    In(Duration),
    /// It is not ready.
    Unknown,
}

/// Whether `pod` has been ready for `min_ready_seconds`.
#[must_use]
pub(crate) fn availability(pod: &Object, min_ready_seconds: i64, now: Wall) -> Availability {
    if !is_ready(pod) {
        return Availability::Unknown;
    }
    let needed = Duration::from_secs(u64::try_from(min_ready_seconds).unwrap_or(0));
    match ready_since(pod) {
        _ if needed.is_zero() => Availability::Now,
        Some(since) => match needed.checked_sub(now.since(since)) {
            None | Some(Duration::ZERO) => Availability::Now,
            Some(rest) => Availability::In(rest),
        },
        None => Availability::Unknown,
    }
}

/// The pod that `template` describes, to be owned by `owner`; its name is the owner's and a random
/// suffix.
#[must_use]
pub(crate) fn from_template(owner: &Object, template: &Value) -> Object {
    let mut metadata = value!({
        "generateName": format!("{}-", owner.name()),
        "namespace": owner.namespace(),
    });
    for field in ["labels", "annotations", "finalizers"] {
        let given = template.path(&["metadata", field]);
        if let Some(given) = given.filter(|given| !given.is_empty_value()) {
            metadata.set_path(&[field], given);
        }
    }
    let mut pod = Object(value!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": template.at("spec"),
    }));
    pod.set_owners(&[OwnerRef::controller(owner)]);
    pod
}

/// The field of a pod by which its node finds it.
pub(crate) const NODE_FIELD: &str = "spec.nodeName";

/// Whether `owner` of an object is of `kind`, in whichever version.
pub(crate) fn is_owned_as(owner: &OwnerRef, kind: &Kind) -> bool {
    Kind::owned(owner.api_version.clone(), owner.kind.clone()).is_same(kind)
}
