//! Who owns which fields: kept with every write, and decided by applies.
//!
//! Way in: [`apply`] for a configuration, [`track`] for every other write.
//! Spec: Kubernetes documentation, "Server-Side Apply", "Field management".

use std::fmt::Write as _;

use actors_kinds::default_object;
use actors_object::{
    ApiError, Cause, Map, Object, Value,
    apply::{Conflict, How, Manager, Managers, Operation, Reach},
    timefmt,
};

use super::{
    Change, Scope,
    create::{create_object, place},
    replace,
};
use crate::{
    decode,
    visit::{Decision, Visit},
};

/// The longest name of a manager. Spec: validation of `ManagedFieldsEntry.manager`.
const NAME_MAX: usize = 128;

const STATUS: &[&[&str]] = &[&["status"]];
const WITH_STATUS: &[&[&str]] =
    &[&["status"], &["metadata", "labels"], &["metadata", "annotations"]];
const FINALIZERS: &[&[&str]] = &[&["spec", "finalizers"]];

/// Applies the configuration in the request's body; what is absent is created.
pub(super) fn apply(visit: &mut Visit<'_>) -> Decision {
    if visit.request.options.field_manager.is_none() {
        return Err(ApiError::bad_request(
            "fieldManager is required for an apply: who owns the fields?",
        ));
    }
    let expected = match visit.sub {
        Some(sub) => decode::Expected { gvk: &sub.gvk, shape: &sub.shape },
        None => decode::Expected { gvk: &visit.kind.gvk, shape: &visit.kind.shape },
    };
    let scope = match visit.sub.map(|sub| sub.name.as_str()) {
        None => Scope::Main,
        Some("finalize") => Scope::Finalize,
        Some("approval") => Scope::Approval,
        Some(_) => Scope::Status,
    };
    let mut config = decode::body(visit, &expected)?;
    place(visit, &mut config)?;
    if !config.metadata().at("managedFields").is_null() {
        return Err(ApiError::bad_request("metadata.managedFields must be absent in an apply"));
    }
    let item = match visit.current() {
        Ok(item) => item,
        Err(error) if error.is_not_found() && visit.sub.is_none() => {
            visit.authorize_create()?;
            restrict(visit, &mut config, scope);
            let made = merged(visit, &nothing(), (&config, scope))?;
            return create_object(visit, made);
        }
        Err(error) => return Err(error),
    };
    let conditional = !config.resource_version().is_empty();
    let live = visit.object(&item)?;
    let named = (config.resource_version().to_owned(), config.uid().to_owned());
    restrict(visit, &mut config, scope);
    let mut new = merged(visit, &live, (&config, scope))?;
    let expected = decode::Expected { gvk: &visit.kind.gvk, shape: &visit.kind.shape };
    new = decode::checked(visit, new, (&expected, &[]))?;
    // The revision and the uid that the configuration names are checked with the rest.
    new.set_resource_version(&named.0);
    if !named.1.is_empty() {
        new.set_uid(&named.1);
    }
    replace(visit, Change { item, new, scope, render: None, conditional })
}

/// An object that is not there.
fn nothing() -> Object {
    Object(Value::Map(Map::new()))
}

/// Leaves of a configuration only what can be written this way, and what names the object.
fn restrict(visit: &Visit<'_>, config: &mut Object, scope: Scope) {
    let map = config.0.make_map();
    match scope {
        Scope::Main | Scope::Server if visit.kind.strategy.status => {
            map.remove("status");
        }
        Scope::Main | Scope::Server => {}
        Scope::Status | Scope::Approval => {
            map.retain(|name, _| matches!(&**name, "apiVersion" | "kind" | "metadata" | "status"))
        }
        Scope::Finalize => {
            map.retain(|name, _| matches!(&**name, "apiVersion" | "kind" | "metadata" | "spec"))
        }
    }
    let metadata = config.metadata_mut();
    for field in ["resourceVersion", "uid", "creationTimestamp", "generation", "selfLink"] {
        metadata.remove(field);
    }
}

