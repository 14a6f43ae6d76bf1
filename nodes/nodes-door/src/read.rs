//! Reads: one object, or a list at one revision in pages.
//!
//! Way in: [`get`], [`list`].  Never: a stored object encoded or decoded for a read.
//! What a revision means for each verb is a table in `tests/revisions.rs`, row by row.
//! Spec: Kubernetes documentation, "Kubernetes API Concepts", "Resource versions" and "Retrieving
//! large results sets in chunks".

mod pages;
mod select;

use actors_object::ApiError;
pub(crate) use pages::{bad_options, pinned_revision};
pub(crate) use select::Selection;
use store_catalog::Form;
use store_mvcc::Revision;

use crate::{
    List, Response, ResponseBody, Step,
    visit::{Decision, Visit},
};

/// One object.
pub(crate) fn get(visit: &mut Visit<'_>) -> Decision {
    check_freshness(visit)?;
    let item = visit.current()?;
    // A version that cannot be read is told, not shown as an empty object.
    item.form(Form::JSON, || item.try_bytes()).map_err(ApiError::internal)?;
    Ok(visit.reply(200, visit.entry(&item)))
}

/// Many objects.
pub(crate) fn list(visit: &mut Visit<'_>) -> Decision {
    let selection = Selection::of(visit.request, visit.kind)?;
    let page = pages::start(visit)?;
    let prefix = visit.prefix();
    let limit = visit.request.options.limit.filter(|limit| *limit > 0);
    let limit = limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let mut entries = Vec::new();
    let mut rest = 0_u64;
    let mut last = None;
    for item in visit.snapshot.list(&prefix, page.after.as_ref(), usize::MAX) {
        if !selection.matches(item) {
            continue;
        }
        if entries.len() < limit {
            entries.push(visit.entry(item));
            last = Some(item.key());
            continue;
        }
        rest += 1;
        if !selection.is_everything() {
            break;
        }
    }
    let revision = visit.snapshot.revision();
    let token = last.filter(|_| rest > 0).map(|key| pages::token(revision, key));
    let list = List {
        api_version: visit.kind.gvk.api_version(),
        kind: visit.kind.list_kind.clone(),
        revision,
        remaining: Some(rest).filter(|rest| *rest > 0 && selection.is_everything()),
        continue_token: token,
        entries,
    };
    Ok(Step::Reply(Response::new(200, ResponseBody::List(list))))
}

/// Refuses a read that must be fresher than this replica is.
pub(crate) fn check_freshness(visit: &Visit<'_>) -> Result<(), ApiError> {
    let current = visit.snapshot.revision();
    match parse_revision(visit.request.options.resource_version.as_deref())? {
        Some(asked) if asked > current => {
            Err(ApiError::too_large_resource_version(asked.0, current.0))
        }
        _ => Ok(()),
    }
}

/// A revision that a client named; none for the empty text.
pub(crate) fn parse_revision(text: Option<&str>) -> Result<Option<Revision>, ApiError> {
    match text.filter(|text| !text.is_empty()) {
        None => Ok(None),
        Some(text) => text.parse().map(|number| Some(Revision(number))).map_err(|_| {
            ApiError::bad_request(format!(
                "Invalid value: {text:?}: the resource version is not a number"
            ))
        }),
    }
}
