//! Nobody gives away what they do not have: checks on writes of roles and bindings.
//!
//! Way in: [`check_grant`].  Spec: Kubernetes documentation, "Using RBAC Authorization", "Privilege
//! escalation prevention and bootstrapping": the verbs `escalate` and `bind` lift the check.

use std::collections::{BTreeMap, BTreeSet};

use actors_kinds::rbac::{covers_path, texts};
use actors_object::{ApiError, GroupResource, Object, Value, value};

use super::{Ask, Authorizer, rules::is_master};
use crate::Identity;

const GROUP: &str = "rbac.authorization.k8s.io";

/// Refuses a role or binding that gives more than its writer has. Other kinds pass; so does a change that only lets
/// the garbage collector do its work.
pub(crate) fn check_grant(
    who: &Identity,
    (object, old): (&Object, Option<&Object>),
    plural: &str,
    authorizer: &Authorizer<'_>,
) -> Result<(), ApiError> {
    if !object.api_version().starts_with(GROUP) || is_master(who) {
        return Ok(());
    }
    if old.is_some_and(|old| is_only_collecting(object, old)) {
        return Ok(());
    }
    let namespace = object.namespace();
    let may = |verb: &str, resource: &str, name: &str| {
        let ask = Ask::Resource { verb, group: GROUP, resource, namespace, name, fields: "" };
        authorizer.allows(who, ask)
    };
    let granted = match object.kind() {
        "Role" | "ClusterRole" if may("escalate", plural, object.name()) => return Ok(()),
        "Role" | "ClusterRole" => {
            check_aggregation(who, (object, old), plural, authorizer)?;
            object.list_at(&["rules"]).to_vec()
        }
        "RoleBinding" | "ClusterRoleBinding" => {
            let text = |field: &str| object.str_at(&["roleRef", field]).unwrap_or_default();
            let (kind, name) = (text("kind"), text("name"));
            let resource = if kind == "Role" { "roles" } else { "clusterroles" };
            if may("bind", resource, name) {
                return Ok(());
            }
            let role = authorizer.role(kind, namespace, name);
            let missing = || ApiError::not_found(&GroupResource::new(GROUP, resource), name);
            role.ok_or_else(missing)?.list_at(&["rules"]).to_vec()
        }
        _ => return Ok(()),
    };
    let held = authorizer.rules_of(who, namespace);
    let missing = uncovered(&held, &granted);
    if missing.is_empty() {
        return Ok(());
    }
    let why = format!(
        "user {:?} (groups={}) is attempting to grant RBAC permissions not currently held:\n{}",
        who.user,
        quoted(&who.groups),
        missing.join("\n")
    );
    Err(ApiError::forbidden(&GroupResource::new(GROUP, plural), object.name(), why))
}

/// What a role will hold by aggregation is not known when it is written: only who may everything may say so.
fn check_aggregation(
    who: &Identity,
    (role, old): (&Object, Option<&Object>),
    plural: &str,
    authorizer: &Authorizer<'_>,
) -> Result<(), ApiError> {
    let rule = role.at("aggregationRule");
    if rule.is_null() || old.is_some_and(|old| old.at("aggregationRule") == rule) {
        return Ok(());
    }
    let everything = [
        value!({ "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"] }),
        value!({ "verbs": ["*"], "nonResourceURLs": ["*"] }),
    ];
    if uncovered(&authorizer.rules_of(who, ""), &everything).is_empty() {
        return Ok(());
    }
    let why = "must have cluster-admin privileges to use the aggregationRule";
    Err(ApiError::forbidden(&GroupResource::new(GROUP, plural), role.name(), why))
}

fn is_only_collecting(new: &Object, old: &Object) -> bool {
    let bare = |object: &Object| {
        let mut object = object.clone();
        for field in ["ownerReferences", "finalizers", "managedFields", "resourceVersion"] {
            object.metadata_mut().remove(field);
        }
        object
    };
    bare(new) == bare(old)
}

/// The parts of `granted` that none of `held` gives, as sentences of rules: sorted, verbs of one thing together.
fn uncovered(held: &[Value], granted: &[Value]) -> Vec<String> {
    let mut missing: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for atom in granted.iter().flat_map(atoms) {
        if held.iter().any(|rule| covers(rule, &atom)) {
            continue;
        }
        let verb = texts(&atom, "verbs").next().unwrap_or_default().to_owned();
        missing.entry(subject_of(&atom)).or_default().insert(verb);
    }
    let shown = missing.into_iter().map(|(what, verbs)| {
        let verbs: Vec<String> = verbs.into_iter().collect();
        format!("{{{what}, Verbs:{}}}", quoted(&verbs))
    });
    shown.collect()
}

