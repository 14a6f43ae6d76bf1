//! `eviction`: a deletion that may be refused for the sake of others. There are no disruption
//! budgets yet, so that it is a deletion.
//!
//! Spec: Kubernetes documentation, "API-initiated Eviction"; `policy/v1 Eviction`.

use super::success;
use crate::{
    Step, decode,
    visit::{Decision, Visit},
    write::{self, DeleteOptions},
};
use actors_object::ApiError;

/// Evicts the pod that the path names.
pub(super) fn evict(visit: &mut Visit<'_>) -> Decision {
    let Some(sub) = visit.sub else { return Err(ApiError::no_such_resource()) };
    let eviction = decode::body(visit, &decode::Expected { gvk: &sub.gvk, shape: &sub.shape })?;
    let name = visit.name()?;
    if !eviction.name().is_empty() && eviction.name() != name {
        let given = eviction.name();
        return Err(ApiError::bad_request(format!(
            "metadata.name of the body is {given:?}, but the path means {name:?}"
        )));
    }
    let item = visit.current()?;
    let text = |path: &[&str]| eviction.str_at(path).map(str::to_owned);
    let options = DeleteOptions {
        grace_seconds: eviction.i64_at(&["deleteOptions", "gracePeriodSeconds"]),
        propagation: text(&["deleteOptions", "propagationPolicy"]),
        uid: text(&["deleteOptions", "preconditions", "uid"]),
        resource_version: text(&["deleteOptions", "preconditions", "resourceVersion"]),
    };
    Ok(match write::delete_item(visit, &item, &options)? {
        Step::Reply(_) => Step::Reply(success(201)),
        Step::Propose { proposal, mut pending } => {
            pending.answer_with(success(201));
            Step::Propose { proposal, pending }
        }
        other @ (Step::Sign(_) | Step::Verify(_)) => other,
    })
}