fn merged(
    visit: &mut Visit<'_>,
    live: &Object,
    (config, scope): (&Object, Scope),
) -> Result<Object, ApiError> {
    let (manager, now) = (manager_of(visit, Operation::Apply)?, timefmt::seconds(visit.now.wall));
    let managers = Managers::of(live).unwrap_or_default();
    let mut bare = live.clone();
    if let Some(metadata) = bare.0.get_mut("metadata") {
        metadata.make_map().remove("managedFields");
    }
    let place = visit.door.registry.place(visit.kind);
    let complete = |value: &mut Value| {
        let mut object = Object(std::mem::take(value));
        default_object(visit.kind, &mut object);
        *value = object.0;
    };
    let (reach, force) = (reach(visit, scope), visit.request.options.force);
    let how = How { reach, force, complete: &complete };
    let applied = managers
        .apply(&place, (&bare.0, &config.0), (&manager, &now), how)
        .map_err(|conflicts| refusal(visit, config.name(), &conflicts))?;
    visit.managers = Some(applied.managers);
    Ok(Object(applied.object))
}

/// Writes down who owns what of the new state.
pub(super) fn track(
    visit: &mut Visit<'_>,
    old: Option<&Object>,
    (new, scope): (&mut Object, Scope),
) -> Result<(), ApiError> {
    let asked = new.metadata_mut().remove("managedFields");
    let managers = match visit.managers.take() {
        Some(managers) => managers,
        None => {
            let manager = manager_of(visit, Operation::Update)?;
            let now = timefmt::seconds(visit.now.wall);
            let mut managers = match (old, is_reset(asked.as_ref())) {
                (Some(old), false) => Managers::of(old).unwrap_or_default(),
                _ => Managers::default(),
            };
            let mut before = old.cloned().unwrap_or_else(nothing);
            if old.is_some() {
                before.metadata_mut().remove("managedFields");
            }
            let place = visit.door.registry.place(visit.kind);
            let reach = reach(visit, scope);
            managers.update(&place, (&before.0, &new.0), (&manager, &now), reach);
            managers
        }
    };
    if !managers.is_empty() {
        new.metadata_mut().insert("managedFields", managers.to_value());
    }
    Ok(())
}

/// Whether a client wants all owners forgotten. Spec: "Clearing managedFields": an empty list, or one empty entry.
fn is_reset(asked: Option<&Value>) -> bool {
    let Some(Value::List(rows)) = asked else { return false };
    rows.iter().all(|row| row.as_map().is_some_and(Map::is_empty))
}

fn manager_of(visit: &Visit<'_>, operation: Operation) -> Result<Manager, ApiError> {
    let agent = visit.request.user_agent.split('/').next().unwrap_or_default();
    let given = visit.request.options.field_manager.as_deref();
    if given.is_some_and(|name| name.len() > NAME_MAX || name.chars().any(char::is_control)) {
        let why = format!("fieldManager must have at most {NAME_MAX} printable characters");
        return Err(ApiError::bad_request(why));
    }
    let name: String = match given.unwrap_or(agent) {
        "" => "unknown".to_owned(),
        name => name.chars().filter(|letter| !letter.is_control()).take(NAME_MAX / 4).collect(),
    };
    Ok(Manager {
        operation,
        name: given.map_or(name, str::to_owned),
        api_version: visit.kind.gvk.api_version(),
        subresource: visit.sub.map(|sub| sub.name.clone()).unwrap_or_default(),
    })
}

fn reach(visit: &Visit<'_>, scope: Scope) -> Reach<'static> {
    match scope {
        Scope::Main if visit.kind.strategy.status => Reach::AllBut(STATUS),
        Scope::Main | Scope::Server => Reach::AllBut(&[]),
        Scope::Status | Scope::Approval => Reach::Only(WITH_STATUS),
        Scope::Finalize => Reach::Only(FINALIZERS),
    }
}

/// 409: what others own, field by field.
fn refusal(visit: &Visit<'_>, name: &str, conflicts: &[Conflict]) -> ApiError {
    let mut causes = Vec::new();
    for conflict in conflicts {
        let mut owner = format!("conflict with {:?}", conflict.manager.name);
        if !conflict.manager.subresource.is_empty() {
            // Writing to a text does not fail.
            let _written = write!(owner, " with subresource {:?}", conflict.manager.subresource);
        }
        let _written = write!(owner, " using {}", conflict.manager.api_version);
        causes.extend(conflict.paths.iter().map(|path| Cause {
            reason: "FieldManagerConflict".to_owned(),
            message: owner.clone(),
            field: path.clone(),
        }));
    }
    let told: Vec<String> =
        causes.iter().map(|cause| format!("{} ({})", cause.field, cause.message)).collect();
    let why = format!("fields that others own would change: {}", told.join(", "));
    let mut error = ApiError::conflict(&visit.resource(), name, why);
    error.details.get_or_insert_default().causes = causes;
    error
}
