//! The objects that every cluster has from its first minute: namespaces, roles, bindings,
//! priorities.
//!
//! Way in: [`bootstrap_objects`].  Owns: `tables/bootstrap.txt`.  The server creates what is
//! missing at every start, through the door, as `system:masters`.

use actors_object::{Object, Value, value};

const TABLE: &str = include_str!("../tables/bootstrap.txt");

const RBAC: &str = "rbac.authorization.k8s.io/v1";

/// All of them, in the order in which they must be created.
#[must_use]
pub fn bootstrap_objects() -> Vec<Object> {
    let mut objects: Vec<Object> = Vec::new();
    for line in TABLE.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match (line.starts_with(' '), words.as_slice()) {
            (true, ["url", verbs, paths]) => {
                add_rule(
                    &mut objects,
                    value!({ "verbs": list(verbs), "nonResourceURLs": list(paths) }),
                );
            }
            (true, [verbs, groups, resources, names @ ..]) => {
                let mut rule = value!({
                    "verbs": list(verbs),
                    "apiGroups": list(groups),
                    "resources": list(resources),
                });
                if let [names] = names {
                    rule.set_path(&["resourceNames"], list(names));
                }
                add_rule(&mut objects, rule);
            }
            (false, words) => objects.extend(object(words)),
            // A line without a meaning; a test holds that there is none.
            (true, _) => {}
        }
    }
    objects
}

fn object(words: &[&str]) -> Option<Object> {
    match words {
        ["namespace", name] => Some(Object(value!({
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": { "name": *name },
        }))),
        ["priority", name, number] => Some(Object(value!({
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": { "name": *name },
            "value": number.parse::<i64>().ok(),
            "description": "For pods without which the cluster does not work.",
        }))),
        ["role", name] => Some(Object(value!({
            "apiVersion": RBAC,
            "kind": "ClusterRole",
            "metadata": metadata(name),
            "rules": [],
        }))),
        ["bind", role, kind, name] => binding(role, kind, name),
        _ => None,
    }
}

fn binding(role: &str, kind: &str, name: &str) -> Option<Object> {
    const GROUP: &str = "rbac.authorization.k8s.io";
    let subject = match kind {
        "group" => value!({ "kind": "Group", "apiGroup": GROUP, "name": name }),
        "user" => value!({ "kind": "User", "apiGroup": GROUP, "name": name }),
        "sa" => value!({ "kind": "ServiceAccount", "name": name, "namespace": "kube-system" }),
        _ => return None,
    };
    // Two subjects of one role have two bindings; the second is named after its subject.
    let name = match name {
        "system:unauthenticated" => format!("{role}:unauthenticated"),
        _ => role.to_owned(),
    };
    Some(Object(value!({
        "apiVersion": RBAC,
        "kind": "ClusterRoleBinding",
        "metadata": metadata(&name),
        "roleRef": { "apiGroup": GROUP, "kind": "ClusterRole", "name": role },
        "subjects": [subject],
    })))
}

fn metadata(name: &str) -> Value {
    value!({
        "name": name,
        "labels": { "kubernetes.io/bootstrapping": "rbac-defaults" },
        "annotations": { "rbac.authorization.kubernetes.io/autoupdate": "true" },
    })
}

fn add_rule(objects: &mut [Object], rule: Value) {
    if let Some(rules) = objects.last_mut().and_then(|role| role.list_at_mut(&["rules"])) {
        rules.push(rule);
    }
}

fn list(words: &str) -> Value {
    let expand = |word: &str| match word {
        "rw" => "create,delete,deletecollection,get,list,patch,update,watch".to_owned(),
        "ro" => "get,list,watch".to_owned(),
        "core" => String::new(),
        word => word.to_owned(),
    };
    let words: Vec<String> = words.split(',').map(expand).collect();
    words.iter().flat_map(|word| word.split(',')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_has_a_meaning_and_every_binding_a_role() {
        let lines = TABLE.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let (rules, rows): (Vec<&str>, Vec<&str>) = lines.partition(|line| line.starts_with(' '));
        let objects = bootstrap_objects();
        assert_eq!(objects.len(), rows.len());
        assert_eq!(
            objects.iter().map(|object| object.list_at(&["rules"]).len()).sum::<usize>(),
            rules.len()
        );
        for binding in objects.iter().filter(|object| object.kind() == "ClusterRoleBinding") {
            let role = binding.str_at(&["roleRef", "name"]);
            let is_role =
                |object: &&Object| object.kind() == "ClusterRole" && Some(object.name()) == role;
            assert!(objects.iter().any(|object| is_role(&object)), "{role:?}");
        }
        let mut names: Vec<(&str, &str)> =
            objects.iter().map(|object| (object.kind(), object.name())).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), objects.len(), "no name stands twice");
    }
}
