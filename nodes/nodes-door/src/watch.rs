//! Watches: what one begins with, and which of the events it shows.
//!
//! Way in: [`WatchPlan`].  Never: a stream; the server pulls the beginning by
//! [`WatchPlan::take_initial`] and shows what follows through [`WatchPlan::show`].
//! Spec: Kubernetes documentation, "Kubernetes API Concepts", "Efficient detection of changes";
//! KEP-3157 (`sendInitialEvents`); an object that begins or ceases to match is added or deleted for
//! that watcher.

use std::sync::Arc;

use actors_kinds::KindFacts;
use actors_object::{ApiError, FieldError, FieldPath};
use store_catalog::{Event, EventKind, Item, Snapshot};
use store_mvcc::{Key, Revision};

use crate::{
    Door, Request, WatchEvent,
    read::{Selection, bad_options, parse_revision},
    visit::entry,
};

/// A watch that was allowed.
#[derive(Debug)]
pub struct WatchPlan {
    /// What the keys of the watched objects begin with.
    pub prefix: Key,
    /// Where it begins.
    pub start: WatchStart,
    /// How long it lasts at most, in seconds; the server chooses if the client did not.
    pub timeout_seconds: Option<u64>,
    /// Whether the client wants bookmarks.
    pub bookmarks: bool,
    kind: Arc<KindFacts>,
    /// The one object that is watched, if a path named it.
    name: Option<String>,
    selection: Selection,
    /// What is still to be told of what was there.
    initial: Option<Initial>,
}

/// The objects that a watch begins with, as far as they have not been told.
#[derive(Debug)]
struct Initial {
    snapshot: Snapshot,
    after: Option<Key>,
    /// Whether a bookmark says where they end (KEP-3157).
    is_marked: bool,
}

/// Where a watch begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WatchStart(Revision);

impl WatchStart {
    /// The revision behind which it begins; changes since then may be in the ring or in the
    /// history.
    #[must_use]
    pub fn after(self) -> Revision {
        self.0
    }
}

impl WatchPlan {
    /// What this watcher is told of a change; nothing if it is none of its business.
    #[must_use]
    pub fn show(&self, event: &Event) -> Option<WatchEvent> {
        let before = event.prev().is_some_and(|prev| self.matches(prev));
        let now = event.kind() != EventKind::Deleted && self.matches(event.item());
        // Most events are none of the business of a watcher with a selector.
        let shown = || entry(&self.kind, event.item());
        match (before, now) {
            (false, true) => Some(WatchEvent::Added(shown())),
            (true, true) => Some(WatchEvent::Modified(shown())),
            (true, false) if event.kind() == EventKind::Deleted => {
                Some(WatchEvent::Deleted(shown()))
            }
            (true, false) => Some(WatchEvent::Deleted(self.last_match(event))),
            (false, false) => None,
        }
    }

    /// The next of the events that are sent first, at most `limit`; nothing when all were taken.
    /// They are looked up as they are taken, so that a reader who is slow holds none.
    pub fn take_initial(&mut self, limit: usize) -> Vec<WatchEvent> {
        let Some(mut initial) = self.initial.take() else { return Vec::new() };
        let mut events = Vec::new();
        let mut is_over = true;
        for item in initial.snapshot.list(&self.prefix, initial.after.as_ref(), usize::MAX) {
            if events.len() >= limit.max(1) {
                is_over = false;
                break;
            }
            initial.after = Some(item.key().clone());
            if self.matches(item) {
                events.push(WatchEvent::Added(entry(&self.kind, item)));
            }
        }
        if !is_over {
            self.initial = Some(initial);
        } else if initial.is_marked {
            events.push(WatchEvent::Bookmark(initial.snapshot.revision(), true));
        }
        events
    }

    /// The last state that matched, under the revision at which it ceased to.
    fn last_match(&self, event: &Event) -> crate::Entry {
        match event.prev() {
            Some(prev) => entry(&self.kind, &Arc::new(prev.at(event.revision()))),
            None => entry(&self.kind, event.item()),
        }
    }

    fn matches(&self, item: &Item) -> bool {
        let named =
            self.name.as_ref().is_none_or(|name| item.key().last_segment() == name.as_bytes());
        named && self.selection.matches(item)
    }
}

/// Decides a watch that was authorized.
pub(crate) fn plan(
    door: &Door,
    request: &Request,
    snapshot: &Snapshot,
) -> Result<WatchPlan, ApiError> {
    let target = &request.target;
    let kind = door.registry.served(&target.group, &target.version, &target.resource);
    let kind = kind.ok_or_else(ApiError::no_such_resource)?;
    let refused = target.subresource.is_some() || !kind.has_verb("watch");
    if refused {
        return Err(ApiError::method_not_allowed(&kind.group_resource(), "watch"));
    }
    let options = &request.options;
    check_initial_options(request)?;
    let selection = Selection::of(request, kind)?;
    let asked = parse_revision(options.resource_version.as_deref())?;
    let current = snapshot.revision();
    let namespace = target.namespace.as_deref();
    let mut plan = WatchPlan {
        prefix: Key::prefix(&kind.storage.group, &kind.storage.resource, namespace),
        start: WatchStart(current),
        // Nought means that the client does not say.
        timeout_seconds: options.timeout_seconds.filter(|seconds| *seconds > 0),
        bookmarks: options.allow_bookmarks,
        kind: Arc::clone(kind),
        name: target.name.clone(),
        selection,
        initial: None,
    };
    let from_now = asked.is_none_or(|asked| asked.0 == 0);
    let wants_initial = options.send_initial_events.unwrap_or(from_now);
    match asked {
        Some(asked) if asked > current => {
            return Err(ApiError::too_large_resource_version(asked.0, current.0));
        }
        Some(asked) if !from_now && !wants_initial => {
            if asked.next() < snapshot.compacted() {
                return Err(too_old(asked, snapshot.compacted()));
            }
            plan.start = WatchStart(asked);
        }
        _ => {}
    }
    if wants_initial {
        // Only who understands bookmarks is told where the beginning ends.
        let is_marked = options.send_initial_events == Some(true) && options.allow_bookmarks;
        plan.initial = Some(Initial { snapshot: snapshot.clone(), after: None, is_marked });
    }
    Ok(plan)
}

/// 410: the changes behind a revision are no longer kept.
fn too_old(asked: Revision, kept: Revision) -> ApiError {
    ApiError::expired(format!("too old resource version: {asked} ({kept})"))
}

/// Options of a watch that mean nothing together. Spec: KEP-3157, "API changes"; "Semantics for
/// watch".
fn check_initial_options(request: &Request) -> Result<(), ApiError> {
    let options = &request.options;
    let matching = options.resource_version_match.as_deref().filter(|text| !text.is_empty());
    let path = FieldPath::new("resourceVersionMatch");
    let wrong = match (options.send_initial_events, matching) {
        (Some(_), Some("NotOlderThan")) | (None, None) => return Ok(()),
        (Some(_), None) => {
            FieldError::forbidden(&path, "must be NotOlderThan when sendInitialEvents is set")
        }
        (Some(_), Some(other)) => FieldError::not_supported(&path, other, &["NotOlderThan"]),
        (None, Some(_)) => {
            FieldError::forbidden(&path, "means nothing for a watch without sendInitialEvents")
        }
    };
    Err(bad_options(&[wrong]))
}
