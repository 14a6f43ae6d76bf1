//! The objects that every cluster has from its first minute: namespaces, roles, bindings,
//! priorities, flow control.
//!
//! Way in: [`bootstrap_objects`], [`controller_roles`], [`repair`].  Owns: `tables/bootstrap.txt`,
//! `tables/controllers.txt`, `tables/flowcontrol.txt`.  The server creates what is missing at every
//! start and repairs the rest, through the door, as `system:masters`.

mod flow_control;
mod reconcile;

use actors_object::{Object, Value, value};
pub use reconcile::{Repair, repair};

const TABLE: &str = include_str!("../tables/bootstrap.txt");

const CONTROLLERS: &str = include_str!("../tables/controllers.txt");

const RBAC: &str = "rbac.authorization.k8s.io/v1";
const GROUP: &str = "rbac.authorization.k8s.io";
const GATHERED: &str = "rbac.authorization.k8s.io/aggregate-to-";

/// All of them, in the order in which they must be created. What a role gathers from others it has
/// already, so that nobody waits for its controller.
#[must_use]
pub fn bootstrap_objects() -> Vec<Object> {
    let mut objects = read(TABLE);
    for from in ["view", "edit", "admin"] {
        gather(&mut objects, from);
    }
    objects.extend(flow_control::objects());
    objects
}

/// The roles of Kubernetes' controllers and their bindings.
#[must_use]
pub fn controller_roles() -> Vec<Object> {
    read(CONTROLLERS)
}

fn read(table: &str) -> Vec<Object> {
    let mut objects: Vec<Object> = Vec::new();
    for line in lines(table) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match (line.starts_with(' '), words.as_slice()) {
            (true, words) => add_rule(&mut objects, rule(words)),
            (false, ["controller", name, options @ ..]) => {
                objects.extend(controller(name, options));
            }
            (false, words) => objects.extend(object(words)),
        }
    }
    objects
}

fn lines(table: &str) -> impl Iterator<Item = &str> {
    table.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// A rule; `None` for a line without a meaning. A test holds that there is none.
fn rule(words: &[&str]) -> Option<Value> {
    match words {
        ["url", verbs, paths] => {
            Some(value!({ "verbs": list(verbs), "nonResourceURLs": list(paths) }))
        }
        [verbs, groups, resources, names @ ..] if names.len() < 2 => {
            let mut rule = value!({
                "verbs": list(verbs),
                "apiGroups": list(groups),
                "resources": list(resources),
            });
            if let [names] = names {
                rule.set_path(&["resourceNames"], list(names));
            }
            Some(rule)
        }
        _ => None,
    }
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
        ["role", name, options @ ..] => Some(cluster_role(name, options)),
        ["local", namespace, name] => {
            let mut role = role("Role", name);
            role.set_namespace(namespace);
            Some(role)
        }
        ["bind", role, subjects @ ..] => binding(("ClusterRole", role), role, subjects),
        ["bind-local", namespace, role, rest @ ..] => {
            let (named, subjects) = match rest {
                [first, subjects @ ..] if first.starts_with("as=") => {
                    (first.trim_start_matches("as="), subjects)
                }
                subjects => (*role, subjects),
            };
            let mut binding = binding(("Role", role), named, subjects)?;
            binding.set_namespace(namespace);
            Some(binding)
        }
        _ => None,
    }
}

fn role(kind: &str, name: &str) -> Object {
    Object(value!({
        "apiVersion": RBAC,
        "kind": kind,
        "metadata": metadata(name),
        "rules": [],
    }))
}

fn cluster_role(name: &str, options: &[&str]) -> Object {
    let mut role = role("ClusterRole", name);
    for option in options {
        if let Some(to) = option.strip_prefix("to=") {
            role.set_label(&format!("{GATHERED}{to}"), "true");
        }
        if let Some(from) = option.strip_prefix("from=") {
            let mut labels = actors_object::Map::default();
            labels.insert(format!("{GATHERED}{from}"), "true");
            let selector = value!({ "matchLabels": labels });
            role.set_path(&["aggregationRule", "clusterRoleSelectors"], value!([selector]));
        }
    }
    role
}

fn controller(name: &str, options: &[&str]) -> Vec<Object> {
    let full = format!("system:controller:{name}");
    let mut role = cluster_role(&full, &[]);
    if !options.contains(&"-events") {
        let events = rule(&["create,patch,update", "event", "events"]);
        role.set_path(&["rules"], Value::List(events.into_iter().collect()));
    }
    // The role stands last, so that the rules that follow are its own.
    let bound = binding(("ClusterRole", &full), &full, &[&format!("sa={name}")]);
    bound.into_iter().chain([role]).collect()
}

fn binding((kind, role): (&str, &str), name: &str, subjects: &[&str]) -> Option<Object> {
    let subjects = subjects.iter().map(|text| subject(text)).collect::<Option<Vec<Value>>>()?;
    Some(Object(value!({
        "apiVersion": RBAC,
        "kind": format!("{kind}Binding"),
        "metadata": metadata(name),
        "roleRef": { "apiGroup": GROUP, "kind": kind, "name": role },
        "subjects": subjects,
    })))
}

