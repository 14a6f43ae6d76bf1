//! Patching: the new object is made from the current one, and goes the way of every other.
//!
//! Spec: Kubernetes API conventions, "patch operations". A patch that lost a race is applied again
//! to what is there then, unless it names a revision.

use actors_object::{
    ApiError, Object,
    patch::{json_patch, merge_patch, strategic_merge},
};

use super::{Change, Scope, create::other_name, ownership, replace};
use crate::{
    PatchKind, decode,
    visit::{Decision, Visit},
};

const ACCEPTED: &str = "application/json-patch+json, application/merge-patch+json, \
                        application/strategic-merge-patch+json, application/apply-patch+yaml";

/// Patches an object, through the resource or a part of it.
pub(crate) fn patch(visit: &mut Visit<'_>, patch: PatchKind) -> Decision {
    if patch == PatchKind::Apply {
        return ownership::apply(visit);
    }
    let item = visit.current()?;
    let current = visit.object(&item)?;
    let expected = match visit.sub {
        Some(sub) => decode::Expected { gvk: &sub.gvk, shape: &sub.shape },
        None => decode::Expected { gvk: &visit.kind.gvk, shape: &visit.kind.shape },
    };
    let (new, conditional) = patched(visit, (patch, &current), &expected)?;
    let scope = match visit.sub.map(|sub| sub.name.as_str()) {
        None => Scope::Main,
        Some("finalize") => Scope::Finalize,
        Some("approval") => Scope::Approval,
        Some(_) => Scope::Status,
    };
    replace(visit, Change { item, new, scope, render: None, conditional })
}

/// The current object with the request's patch applied, and whether the patch names a revision.
pub(crate) fn patched(
    visit: &mut Visit<'_>,
    (patch, current): (PatchKind, &Object),
    expected: &decode::Expected<'_>,
) -> Result<(Object, bool), ApiError> {
    if !visit.accepts(patch) {
        return Err(ApiError::unsupported_media_type(ACCEPTED));
    }
    let parsed = decode::tree(visit)?;
    let change = parsed.value;
    let merges = matches!(patch, PatchKind::Merge | PatchKind::Strategic);
    let names =
        change.str_at(&["metadata", "resourceVersion"]).is_some_and(|text| !text.is_empty());
    let mut new = current.clone();
    match patch {
        PatchKind::Json => json_patch(&mut new, &change)?,
        PatchKind::Merge if change.as_map().is_none() => {
            return Err(ApiError::bad_request("a merge patch must be an object"));
        }
        PatchKind::Merge => merge_patch(&mut new, change),
        PatchKind::Strategic => {
            let schema = visit.door.registry.patch_schema(visit.kind);
            strategic_merge(&mut new, &change, &schema)?;
        }
        PatchKind::Apply => return Err(ApiError::unsupported_media_type(ACCEPTED)),
    }
    if new.as_map().is_none() {
        return Err(ApiError::bad_request("the patch does not leave an object"));
    }
    for (field, was) in [("kind", current.kind()), ("apiVersion", current.api_version())] {
        if new.at(field).as_str() != Some(was) {
            return Err(ApiError::bad_request(format!("a patch may not change {field}")));
        }
    }
    if new.name() != current.name() || new.namespace() != current.namespace() {
        return Err(other_name(new.name(), current.name()));
    }
    let new = decode::checked(visit, new, (expected, &parsed.duplicates))?;
    // A JSON patch that cares tests the revision itself, and is refused when that fails.
    Ok((new, merges && names))
}
