//! Creating an object that must be absent.

use std::sync::Arc;

use actors_kinds::{complete_new, default_object, initial_status, validate_create};
use actors_object::{ApiError, Object, names, timefmt};
use store_mvcc::{Expect, Op};

use super::{
    Scope, allocate, charge, checks,
    draft::{Answer, Draft, OnConflict, gathered},
    encode::encode,
    ownership,
};
use crate::{
    admission,
    authz::{Authorizer, check_grant},
    decode, door,
    visit::{Decision, Visit},
};

/// How many generated names are tried before the client is told that the name is taken.
/// Spec: KEP-4420 (retry generate name).
const NAMES_MAX: usize = 8;

/// Metadata that only the server writes.
const SERVER_OWNED: [&str; 6] = [
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "selfLink",
];

/// Creates the object in the request's body.
pub(crate) fn create(visit: &mut Visit<'_>) -> Decision {
    let expected = decode::Expected { gvk: &visit.kind.gvk, shape: &visit.kind.shape };
    let object = decode::body(visit, &expected)?;
    create_object(visit, object)
}

/// Creates an object of the request's kind.
pub(super) fn create_object(visit: &mut Visit<'_>, mut object: Object) -> Decision {
    place(visit, &mut object)?;
    if !object.resource_version().is_empty() {
        let why = "metadata.resourceVersion must be empty for a new object";
        return Err(ApiError::bad_request(why));
    }
    admission::check_namespace(visit, &object)?;
    admission::check_node_create(visit, &object)?;
    begin(visit, &mut object);
    default_object(visit.kind, &mut object);
    admission::mutate_new(visit, &mut object)?;
    default_object(visit.kind, &mut object);
    let generated = object.name().is_empty() && !object.generate_name().is_empty();
    if generated {
        generate_name(visit, &mut object);
    }
    if let Some(status) = initial_status(visit.kind, &object) {
        object.set_status(status);
    }
    // Defaults that depend on the name.
    default_object(visit.kind, &mut object);
    object.set_uid(&door::new_uid(visit));
    complete_new(visit.kind, &mut object);
    allocate::for_new(visit, &mut object)?;
    ownership::track(visit, None, (&mut object, Scope::Main))?;
    let errors = validate_create(visit.kind, &object);
    if !errors.is_empty() {
        return Err(ApiError::invalid(&visit.group_kind(), object.name(), &errors));
    }
    admission::check_new(visit, &object)?;
    let authorizer = Authorizer::new(visit.snapshot);
    check_grant(&visit.request.identity, (&object, None), &visit.kind.plural, &authorizer)?;
    propose(visit, object, generated)
}

fn propose(visit: &mut Visit<'_>, object: Object, generated: bool) -> Decision {
    let name = object.name().to_owned();
    let key = visit.key(&name);
    // Spec: what admission refuses, a quota that is used up, is told before what the store does.
    let charges = charge::operations(visit, None, &object)?;
    if visit.snapshot.get(&key).is_some() {
        return Err(ApiError::already_exists(&visit.resource(), &name));
    }
    let allocations = allocate::operations(visit, None, Some(&object));
    let mut encoded = encode(visit, object)?;
    let (value, columns) = encoded.finish(&key, visit)?;
    let own = Op::Put { key: key.clone(), value, columns, expect: Expect::Absent, lease: None };
    let draft = Draft {
        ops: gathered(own, [allocations, charges, checks::of_creation(visit)]),
        answer: Answer::Object {
            kind: Arc::clone(visit.kind),
            key,
            object: Arc::new(encoded.object),
            code: 201,
            render: None,
        },
        on_conflict: if generated { OnConflict::Again } else { OnConflict::AlreadyExists },
        base: None,
        resource: visit.resource(),
        name,
        warnings: Vec::new(),
    };
    draft.propose(visit)
}

/// Fits the object to the request's path: its namespace and, for a PUT, its name.
pub(super) fn place(visit: &Visit<'_>, object: &mut Object) -> Result<(), ApiError> {
    let namespace = visit.namespace();
    let given = object.namespace();
    if !given.is_empty() && given != namespace && visit.kind.namespaced {
        return Err(ApiError::bad_request(format!(
            "metadata.namespace of the body is {given:?}, but the path means {namespace:?}"
        )));
    }
    if visit.kind.namespaced {
        object.set_namespace(namespace);
    }
    if let Some(wanted) = visit.request.target.name.as_deref() {
        let name = object.name();
        if !name.is_empty() && name != wanted {
            return Err(other_name(name, wanted));
        }
        object.set_name(wanted);
    }
    Ok(())
}

/// 400: the body and the path name two objects.
pub(super) fn other_name(name: &str, wanted: &str) -> ApiError {
    ApiError::bad_request(format!(
        "metadata.name of the body is {name:?}, but the path means {wanted:?}"
    ))
}

/// What the author of a new object may not say.
fn begin(visit: &Visit<'_>, object: &mut Object) {
    let metadata = object.metadata_mut();
    for field in SERVER_OWNED {
        metadata.remove(field);
    }
    object.set_creation_timestamp(&timefmt::seconds(visit.now.wall));
    if visit.kind.strategy.generation {
        object.set_generation(1);
    }
    // A node reports itself with its status; everybody else's status is made by a controller.
    let is_reported = visit.kind.is("", "Node");
    if visit.kind.strategy.status && !is_reported {
        object.0.make_map().remove("status");
    }
}

/// Gives the object a name that is free on this snapshot, if one of a few is.
fn generate_name(visit: &mut Visit<'_>, object: &mut Object) {
    let base = object.generate_name().to_owned();
    for _ in 0..NAMES_MAX {
        let name = names::generate(&base, visit.rng);
        object.set_name(&name);
        if visit.snapshot.get(&visit.key(&name)).is_none() {
            return;
        }
    }
}
