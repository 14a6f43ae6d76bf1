//! Changing an object that is there.
//!
//! Way in: [`update`] (PUT), [`replace`] (whatever made the new object: a patch, a scale, a
//! binding).
//! Invariants: 1. a write through the resource never touches the status, one through the status
//! touches nothing else but labels and annotations. 2. `generation` rises if, and only if,
//! something but metadata and status changed.

use std::sync::Arc;

use actors_kinds::{
    default_object, validate::validate_subresource_update, validate_status_update, validate_update,
};
use actors_object::{ApiError, FieldError, FieldPath, Name, Object, Value};
use store_catalog::Item;

use super::{
    allocate, charge,
    create::{create_object, place},
    delete,
    draft::{Answer, Draft, OnConflict, Render, gathered, made, modified},
    encode::{self, encode},
    ownership,
};
use crate::{
    admission,
    authz::{Authorizer, check_grant},
    decode,
    sub::is_part,
    visit::{Decision, Visit},
};

/// Metadata that stays what it is, whatever a client sends.
const KEPT: [&str; 6] = [
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "selfLink",
];

/// Which part of the object is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Everything but the status.
    Main,
    /// The status, and labels and annotations.
    Status,
    /// A namespace's `spec.finalizers`.
    Finalize,
    /// What was decided about a certificate signing request.
    Approval,
    /// What the server itself changed, as it is: a binding.
    Server,
}

/// A new state for an object.
pub(crate) struct Change {
    /// What is there.
    pub(crate) item: Arc<Item>,
    /// What is to be there; in the form of the request's kind.
    pub(crate) new: Object,
    /// Which part of it counts.
    pub(crate) scope: Scope,
    /// How the answer shows it.
    pub(crate) render: Option<Render>,
    /// Whether the client named the revision that it had read.
    pub(crate) conditional: bool,
}

/// Replaces an object by the one in the request's body, through the resource or a part of it.
pub(crate) fn update(visit: &mut Visit<'_>) -> Decision {
    let expected = match visit.sub {
        Some(sub) => decode::Expected { gvk: &sub.gvk, shape: &sub.shape },
        None => decode::Expected { gvk: &visit.kind.gvk, shape: &visit.kind.shape },
    };
    let mut new = decode::body(visit, &expected)?;
    place(visit, &mut new)?;
    let item = match visit.current() {
        Ok(item) => item,
        Err(error) if error.is_not_found() => {
            if !visit.kind.strategy.create_on_update || visit.sub.is_some() {
                return Err(error);
            }
            visit.authorize_create()?;
            return create_object(visit, new);
        }
        Err(error) => return Err(error),
    };
    let conditional = !new.resource_version().is_empty();
    if !conditional && !visit.kind.strategy.unconditional_update {
        let path = FieldPath::of(&["metadata", "resourceVersion"]);
        let error = FieldError::invalid(&path, 0, "must be specified for an update");
        return Err(ApiError::invalid(&visit.group_kind(), new.name(), &[error]));
    }
    let scope = match visit.sub.map(|sub| sub.name.as_str()) {
        None => Scope::Main,
        Some("finalize") => Scope::Finalize,
        Some("approval") => Scope::Approval,
        Some(_) => Scope::Status,
    };
    replace(visit, Change { item, new, scope, render: None, conditional })
}

/// Gives an object a new state.
pub(crate) fn replace(visit: &mut Visit<'_>, change: Change) -> Decision {
    let Change { item, mut new, scope, render, conditional } = change;
    let old = visit.object(&item)?;
    check_identity(visit, &new, &item)?;
    admission::check_node(visit, &old)?;
    keep_metadata(&mut new, &old);
    match scope {
        Scope::Main => prepare_main(visit, &mut new, &old)?,
        Scope::Status | Scope::Approval => new = with_status(&old, &new),
        Scope::Finalize => new = with_finalizers(&old, &new),
        // A binding is not its author's wish; other containers and other amounts are.
        Scope::Server if visit.sub.is_some_and(|sub| is_part(&sub.name)) => {
            count_change(visit, &mut new, &old);
        }
        Scope::Server => {}
    }
    let errors = match scope {
        Scope::Main => validate_update(visit.kind, &new, &old),
        Scope::Status => validate_status_update(visit.kind, &new, &old),
        Scope::Approval => validate_subresource_update(visit.kind, "approval", &new, &old),
        Scope::Finalize | Scope::Server => Vec::new(),
    };
    if !errors.is_empty() {
        return Err(ApiError::invalid(&visit.group_kind(), new.name(), &errors));
    }
    check_change(visit, (&new, &old), scope)?;
    ownership::track(visit, Some(&old), (&mut new, scope))?;
    if new.is_terminating() && !delete::is_held(visit.kind, &new) {
        return delete::finish(visit, (&item, &old), Some((new, render)));
    }
    propose(visit, (item, &old, new), (render, conditional))
}

