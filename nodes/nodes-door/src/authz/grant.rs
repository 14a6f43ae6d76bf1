//! Nobody gives away what they do not have: checks on writes of roles and bindings.
//!
//! Way in: [`check_grant`].  Spec: Kubernetes documentation, "Using RBAC Authorization", "Privilege
//! escalation prevention and bootstrapping": the verbs `escalate` and `bind` lift the check.

use actors_object::{ApiError, Object, Value, json, value};

use super::{Ask, Authorizer, rules::is_master};
use crate::Identity;

const GROUP: &str = "rbac.authorization.k8s.io";

/// Refuses a role or binding that gives more than its writer has. Other kinds pass.
pub(crate) fn check_grant(
    who: &Identity,
    object: &Object,
    plural: &str,
    authorizer: &Authorizer<'_>,
) -> Result<(), ApiError> {
    let namespace = object.namespace();
    let may = |verb: &str, resource: &str, name: &str| {
        authorizer.allows(who, Ask::Resource { verb, group: GROUP, resource, namespace, name })
    };
    let (granted, lifted) = match object.kind() {
        _ if !object.api_version().starts_with(GROUP) || is_master(who) => return Ok(()),
        "Role" | "ClusterRole" => {
            (object.list_at(&["rules"]).to_vec(), may("escalate", plural, object.name()))
        }
        "RoleBinding" | "ClusterRoleBinding" => {
            let text = |field: &str| object.str_at(&["roleRef", field]).unwrap_or_default();
            let (kind, name) = (text("kind"), text("name"));
            let resource = if kind == "Role" { "roles" } else { "clusterroles" };
            let role = authorizer.role(kind, namespace, name);
            let lifted = may("bind", resource, name);
            match role {
                Some(role) => (role.list_at(&["rules"]).to_vec(), lifted),
                None if lifted => return Ok(()),
                None => {
                    let resource = actors_object::GroupResource::new(GROUP, resource);
                    return Err(ApiError::not_found(&resource, name));
                }
            }
        }
        _ => return Ok(()),
    };
    if lifted {
        return Ok(());
    }
    let held = authorizer.rules_of(who, namespace);
    let missing: Vec<String> = granted
        .iter()
        .flat_map(atoms)
        .filter(|atom| !held.iter().any(|rule| covers(rule, atom)))
        .map(|atom| json::to_string(&atom))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let resource = actors_object::GroupResource::new(GROUP, plural);
    let why = format!(
        "user {:?} of groups {:?} cannot grant what they do not hold:\n{}",
        who.user,
        who.groups,
        missing.join("\n")
    );
    Err(ApiError::forbidden(&resource, object.name(), why))
}

/// A rule taken apart: one verb of one resource of one group, perhaps of one name.
fn atoms(rule: &Value) -> Vec<Value> {
    let texts = |field: &str| -> Vec<String> {
        rule.list_at(&[field]).iter().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let mut atoms = Vec::new();
    for verb in texts("verbs") {
        for path in texts("nonResourceURLs") {
            atoms.push(value!({ "verbs": [&verb], "nonResourceURLs": [path] }));
        }
        for group in texts("apiGroups") {
            for resource in texts("resources") {
                let atom =
                    value!({ "verbs": [&verb], "apiGroups": [&group], "resources": [resource] });
                let names = texts("resourceNames");
                if names.is_empty() {
                    atoms.push(atom);
                    continue;
                }
                for name in names {
                    let mut named = atom.clone();
                    named.set_path(&["resourceNames"], vec![name]);
                    atoms.push(named);
                }
            }
        }
    }
    atoms
}

/// Whether a held rule gives everything that an atom gives.
fn covers(rule: &Value, atom: &Value) -> bool {
    let first = |field: &str| atom.list_at(&[field]).first().and_then(Value::as_str);
    let has = |field: &str| {
        let wanted = first(field);
        let held = rule.list_at(&[field]).iter().filter_map(Value::as_str);
        wanted.is_none() || { held }.any(|text| text == "*" || Some(text) == wanted)
    };
    let has_resource = || {
        let wanted = first("resources").unwrap_or_default();
        let sub = wanted.split_once('/').map(|(_, sub)| format!("*/{sub}"));
        let held = rule.list_at(&["resources"]).iter().filter_map(Value::as_str);
        wanted.is_empty() || { held }
            .any(|text| text == "*" || text == wanted || Some(text) == sub.as_deref())
    };
    let has_name = || {
        let names = rule.list_at(&["resourceNames"]);
        names.is_empty() || names.iter().any(|name| name.as_str() == first("resourceNames"))
    };
    let has_path = || {
        let wanted = first("nonResourceURLs").unwrap_or_default();
        let fits = |text: &str| match text.strip_suffix('*') {
            Some(beginning) => wanted.starts_with(beginning),
            None => wanted == text,
        };
        let held = rule.list_at(&["nonResourceURLs"]).iter().filter_map(Value::as_str);
        wanted.is_empty() || { held }.any(fits)
    };
    has("verbs") && has("apiGroups") && has_resource() && has_name() && has_path()
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
            let held = rules(more);
            let atoms: Vec<Value> = rules(less).iter().flat_map(atoms).collect();
            assert!(!atoms.is_empty());
            for atom in atoms {
                assert!(held.iter().any(|rule| covers(rule, &atom)), "{more} lacks {atom:?}");
            }
        }
    }
}