/// What an atom is about, without its verb.
fn subject_of(atom: &Value) -> String {
    let names = [
        ("nonResourceURLs", "NonResourceURLs"),
        ("apiGroups", "APIGroups"),
        ("resources", "Resources"),
        ("resourceNames", "ResourceNames"),
    ];
    let told = names.iter().filter(|(field, _)| !atom.list_at(&[field]).is_empty());
    let told = told.map(|(field, name)| {
        let list: Vec<String> = texts(atom, field).map(str::to_owned).collect();
        format!("{name}:{}", quoted(&list))
    });
    told.collect::<Vec<_>>().join(", ")
}

fn quoted(texts: &[String]) -> String {
    let each: Vec<String> = texts.iter().map(|text| format!("{text:?}")).collect();
    format!("[{}]", each.join(" "))
}

/// A rule taken apart: one verb of one resource of one group, perhaps of one name.
fn atoms(rule: &Value) -> Vec<Value> {
    let mut atoms = Vec::new();
    for verb in texts(rule, "verbs") {
        for path in texts(rule, "nonResourceURLs") {
            atoms.push(value!({ "verbs": [verb], "nonResourceURLs": [path] }));
        }
        for group in texts(rule, "apiGroups") {
            for resource in texts(rule, "resources") {
                let atom =
                    value!({ "verbs": [verb], "apiGroups": [group], "resources": [resource] });
                if rule.list_at(&["resourceNames"]).is_empty() {
                    atoms.push(atom);
                    continue;
                }
                for name in texts(rule, "resourceNames") {
                    let mut named = atom.clone();
                    named.set_path(&["resourceNames"], value!([name]));
                    atoms.push(named);
                }
            }
        }
    }
    atoms
}

/// Whether a held rule gives everything that an atom gives.
fn covers(rule: &Value, atom: &Value) -> bool {
    let first = |field: &str| texts(atom, field).next();
    let has = |field: &str| {
        let wanted = first(field);
        wanted.is_none() || texts(rule, field).any(|text| text == "*" || Some(text) == wanted)
    };
    let has_resource = || {
        let wanted = first("resources").unwrap_or_default();
        let sub = wanted.split_once('/').map(|(_, sub)| format!("*/{sub}"));
        let fits = |text: &str| text == "*" || text == wanted || Some(text) == sub.as_deref();
        wanted.is_empty() || texts(rule, "resources").any(fits)
    };
    let has_name = || {
        let names = rule.list_at(&["resourceNames"]);
        names.is_empty()
            || texts(rule, "resourceNames").any(|it| Some(it) == first("resourceNames"))
    };
    let has_path = || {
        let wanted = first("nonResourceURLs").unwrap_or_default();
        wanted.is_empty() || texts(rule, "nonResourceURLs").any(|text| covers_path(text, wanted))
    };
    has("verbs") && has("apiGroups") && has_resource() && has_name() && has_path()
}

/// What of these rules a role lacks: whole rules, as they were written. Spec: "Auto-reconciliation".
pub(crate) fn lacking(held: &[Value], wanted: &[Value]) -> Vec<Value> {
    let lacks = |rule: &&Value| !uncovered(held, std::slice::from_ref(*rule)).is_empty();
    wanted.iter().filter(lacks).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_edit_may_view_and_who_administrates_may_edit() {
        let objects = crate::bootstrap_objects();
        let rules = |name: &str| {
            let found = objects.iter().find(|it| it.kind() == "ClusterRole" && it.name() == name);
            found.map(|role| role.list_at(&["rules"]).to_vec()).unwrap_or_default()
        };
        for (more, less) in [("admin", "edit"), ("edit", "view"), ("cluster-admin", "admin")] {
            assert!(!rules(less).is_empty(), "{less}");
            assert_eq!(uncovered(&rules(more), &rules(less)), Vec::<String>::new(), "{more}");
        }
    }

    #[test]
    fn what_a_role_lacks_is_told_by_whole_rules() {
        let held = [value!({ "verbs": ["get"], "apiGroups": [""], "resources": ["pods"] })];
        let more = value!({ "verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods"] });
        assert_eq!(lacking(&held, &held), Vec::new());
        assert_eq!(lacking(&held, std::slice::from_ref(&more)), [more]);
    }
}
