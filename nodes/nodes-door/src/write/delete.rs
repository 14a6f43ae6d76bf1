//! Deleting: at once, after a grace period, or when the last finalizer is gone.
//!
//! Way in: [`delete`], [`delete_item`], [`finish`].
//! Spec: Kubernetes documentation, "Garbage Collection", "Finalizers", "Pod Lifecycle" (termination
//! of pods), "Namespaces"; `metav1.DeleteOptions`. A grace period can only shrink.

use std::{sync::Arc, time::Duration};

use actors_core::Wall;
use actors_kinds::KindFacts;
use actors_object::{ApiError, FieldError, FieldPath, Object, Value, timefmt, value};
use store_catalog::Item;
use store_mvcc::{Expect, Op};

use super::{
    allocate,
    draft::{Answer, Draft, OnConflict, Render, gathered, made},
    encode::{self, encode},
};
use crate::{
    Response, ResponseBody, admission,
    visit::{Decision, Visit},
};

const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";

/// Namespaces without which a cluster does not work.
const IMMORTAL: [&str; 3] = ["default", "kube-public", "kube-system"];

/// How an object is to be deleted.
#[derive(Debug, Clone, Default)]
pub(crate) struct DeleteOptions {
    pub(crate) grace_seconds: Option<i64>,
    pub(crate) propagation: Option<String>,
    pub(crate) uid: Option<String>,
    pub(crate) resource_version: Option<String>,
}

/// What deleting one object comes to.
pub(super) enum Deletion {
    /// It goes now.
    Remove,
    /// It stays, marked.
    Mark(Box<Object>),
    /// It is marked already.
    Nothing,
}

impl DeleteOptions {
    /// What the request says.
    ///
    /// # Errors
    /// 422 if the propagation policy is none.
    pub(crate) fn of(visit: &Visit<'_>) -> Result<Self, ApiError> {
        let options = &visit.request.options;
        let propagation = options.propagation_policy.clone().filter(|text| !text.is_empty());
        if let Some(policy) = &propagation {
            let known = ["Background", "Foreground", "Orphan"];
            if !known.contains(&policy.as_str()) {
                let path = FieldPath::new("propagationPolicy");
                let error = FieldError::not_supported(&path, policy, &known);
                let kind = actors_object::GroupKind::new("meta.k8s.io", "DeleteOptions");
                return Err(ApiError::invalid(&kind, "", &[error]));
            }
        }
        Ok(Self {
            grace_seconds: options.grace_period_seconds,
            propagation,
            uid: options.precondition_uid.clone(),
            resource_version: options.precondition_resource_version.clone(),
        })
    }
}

/// Deletes the object that the path names.
pub(crate) fn delete(visit: &mut Visit<'_>) -> Decision {
    let options = DeleteOptions::of(visit)?;
    let item = visit.current()?;
    delete_item(visit, &item, &options)
}

/// Deletes an object in a given way.
pub(crate) fn delete_item(
    visit: &mut Visit<'_>,
    item: &Arc<Item>,
    options: &DeleteOptions,
) -> Decision {
    let old = visit.object(item)?;
    match plan(visit, (item, &old), options)? {
        Deletion::Remove => finish(visit, (item, &old), None),
        Deletion::Nothing => Ok(visit.reply(200, visit.entry(item))),
        Deletion::Mark(marked) => {
            let (op, object) = mark(visit, item, *marked)?;
            let draft = Draft {
                ops: vec![op],
                answer: Answer::Object {
                    kind: Arc::clone(visit.kind),
                    key: item.key().clone(),
                    object: Arc::new(object),
                    code: 200,
                    render: None,
                },
                on_conflict: OnConflict::Again,
                base: Some(item.revision()),
                resource: visit.resource(),
                name: old.name().to_owned(),
                warnings: Vec::new(),
            };
            draft.propose(visit)
        }
    }
}

/// The operation that marks an object, and the object as it will be stored.
pub(super) fn mark(
    visit: &mut Visit<'_>,
    item: &Item,
    marked: Object,
) -> Result<(Op, Object), ApiError> {
    let mut encoded = encode(visit, marked)?;
    let own = encode::change(&mut encoded, item, visit)?;
    Ok((own, encoded.object))
}

/// What deleting an object comes to, if it is allowed.
pub(super) fn plan(
    visit: &Visit<'_>,
    (item, old): (&Item, &Object),
    options: &DeleteOptions,
) -> Result<Deletion, ApiError> {
    check_preconditions(visit, (item, old.name()), options)?;
    check_namespace(visit, old)?;
    admission::check_node(visit, old)?;
    let mut new = old.clone();
    new.metadata_mut().remove("resourceVersion");
    set_finalizers(&mut new, options.propagation.as_deref());
    let grace = grace_of(visit.kind, old, options.grace_seconds);
    let due = due(old, grace, visit.now.wall);
    match (old.is_terminating(), due) {
        (_, Due::Unchanged) => {}
        (_, Due::At(at, seconds)) => {
            new.set_deletion_timestamp(&timefmt::seconds(at));
            new.metadata_mut().insert("deletionGracePeriodSeconds", seconds);
        }
    }
    if !old.is_terminating() && old.generation() > 0 {
        new.set_generation(old.generation() + 1);
    }
    if visit.kind.is("", "Namespace") {
        new.set_path(&["status", "phase"], "Terminating");
    }
    if !is_held(visit.kind, &new) {
        return Ok(Deletion::Remove);
    }
    let mut was = old.clone();
    was.metadata_mut().remove("resourceVersion");
    Ok(if new == was { Deletion::Nothing } else { Deletion::Mark(Box::new(new)) })
}