/// What may not be changed by just anybody.
fn check_change(
    visit: &Visit<'_>,
    (new, old): (&Object, &Object),
    scope: Scope,
) -> Result<(), ApiError> {
    admission::check_node_change(visit, (new, old))?;
    admission::check_changed(visit, (new, old))?;
    match scope {
        Scope::Approval => admission::certificates::check_approval(visit, old),
        Scope::Status => admission::certificates::check_signing(visit, (new, old)),
        Scope::Main | Scope::Finalize | Scope::Server => Ok(()),
    }
}

fn prepare_main(visit: &mut Visit<'_>, new: &mut Object, old: &Object) -> Result<(), ApiError> {
    if visit.kind.strategy.status {
        keep(new, old, &["status"]);
    }
    if visit.kind.is("", "Namespace") {
        keep(new, old, &["spec", "finalizers"]);
    }
    default_object(visit.kind, new);
    allocate::for_change(visit, new, old)?;
    admission::mutate_changed(visit, new, old)?;
    default_object(visit.kind, new);
    count_change(visit, new, old);
    let authorizer = Authorizer::new(visit.snapshot);
    check_grant(&visit.request.identity, (new, Some(old)), &visit.kind.plural, &authorizer)
}

/// Counts a change of what is wanted.
fn count_change(visit: &Visit<'_>, new: &mut Object, old: &Object) {
    if visit.kind.strategy.generation && is_respecified(new, old) {
        new.set_generation(old.generation() + 1);
    }
}

fn propose(
    visit: &mut Visit<'_>,
    (item, old, new): (Arc<Item>, &Object, Object),
    (render, conditional): (Option<Render>, bool),
) -> Decision {
    let name = new.name().to_owned();
    let charges = charge::operations(visit, Some(old), &new)?;
    let allocations = allocate::operations(visit, Some(old), Some(&new));
    let mut encoded = encode(visit, new)?;
    if encoded.is_stored_as(&item, visit) {
        let entry = match render {
            None => visit.entry(&item),
            Some(_) => made(visit.kind, &encoded.object, (Some(item.revision()), render)),
        };
        return Ok(visit.reply(200, entry));
    }
    let own = encode::change(&mut encoded, &item, visit)?;
    let draft = Draft {
        ops: gathered(own, [allocations, charges]),
        answer: Answer::Object {
            kind: Arc::clone(visit.kind),
            key: item.key().clone(),
            object: Arc::new(encoded.object),
            code: 200,
            render,
        },
        on_conflict: if conditional { OnConflict::Conflict } else { OnConflict::Again },
        base: Some(item.revision()),
        resource: visit.resource(),
        name,
        warnings: Vec::new(),
    };
    draft.propose(visit)
}

/// The revision and the uid that a client names must be those of the object.
fn check_identity(visit: &Visit<'_>, new: &Object, item: &Item) -> Result<(), ApiError> {
    let version = new.resource_version();
    if !version.is_empty() && version != item.revision().to_string() {
        return Err(modified(&visit.resource(), new.name()));
    }
    let (uid, found) = (new.uid(), item.uid());
    if !uid.is_empty() && uid != found {
        let why =
            format!("Precondition failed: UID in precondition: {uid}, UID in object meta: {found}");
        return Err(ApiError::conflict(&visit.resource(), new.name(), why));
    }
    Ok(())
}

fn keep_metadata(new: &mut Object, old: &Object) {
    for field in KEPT {
        keep(new, old, &["metadata", field]);
    }
    new.metadata_mut().remove("resourceVersion");
}

/// Sets a field to what it was.
fn keep(new: &mut Object, old: &Object, path: &[&str]) {
    match old.path(path) {
        Some(value) => new.set_path(path, value),
        None => {
            new.remove_path(path);
        }
    }
}

/// The old object with the new status; labels and annotations may change with it.
fn with_status(old: &Object, new: &Object) -> Object {
    let mut changed = old.clone();
    changed.metadata_mut().remove("resourceVersion");
    for path in [&["status"][..], &["metadata", "labels"], &["metadata", "annotations"]] {
        keep(&mut changed, new, path);
    }
    changed
}

/// The old namespace with the new `spec.finalizers`.
fn with_finalizers(old: &Object, new: &Object) -> Object {
    let mut changed = old.clone();
    changed.metadata_mut().remove("resourceVersion");
    keep(&mut changed, new, &["spec", "finalizers"]);
    changed
}

/// Whether anything but metadata and status differs.
fn is_respecified(new: &Object, old: &Object) -> bool {
    specified(new) != specified(old)
}

/// The fields that say what is wanted, by name.
fn specified(object: &Object) -> Vec<(&Name, &Value)> {
    let fields = object.as_map().into_iter().flat_map(|map| map.iter());
    let is_wish = |name: &Name| !matches!(&**name, "metadata" | "status");
    let mut wishes: Vec<_> =
        fields.filter(|(name, value)| is_wish(name) && !value.is_null()).collect();
    wishes.sort_by_key(|(name, _)| *name);
    wishes
}
