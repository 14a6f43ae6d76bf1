//! Who owns which fields: kept with every write, and decided by applies.
//!
//! Way in: [`apply`] for a configuration, [`track`] for every other write.
//! Spec: Kubernetes documentation, "Server-Side Apply", "Field management".

use std::fmt::Write as _;

use actors_kinds::{KindFacts, KindPlace, Registry, convert, default_object, part_alone};
use actors_object::{
    ApiError, Cause, Gvk, Map, Object, Value,
    apply::{Conflict, How, Manager, Managers, Operation, Reach, Versions},
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

/// The versions in which a kind is served.
struct Forms<'a> {
    registry: &'a Registry,
    kind: &'a KindFacts,
}

impl<'a> Forms<'a> {
    fn facts(&self, api_version: &str) -> Option<&'a KindFacts> {
        let gvk = Gvk::from_api_version(api_version, &self.kind.gvk.kind);
        if gvk == self.kind.gvk {
            return Some(self.kind);
        }
        self.registry.kind(&gvk).filter(|other| other.storage == self.kind.storage)
    }
}

impl<'a> Versions for Forms<'a> {
    type Place = KindPlace<'a>;

    fn written(&self) -> KindPlace<'a> {
        self.registry.place(self.kind)
    }

    fn place(&self, api_version: &str) -> Option<KindPlace<'a>> {
        self.facts(api_version).map(|facts| self.registry.place(facts))
    }

    fn turned(&self, object: &Value, from: &str, to: &str) -> Option<Value> {
        let (from, to) = (self.facts(from)?, self.facts(to)?);
        let mut object = Object(object.clone());
        convert::to_storage(from, &mut object);
        convert::from_storage(to, &mut object);
        Some(object.0)
    }
}

/// Applies the configuration in the request's body; what is absent is created.
pub(super) fn apply(visit: &mut Visit<'_>) -> Decision {
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
    let mut config = configuration(visit, &expected)?;
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

/// What a pod becomes when the configuration in the request's body is applied to one part of it, and whether the
/// configuration names a revision.
pub(crate) fn applied_part(
    visit: &mut Visit<'_>,
    (part, live): (&str, &Object),
    expected: &decode::Expected<'_>,
) -> Result<(Object, bool), ApiError> {
    let config = configuration(visit, expected)?;
    let alone = part_alone(part, &config);
    let new = merged(visit, live, (&alone, Scope::Server))?;
    let mut new = decode::checked(visit, new, (expected, &[]))?;
    new.set_resource_version(config.resource_version());
    if !config.uid().is_empty() {
        new.set_uid(config.uid());
    }
    Ok((new, !config.resource_version().is_empty()))
}

/// The configuration that the request's body is.
fn configuration(
    visit: &mut Visit<'_>,
    expected: &decode::Expected<'_>,
) -> Result<Object, ApiError> {
    if visit.request.options.field_manager.is_none() {
        return Err(ApiError::bad_request(
            "fieldManager is required for an apply: who owns the fields?",
        ));
    }
    let mut config = decode::body(visit, expected)?;
    place(visit, &mut config)?;
    if !config.metadata().at("managedFields").is_null() {
        return Err(ApiError::bad_request("metadata.managedFields must be absent in an apply"));
    }
    Ok(config)
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
    let forms = Forms { registry: &visit.door.registry, kind: visit.kind };
    let complete = |value: &mut Value| {
        let mut object = Object(std::mem::take(value));
        default_object(visit.kind, &mut object);
        *value = object.0;
    };
    let (reach, force) = (reach(visit, scope), visit.request.options.force);
    let how = How { reach, force, complete: &complete };
    let applied = managers
        .apply(&forms, (&bare.0, &config.0), (&manager, &now), how)
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
            let forms = Forms { registry: &visit.door.registry, kind: visit.kind };
            let reach = reach(visit, scope);
            managers.update(&forms, (&before.0, &new.0), (&manager, &now), reach);
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
    let name = given.map_or_else(|| printable(agent), str::to_owned);
    Ok(Manager {
        operation,
        name: if name.is_empty() { "unknown".to_owned() } else { name },
        api_version: visit.kind.gvk.api_version(),
        subresource: visit.sub.map(|sub| sub.name.clone()).unwrap_or_default(),
    })
}

/// The printable letters of a client's name for itself, as many as fit into [`NAME_MAX`] bytes.
fn printable(name: &str) -> String {
    let mut kept = String::new();
    for letter in name.chars().filter(|letter| !letter.is_control()) {
        if kept.len() + letter.len_utf8() > NAME_MAX {
            break;
        }
        kept.push(letter);
    }
    kept
}

fn reach(visit: &Visit<'_>, scope: Scope) -> Reach<'static> {
    match scope {
        Scope::Main if visit.kind.strategy.status => Reach::AllBut(STATUS),
        Scope::Main | Scope::Server => Reach::AllBut(&[]),
        Scope::Status | Scope::Approval => Reach::Only(WITH_STATUS),
        Scope::Finalize => Reach::Only(FINALIZERS),
    }
}

/// 409: what others own, field by field. Spec: Kubernetes documentation, "Server-Side Apply", "Conflicts"; clients show
/// the message as it is, and programs read the causes.
fn refusal(visit: &Visit<'_>, name: &str, conflicts: &[Conflict]) -> ApiError {
    let mut causes = Vec::new();
    let mut told = Vec::new();
    for conflict in conflicts {
        let owner = owner_of(conflict);
        told.push(format!("conflicts with {owner}:"));
        for path in &conflict.paths {
            told.push(format!("- {path}"));
            causes.push(Cause {
                reason: "FieldManagerConflict".to_owned(),
                message: format!("conflict with {owner}"),
                field: path.clone(),
            });
        }
    }
    let what = match causes.as_slice() {
        [only] => format!("1 conflict: {}: {}", only.message, only.field),
        all => format!("{} conflicts: {}", all.len(), told.join("\n")),
    };
    let mut error = ApiError::conflict(&visit.resource(), name, "");
    error.message = format!("Apply failed with {what}");
    error.details.get_or_insert_default().causes = causes;
    error
}

/// Who owns, and how it came to: an applier is known by its name alone.
fn owner_of(conflict: &Conflict) -> String {
    let Manager { operation, name, api_version, subresource } = &conflict.manager;
    let mut owner = format!("{name:?}");
    // Writing to a text does not fail.
    if !subresource.is_empty() {
        let _written = write!(owner, " with subresource {subresource:?}");
    }
    if *operation == Operation::Update {
        let _written = write!(owner, " using {api_version}");
    }
    owner
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_programs_name_is_cut_where_a_managers_may_end() {
        assert_eq!(printable("kube\u{7}ctl"), "kubectl");
        assert_eq!(printable(&"n".repeat(200)), "n".repeat(NAME_MAX));
        assert_eq!(printable(&format!("{}\u{e9}", "n".repeat(NAME_MAX - 1))).len(), NAME_MAX - 1);
    }
}
