//! Continue tokens: where a list ended, and at which revision it is read.

use actors_object::{ApiError, FieldError, FieldPath, GroupKind, json, value};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use store_mvcc::{Key, Revision};

use super::parse_revision;
use crate::{Options, Request, Verb, visit::Visit};

/// The version of the token's form, as upstream names it.
const VERSION: &str = "meta.k8s.io/v1";

/// Where a page begins.
pub(super) struct Page {
    pub(super) after: Option<Key>,
}

/// The token that continues a list of one revision behind a key.
pub(super) fn token(revision: Revision, key: &Key) -> String {
    let number = i64::try_from(revision.0).unwrap_or(i64::MAX);
    // Names are UTF-8; a key shown for people would have some of its letters escaped.
    let start = String::from_utf8_lossy(key.as_bytes());
    let token = value!({ "v": VERSION, "rv": number, "start": &*start });
    URL_SAFE_NO_PAD.encode(json::to_vec(&token))
}

/// The revision that a list names exactly: by its token, by `resourceVersionMatch=Exact`, or by a
/// `resourceVersion` beside a `limit`.
/// Spec: "Semantics for list": limit=n, continue unset, resourceVersion={value other than 0}: Exact.
pub(crate) fn pinned_revision(request: &Request) -> Option<Revision> {
    if request.verb != Verb::List {
        return None;
    }
    let options = &request.options;
    if let Some(token) = given(options.continue_token.as_ref()) {
        return read(token).map(|(revision, _)| revision).filter(|revision| revision.0 > 0);
    }
    let asked = parse_revision(options.resource_version.as_deref()).ok().flatten()?;
    let is_exact = match given(options.resource_version_match.as_ref()) {
        None => options.limit.is_some_and(|limit| limit > 0),
        Some(word) => word == "Exact",
    };
    (is_exact && asked.0 > 0).then_some(asked)
}

/// A parameter that says something.
fn given(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).filter(|text| !text.is_empty())
}

/// Where the page of a request begins, if this snapshot can show it.
///
/// # Errors
/// 422 or 400 for options that do not go together, 410 for a revision that is gone, 504 for one to
/// come.
pub(super) fn start(visit: &Visit<'_>) -> Result<Page, ApiError> {
    let options = &visit.request.options;
    check_options(options)?;
    let asked = parse_revision(options.resource_version.as_deref())?;
    let current = visit.snapshot.revision();
    if let Some(token) = given(options.continue_token.as_ref()) {
        if asked.is_some_and(|asked| asked.0 > 0) {
            let why = "resourceVersion and continue do not go together";
            return Err(ApiError::bad_request(why));
        }
        let (revision, after) = read(token)
            .ok_or_else(|| ApiError::bad_request("continue: this is no token of a list"))?;
        if !after.has_prefix(&visit.prefix()) {
            return Err(ApiError::bad_request("continue: the token belongs to another list"));
        }
        return match revision {
            // A token without a revision goes on with what is there now.
            Revision(0) => Ok(Page { after: Some(after) }),
            found if found == current => Ok(Page { after: Some(after) }),
            _ => Err(expired(&after)),
        };
    }
    match asked {
        Some(asked) if asked > current => {
            Err(ApiError::too_large_resource_version(asked.0, current.0))
        }
        Some(asked) if asked < current && pinned_revision(visit.request).is_some() => {
            Err(ApiError::expired("the list at this resourceVersion is no longer kept"))
        }
        _ => Ok(Page { after: None }),
    }
}

/// Options of a list that mean nothing together. Spec: "Semantics for list", the fields that read
/// Invalid; upstream answers 422 about `ListOptions.meta.k8s.io`.
fn check_options(options: &Options) -> Result<(), ApiError> {
    let path = FieldPath::new("resourceVersionMatch");
    let mut wrong = Vec::new();
    if let Some(word) = given(options.resource_version_match.as_ref()) {
        let version = given(options.resource_version.as_ref());
        if version.is_none() {
            wrong.push(FieldError::forbidden(&path, "means nothing without resourceVersion"));
        }
        if given(options.continue_token.as_ref()).is_some() {
            wrong.push(FieldError::forbidden(&path, "does not go together with continue"));
        }
        if !matches!(word, "Exact" | "NotOlderThan") {
            wrong.push(FieldError::not_supported(&path, word, &["Exact", "NotOlderThan"]));
        }
        if word == "Exact" && version == Some("0") {
            let why = "Exact does not go together with resourceVersion 0";
            wrong.push(FieldError::forbidden(&path, why));
        }
    }
    if options.send_initial_events.is_some() {
        let path = FieldPath::new("sendInitialEvents");
        wrong.push(FieldError::forbidden(&path, "is for watches, not for lists"));
    }
    if wrong.is_empty() { Ok(()) } else { Err(bad_options(&wrong)) }
}

/// 422: what is wrong with the options of a list or a watch.
pub(crate) fn bad_options(wrong: &[FieldError]) -> ApiError {
    ApiError::invalid(&GroupKind::new("meta.k8s.io", "ListOptions"), "", wrong)
}

/// The revision is gone; whoever can live with a list of two revisions gets a token for it.
fn expired(after: &Key) -> ApiError {
    let mut error = ApiError::expired(
        "the continue token is too old: the revision of the first page is no longer \
         kept. List again, or go on with the token in this status, whose pages show later changes.",
    );
    error.details.get_or_insert_default().continue_token = token(Revision(0), after);
    error
}

fn read(token: &str) -> Option<(Revision, Key)> {
    let token = json::from_slice(&URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let revision = u64::try_from(token.at("rv").as_i64()?).ok()?;
    let start = token.at("start").as_str()?;
    (token.at("v").as_str() == Some(VERSION)).then(|| (Revision(revision), Key::from(start)))
}
