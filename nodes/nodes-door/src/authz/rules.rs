//! Bindings, roles and rules.

use std::sync::Arc;

use actors_object::{Object, Value};
use store_catalog::Snapshot;
use store_mvcc::Key;

use super::{Ask, MASTERS};
use crate::Identity;

const GROUP: &str = "rbac.authorization.k8s.io";

/// Answers from the roles and bindings of one snapshot.
pub(crate) struct Authorizer<'a> {
    snapshot: &'a Snapshot,
}

impl<'a> Authorizer<'a> {
    pub(crate) fn new(snapshot: &'a Snapshot) -> Self {
        Self { snapshot }
    }

    /// Whether somebody may do something.
    pub(crate) fn allows(&self, who: &Identity, what: Ask<'_>) -> bool {
        if is_master(who) {
            return true;
        }
        let namespace = match what {
            Ask::Resource { namespace, .. } => namespace,
            Ask::Url { .. } => "",
        };
        self.find_role(who, namespace, &mut |role| {
            role.list_at(&["rules"]).iter().any(|rule| rule_allows(rule, what))
        })
    }

    /// All rules that hold for somebody in a namespace; those of the whole cluster come first.
    pub(crate) fn rules_of(&self, who: &Identity, namespace: &str) -> Vec<Value> {
        let mut rules = Vec::new();
        if is_master(who) {
            rules.push(
                actors_object::value!({ "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"] }),
            );
            rules.push(actors_object::value!({ "verbs": ["*"], "nonResourceURLs": ["*"] }));
        }
        self.find_role(who, namespace, &mut |role| {
            rules.extend_from_slice(role.list_at(&["rules"]));
            false
        });
        rules
    }

    /// The role that a `roleRef` names; `namespace` is the binding's.
    pub(crate) fn role(&self, kind: &str, namespace: &str, name: &str) -> Option<Arc<Object>> {
        let key = match kind {
            "ClusterRole" => Key::object(GROUP, "clusterroles", None, name),
            "Role" => Key::object(GROUP, "roles", Some(namespace), name),
            _ => return None,
        };
        self.snapshot.get(&key).map(|item| item.object())
    }

    /// Shows `visit` every role bound to somebody until it returns true.
    fn find_role(
        &self,
        who: &Identity,
        namespace: &str,
        visit: &mut dyn FnMut(&Object) -> bool,
    ) -> bool {
        let cluster = Key::prefix(GROUP, "clusterrolebindings", None);
        let local = Key::prefix(GROUP, "rolebindings", Some(namespace));
        let prefixes = [Some(cluster), Some(local).filter(|_| !namespace.is_empty())];
        for prefix in prefixes.iter().flatten() {
            for item in self.snapshot.list(prefix, None, usize::MAX) {
                let binding = item.object();
                let subjects = binding.list_at(&["subjects"]);
                if !subjects.iter().any(|subject| is_subject(subject, binding.namespace(), who)) {
                    continue;
                }
                let text = |field: &str| binding.str_at(&["roleRef", field]).unwrap_or_default();
                let role = self.role(text("kind"), binding.namespace(), text("name"));
                if role.is_some_and(|role| visit(&role)) {
                    return true;
                }
            }
        }
        false
    }
}

pub(super) fn is_master(who: &Identity) -> bool {
    who.groups.iter().any(|group| group == MASTERS)
}

fn is_subject(subject: &Value, namespace: &str, who: &Identity) -> bool {
    let name = subject.at("name").as_str().unwrap_or_default();
    match subject.at("kind").as_str().unwrap_or_default() {
        "User" => who.user == name,
        "Group" => who.groups.iter().any(|group| group == name),
        "ServiceAccount" => {
            let namespace = subject.at("namespace").as_str().unwrap_or(namespace);
            let rest = who.user.strip_prefix("system:serviceaccount:");
            rest.and_then(|rest| rest.split_once(':')) == Some((namespace, name))
        }
        _ => false,
    }
}

fn rule_allows(rule: &Value, what: Ask<'_>) -> bool {
    match what {
        Ask::Resource { verb, group, resource, name, .. } => {
            has(rule, "verbs", verb)
                && has(rule, "apiGroups", group)
                && has_resource(rule, resource)
                && (rule.list_at(&["resourceNames"]).is_empty() || has_exactly(rule, name))
        }
        Ask::Url { verb, path } => {
            let fits = |pattern: &str| match pattern.strip_suffix('*') {
                Some(beginning) => path.starts_with(beginning),
                None => path == pattern,
            };
            has(rule, "verbs", verb) && texts(rule, "nonResourceURLs").any(fits)
        }
    }
}

fn texts<'a>(rule: &'a Value, field: &'a str) -> impl Iterator<Item = &'a str> {
    rule.list_at(&[field]).iter().filter_map(Value::as_str)
}

fn has(rule: &Value, field: &str, wanted: &str) -> bool {
    texts(rule, field).any(|text| text == "*" || text == wanted)
}

/// A named rule never covers requests without a name: creates and lists.
fn has_exactly(rule: &Value, name: &str) -> bool {
    !name.is_empty() && texts(rule, "resourceNames").any(|text| text == name)
}

/// `*` covers everything, `*/status` that subresource of everything, `pods` only itself.
fn has_resource(rule: &Value, wanted: &str) -> bool {
    texts(rule, "resources").any(|text| {
        let everywhere = text.strip_prefix("*/").zip(wanted.split_once('/'));
        text == "*" || text == wanted || everywhere.is_some_and(|(sub, (_, wanted))| sub == wanted)
    })
}
