//! Continue tokens: where a list ended, and at which revision it is read.

use actors_object::{ApiError, json, value};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use store_mvcc::{Key, Revision};

use super::parse_revision;
use crate::{Request, Verb, visit::Visit};

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

/// The revision that a list names exactly: by its token, or by `resourceVersionMatch=Exact`.
pub(crate) fn pinned_revision(request: &Request) -> Option<Revision> {
    if request.verb != Verb::List {
        return None;
    }
    let options = &request.options;
    match options.continue_token.as_deref().filter(|token| !token.is_empty()) {
        Some(token) => read(token).map(|(revision, _)| revision),
        None if options.resource_version_match.as_deref() == Some("Exact") => {
            parse_revision(options.resource_version.as_deref()).ok().flatten()
        }
        None => None,
    }
}

/// Where the page of a request begins, if this snapshot can show it.
///
/// # Errors
/// 400 for options that do not go together, 410 for a revision that is gone, 504 for one to come.
pub(super) fn start(visit: &Visit<'_>) -> Result<Page, ApiError> {
    let options = &visit.request.options;
    let asked = parse_revision(options.resource_version.as_deref())?;
    let matching = options.resource_version_match.as_deref().filter(|text| !text.is_empty());
    let token = options.continue_token.as_deref().filter(|token| !token.is_empty());
    let current = visit.snapshot.revision();
    let refuse = |why: &str| Err(ApiError::bad_request(why));
    match (matching, asked) {
        (Some(_), None) => {
            return refuse("resourceVersionMatch means nothing without resourceVersion");
        }
        (Some(_), Some(_)) if token.is_some() => {
            return refuse("resourceVersionMatch and continue do not go together");
        }
        (Some("Exact"), Some(Revision(0))) => {
            return refuse("resourceVersionMatch Exact and resourceVersion 0 do not go together");
        }
        (Some("Exact" | "NotOlderThan") | None, _) => {}
        (Some(_), _) => return refuse("resourceVersionMatch must be Exact or NotOlderThan"),
    }
    if let Some(token) = token {
        if asked.is_some_and(|asked| asked.0 > 0) {
            return refuse("resourceVersion and continue do not go together");
        }
        let (revision, after) = read(token)
            .ok_or_else(|| ApiError::bad_request("continue: this is no token of a list"))?;
        if !after.has_prefix(&visit.prefix()) {
            return refuse("continue: the token belongs to another list");
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
        Some(asked) if matching == Some("Exact") && asked != current => {
            Err(ApiError::expired("the list at this resourceVersion is no longer kept"))
        }
        _ => Ok(Page { after: None }),
    }
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
