//! `ephemeralcontainers` and `resize`: the parts of a pod's containers that change while it runs.
//!
//! Spec: documentation, "ephemeral containers", "resize CPU and memory resources assigned to containers"; KEP-1287.

use actors_kinds::{default_object, pod_with_part, validate::validate_subresource_update};
use actors_object::ApiError;

use crate::{
    PatchKind, Verb, decode, read,
    visit::{Decision, Visit},
    write::{self, Change, Scope},
};

/// Whether a subresource is such a part.
pub(crate) fn is_part(name: &str) -> bool {
    matches!(name, "ephemeralcontainers" | "resize")
}

/// Reads the pod, or gives it the part that the request wants; whatever else a request says is left out.
pub(super) fn decide(visit: &mut Visit<'_>, part: &str) -> Decision {
    let expected = decode::Expected { gvk: &visit.kind.gvk, shape: &visit.kind.shape };
    let verb = visit.request.verb;
    if verb == Verb::Get {
        return read::get(visit);
    }
    let item = visit.current()?;
    let old = visit.object(&item)?;
    let (wanted, conditional) = match verb {
        Verb::Update => {
            let wanted = decode::body(visit, &expected)?;
            let conditional = !wanted.resource_version().is_empty();
            (wanted, conditional)
        }
        Verb::Patch(PatchKind::Apply) => write::applied_part(visit, (part, &old), &expected)?,
        Verb::Patch(kind) => write::patched(visit, (kind, &old), &expected)?,
        other => return Err(ApiError::method_not_allowed(&visit.resource(), other.as_str())),
    };
    let mut new = pod_with_part(part, &old, &wanted);
    default_object(visit.kind, &mut new);
    let errors = validate_subresource_update(visit.kind, part, &new, &old);
    if !errors.is_empty() {
        return Err(ApiError::invalid(&visit.group_kind(), old.name(), &errors));
    }
    // What the client says of the revision and the uid is checked with the rest.
    new.set_resource_version(wanted.resource_version());
    if !wanted.uid().is_empty() {
        new.set_uid(wanted.uid());
    }
    write::replace(visit, Change { item, new, scope: Scope::Server, render: None, conditional })
}