fn subject(text: &str) -> Option<Value> {
    let (kind, name) = text.split_once('=')?;
    match kind {
        "group" => Some(value!({ "kind": "Group", "apiGroup": GROUP, "name": name })),
        "user" => Some(value!({ "kind": "User", "apiGroup": GROUP, "name": name })),
        "sa" => {
            Some(value!({ "kind": "ServiceAccount", "name": name, "namespace": "kube-system" }))
        }
        _ => None,
    }
}

fn metadata(name: &str) -> Value {
    value!({
        "name": name,
        "labels": { "kubernetes.io/bootstrapping": "rbac-defaults" },
        "annotations": { "rbac.authorization.kubernetes.io/autoupdate": "true" },
    })
}

fn add_rule(objects: &mut [Object], rule: Option<Value>) {
    let rules = objects.last_mut().and_then(|role| role.list_at_mut(&["rules"]));
    if let (Some(rules), Some(rule)) = (rules, rule) {
        rules.push(rule);
    }
}

/// Gives the role of this name the rules of those that are marked for it.
fn gather(objects: &mut [Object], name: &str) {
    let mark = format!("{GATHERED}{name}");
    let mut marked: Vec<&Object> =
        objects.iter().filter(|one| one.label(&mark) == Some("true")).collect();
    // In the order of its controller.
    marked.sort_by_key(|role| role.name());
    let mut rules: Vec<Value> = Vec::new();
    for rule in marked.iter().flat_map(|role| role.list_at(&["rules"])) {
        if !rules.contains(rule) {
            rules.push(rule.clone());
        }
    }
    let wanted = |one: &&mut Object| one.kind() == "ClusterRole" && one.name() == name;
    if let Some(role) = objects.iter_mut().find(wanted) {
        role.set_path(&["rules"], Value::List(rules));
    }
}

fn list(words: &str) -> Value {
    let expand = |word: &str| match word {
        "rw" => "create,delete,deletecollection,get,list,patch,update,watch".to_owned(),
        "w" => "create,delete,deletecollection,patch,update".to_owned(),
        "ro" => "get,list,watch".to_owned(),
        "core" => String::new(),
        "event" => ",events.k8s.io".to_owned(),
        word => word.to_owned(),
    };
    let words: Vec<String> = words.split(',').map(expand).collect();
    words.iter().flat_map(|word| word.split(',')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_table(table: &str, objects: &[Object]) {
        let (rules, rows): (Vec<&str>, Vec<&str>) =
            lines(table).partition(|line| line.starts_with(' '));
        for line in &rules {
            let words: Vec<&str> = line.split_whitespace().collect();
            assert!(rule(&words).is_some(), "{line}");
        }
        let twice = rows.iter().filter(|row| row.starts_with("controller ")).count();
        assert_eq!(objects.len(), rows.len() + twice);
        let mut names: Vec<(&str, &str, &str)> =
            objects.iter().map(|one| (one.kind(), one.namespace(), one.name())).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), objects.len(), "no name stands twice");
    }

    #[test]
    fn every_line_has_a_meaning_and_every_binding_a_role() {
        let objects = bootstrap_objects();
        check_table(TABLE, &read(TABLE));
        let controllers = controller_roles();
        check_table(CONTROLLERS, &controllers);
        let all: Vec<&Object> = objects.iter().chain(&controllers).collect();
        for binding in all.iter().filter(|object| object.kind().ends_with("Binding")) {
            let role = (binding.str_at(&["roleRef", "kind"]), binding.str_at(&["roleRef", "name"]));
            let is_role = |object: &&&Object| {
                (Some(object.kind()), Some(object.name())) == role
                    && object.namespace() == binding.namespace()
            };
            assert!(all.iter().any(|object| is_role(&object)), "{role:?}");
        }
        for role in all.iter().filter(|object| object.kind().ends_with("Role")) {
            assert!(!role.list_at(&["rules"]).is_empty(), "{} allows nothing", role.name());
        }
    }

    #[test]
    fn the_documented_roles_are_all_there() {
        let objects = bootstrap_objects();
        let names: Vec<&str> = objects
            .iter()
            .filter(|object| object.kind() == "ClusterRole")
            .map(|role| role.name())
            .collect();
        for documented in [
            "cluster-admin",
            "admin",
            "edit",
            "view",
            "system:discovery",
            "system:basic-user",
            "system:public-info-viewer",
            "system:kube-scheduler",
            "system:volume-scheduler",
            "system:kube-controller-manager",
            "system:node",
            "system:node-proxier",
            "system:auth-delegator",
            "system:heapster",
            "system:kube-aggregator",
            "system:kube-dns",
            "system:kubelet-api-admin",
            "system:node-bootstrapper",
            "system:node-problem-detector",
            "system:persistent-volume-provisioner",
            "system:monitoring",
        ] {
            assert!(names.contains(&documented), "{documented}");
        }
    }
}
