//! Operations that wait to be applied, and the answer for when they were.
//!
//! Way in: [`Draft::settle`].

use std::sync::Arc;

use actors_kinds::{KindFacts, convert};
use actors_object::{ApiError, GroupResource, Object};
use store_catalog::Snapshot;
use store_mvcc::{Flaw, Key, Op, OpResult, Outcome, Revision};

use crate::{
    Entry, List, Response, ResponseBody, Step,
    door::Pending,
    visit::{Decision, Visit, entry},
};

/// Makes the body of an answer from the object that was written: a `Scale`.
pub(crate) type Render = fn(&KindFacts, &Object) -> Object;

/// Operations, and what is answered when they are applied.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    /// The first one is the object's own; others are allocations beside it.
    pub(crate) ops: Vec<Op>,
    pub(crate) answer: Answer,
    pub(crate) on_conflict: OnConflict,
    /// The revision that is changed; none for a creation.
    pub(crate) base: Option<Revision>,
    pub(crate) resource: GroupResource,
    pub(crate) name: String,
    pub(crate) warnings: Vec<String>,
}

/// The operations of a draft: that of its object first. They are moved, for their columns are many small texts.
pub(super) fn gathered<const N: usize>(own: Op, beside: [Vec<Op>; N]) -> Vec<Op> {
    let mut ops = vec![own];
    beside.into_iter().for_each(|more| ops.extend(more));
    ops
}

/// What is answered in the end.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// The object as it was written.
    Object {
        kind: Arc<KindFacts>,
        key: Key,
        object: Arc<Object>,
        code: u16,
        render: Option<Render>,
    },
    /// Something that does not depend on the outcome.
    Ready(Box<Response>),
    /// What was deleted; `more` if there is more to delete.
    Collection { list: Box<List>, more: bool },
}

/// What happens if the object is not what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnConflict {
    /// The request is decided again.
    Again,
    /// The client named the revision: it is told.
    Conflict,
    /// The name is taken: the client is told.
    AlreadyExists,
}

/// What became of a draft.
pub(crate) enum Settled {
    /// Answer.
    Reply(Box<Response>),
    /// Decide again: the object has moved.
    Again,
    /// Decide again: what many write beside their objects has moved.
    Beside,
    /// Decide again: all went well, and there is more to do.
    More,
}

impl Draft {
    /// Proposes this draft; a dry run is answered at once.
    pub(crate) fn propose(mut self, visit: &mut Visit<'_>) -> Decision {
        self.warnings.append(&mut visit.warnings);
        if visit.request.options.dry_run {
            // Nothing is written, so that the object keeps the revision that it has.
            let base = self.base;
            return Ok(Step::Reply(self.answered((base, true), visit.snapshot)));
        }
        let proposal = visit.door.proposal(visit, &mut self);
        let (request, attempt) = (visit.request.clone(), visit.attempt);
        Ok(Step::Propose { proposal, pending: Box::new(Pending { request, draft: self, attempt }) })
    }

    /// Objects of a collection stand for themselves; an object and its allocations do not.
    pub(crate) fn is_atomic(&self) -> bool {
        !matches!(self.answer, Answer::Collection { .. })
    }

    /// What to do now that it was applied.
    pub(crate) fn settle(self, outcome: &Outcome, snapshot: &Snapshot) -> Settled {
        let refusals = outcome.results.iter().filter(|result| !result.is_ok());
        let cause = refusals.clone().find(|result| !matches!(result, OpResult::Aborted));
        let refused = match cause {
            None if outcome.results.is_empty() => ApiError::internal("a proposal had no result"),
            None => match &self.answer {
                Answer::Collection { more: true, .. } => return Settled::More,
                _ => {
                    let revision = outcome.results.first().and_then(OpResult::revision);
                    let mut response = self.answered((revision, false), snapshot);
                    response.revision = outcome.last_revision();
                    return Settled::Reply(Box::new(response));
                }
            },
            Some(OpResult::Conflict { current }) => {
                let own = outcome.results.first().is_some_and(|first| Some(first) == cause);
                match self.conflict(*current, own) {
                    Some(error) => error,
                    None if own => return Settled::Again,
                    None => return Settled::Beside,
                }
            }
            Some(OpResult::Invalid(Flaw::TooLarge)) => {
                ApiError::too_large("the object is larger than the store allows")
            }
            Some(OpResult::Invalid(flaw)) => ApiError::internal(flaw),
            Some(OpResult::OldEpoch { .. }) => {
                ApiError::service_unavailable("another server leads now, please try again")
            }
            Some(OpResult::LevelTooLow { level }) => {
                ApiError::internal(format!("the replicas agreed on feature level {level} only"))
            }
            Some(OpResult::Done { .. } | OpResult::Nothing | OpResult::Aborted) => {
                ApiError::internal("a proposal ended in no known way")
            }
        };
        Settled::Reply(Box::new(refused.into()))
    }

    fn conflict(&self, current: Option<Revision>, own: bool) -> Option<ApiError> {
        match self.on_conflict {
            // A lost race for an address or a quota is run again, whatever the client said of the
            // object.
            _ if !own => None,
            OnConflict::Again => None,
            OnConflict::AlreadyExists => Some(ApiError::already_exists(&self.resource, &self.name)),
            OnConflict::Conflict if current.is_none() => {
                Some(ApiError::not_found(&self.resource, &self.name))
            }
            OnConflict::Conflict => Some(modified(&self.resource, &self.name)),
        }
    }

    fn answered(
        self,
        (revision, dry_run): (Option<Revision>, bool),
        snapshot: &Snapshot,
    ) -> Response {
        let mut response = match self.answer {
            Answer::Ready(response) => *response,
            Answer::Collection { list, .. } => Response::new(200, ResponseBody::List(*list)),
            Answer::Object { kind, key, object, code, render } => {
                let written = revision.filter(|_| !dry_run).and_then(|revision| {
                    snapshot.get(&key).filter(|item| item.revision() == revision)
                });
                let entry = match (written, render) {
                    (Some(item), None) => entry(&kind, &item),
                    _ => made(&kind, &object, (revision, render)),
                };
                Response::new(code, ResponseBody::Entry(entry))
            }
        };
        response.warnings.extend(self.warnings);
        response
    }
}

/// The object of an answer that is not, or no longer, what the snapshot holds.
pub(super) fn made(
    kind: &KindFacts,
    object: &Object,
    (revision, render): (Option<Revision>, Option<Render>),
) -> Entry {
    let mut object = object.clone();
    convert::from_storage(kind, &mut object);
    if let Some(revision) = revision {
        object.set_resource_version(&revision.to_string());
    }
    let shown = render.map(|render| render(kind, &object));
    Entry::Made(Arc::new(shown.unwrap_or(object)))
}

/// 409: the object is not the one that the client had read.
pub(crate) fn modified(resource: &GroupResource, name: &str) -> ApiError {
    // The words that clients look for.
    let why = "the object has been modified; please apply your changes to the latest version and \
               try again";
    ApiError::conflict(resource, name, why)
}