/// Removes an object for good. `last` is its last state and how it is shown, where a write was its
/// end.
pub(super) fn finish(
    visit: &mut Visit<'_>,
    (item, old): (&Arc<Item>, &Object),
    last: Option<(Object, Option<Render>)>,
) -> Decision {
    let expect = Expect::Revision(item.stored().mod_revision);
    let own = Op::Delete { key: item.key().clone(), expect };
    let allocations = allocate::operations(visit, Some(old), None);
    let response = match last {
        Some((object, render)) => {
            let entry = made(visit.kind, &object, (Some(item.revision()), render));
            Response::new(200, ResponseBody::Entry(entry))
        }
        None => Response::new(200, ResponseBody::Success(gone(visit, item, old))),
    };
    let draft = Draft {
        ops: gathered(own, [allocations]),
        answer: Answer::Ready(Box::new(response)),
        on_conflict: OnConflict::Again,
        base: Some(item.revision()),
        resource: visit.resource(),
        name: old.name().to_owned(),
        warnings: Vec::new(),
    };
    draft.propose(visit)
}

/// The status that tells that an object is gone.
fn gone(visit: &Visit<'_>, item: &Item, old: &Object) -> Value {
    let mut details = value!({ "name": old.name() });
    if !visit.kind.gvk.group.is_empty() {
        details.set_path(&["group"], &visit.kind.gvk.group);
    }
    details.set_path(&["kind"], &visit.kind.plural);
    details.set_path(&["uid"], item.uid());
    success(details)
}

/// A `metav1.Status` of success.
fn success(details: Value) -> Value {
    value!({
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": details,
    })
}

/// Whether something keeps a terminating object from going.
pub(super) fn is_held(kind: &KindFacts, object: &Object) -> bool {
    let has_grace = object.i64_at(&["metadata", "deletionGracePeriodSeconds"]).unwrap_or(0) > 0;
    let has_content =
        kind.is("", "Namespace") && !object.list_at(&["spec", "finalizers"]).is_empty();
    has_grace || has_content || object.finalizers().next().is_some()
}

fn check_preconditions(
    visit: &Visit<'_>,
    (item, name): (&Item, &str),
    options: &DeleteOptions,
) -> Result<(), ApiError> {
    let refuse = |field: &str, asked: &str, found: &str| {
        let why = format!(
            "Precondition failed: {field} in precondition: {asked}, {field} in object meta: {found}"
        );
        Err(ApiError::conflict(&visit.resource(), name, why))
    };
    match &options.uid {
        Some(uid) if !uid.is_empty() && uid != item.uid() => return refuse("UID", uid, item.uid()),
        _ => {}
    }
    let found = item.revision().to_string();
    match &options.resource_version {
        Some(asked) if !asked.is_empty() && *asked != found => {
            refuse("ResourceVersion", asked, &found)
        }
        _ => Ok(()),
    }
}

fn check_namespace(visit: &Visit<'_>, old: &Object) -> Result<(), ApiError> {
    if !visit.kind.is("", "Namespace") {
        return Ok(());
    }
    if IMMORTAL.contains(&old.name()) {
        let why = "this namespace may not be deleted";
        return Err(ApiError::forbidden(&visit.resource(), old.name(), why));
    }
    Ok(())
}

/// The finalizers that the propagation policy asks for. Without one, those that are there stay.
fn set_finalizers(object: &mut Object, propagation: Option<&str>) {
    let Some(policy) = propagation else { return };
    let wanted = match policy {
        "Foreground" => Some(FOREGROUND),
        "Orphan" => Some(ORPHAN),
        _ => None,
    };
    let mut finalizers: Vec<String> = object.finalizers().map(str::to_owned).collect();
    finalizers.retain(|name| name != FOREGROUND && name != ORPHAN);
    finalizers.extend(wanted.map(str::to_owned));
    object.set_finalizers(finalizers.iter().map(String::as_str));
}

/// How many seconds the object gets; nothing for kinds that go at once, and for pods that nobody
/// runs.
fn grace_of(kind: &KindFacts, object: &Object, asked: Option<i64>) -> Grace {
    if !kind.strategy.graceful_delete {
        return Grace::Seconds(0);
    }
    let unscheduled = object.str_at(&["spec", "nodeName"]).unwrap_or_default().is_empty();
    let ended = matches!(object.str_at(&["status", "phase"]), Some("Succeeded" | "Failed"));
    if unscheduled || ended {
        return Grace::Seconds(0);
    }
    let own = object.i64_at(&["spec", "terminationGracePeriodSeconds"]);
    match (asked, object.is_terminating()) {
        (None, true) => Grace::Unsaid,
        // What is below zero asks for the shortest time in which the agent can still act.
        (Some(seconds), _) if seconds < 0 => Grace::Seconds(1),
        (asked, _) => Grace::Seconds(asked.or(own).unwrap_or(30).max(0)),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Grace {
    /// The deletion goes on as it is.
    Unsaid,
    Seconds(i64),
}

enum Due {
    Unchanged,
    At(Wall, i64),
}

/// When the object is to be gone. A second deletion can only bring that forward.
fn due(old: &Object, grace: Grace, now: Wall) -> Due {
    let before = old.i64_at(&["metadata", "deletionGracePeriodSeconds"]).unwrap_or(0);
    match (grace, old.deletion_timestamp()) {
        (Grace::Unsaid, _) => Due::Unchanged,
        (Grace::Seconds(seconds), Some(_)) if seconds >= before => Due::Unchanged,
        (Grace::Seconds(seconds), _) => Due::At(now.after(seconds_of(seconds)), seconds),
    }
}

fn seconds_of(seconds: i64) -> Duration {
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}
