//! Bindings and roles: who holds which rules, and through what.

use std::{ops::ControlFlow, sync::Arc};

use actors_kinds::rbac::{is_subject, rule_allows};
use actors_object::{Object, Value, value};
use store_catalog::Snapshot;
use store_mvcc::Key;

use super::{Ask, MASTERS, holders::bindings_of, node};
use crate::Identity;

const GROUP: &str = "rbac.authorization.k8s.io";

/// Answers from the roles and bindings of one snapshot.
pub(crate) struct Authorizer<'a> {
    pub(super) snapshot: &'a Snapshot,
}

/// A role that somebody holds, and through which binding.
struct Held<'a> {
    role: &'a Object,
    binding: &'a Object,
    subject: &'a Value,
}

impl<'a> Authorizer<'a> {
    pub(crate) fn new(snapshot: &'a Snapshot) -> Self {
        Self { snapshot }
    }

    /// Whether somebody may do something.
    pub(crate) fn allows(&self, who: &Identity, what: Ask<'_>) -> bool {
        is_master(who)
            || node::judge(self, who, what).is_some_and(|verdict| verdict.is_ok())
            || self.find(who, namespace_of(what), &mut |held| allowing(held.role, what)).is_some()
    }

    /// As [`Self::allows`], with the reason where there is one.
    pub(crate) fn judge(&self, who: &Identity, what: Ask<'_>) -> (bool, String) {
        if is_master(who) {
            return (true, String::new());
        }
        let by_node = node::judge(self, who, what);
        if let Some(Ok(())) = by_node {
            return (true, String::new());
        }
        let mut reason = String::new();
        let found = self.find(who, namespace_of(what), &mut |held| {
            let flow = allowing(held.role, what);
            if flow.is_break() {
                reason = because(held);
            }
            flow
        });
        match (found, by_node) {
            (Some(()), _) => (true, reason),
            (None, Some(Err(why))) => (false, why),
            (None, _) => (false, String::new()),
        }
    }

    /// All rules that hold for somebody in a namespace; those of the whole cluster come first.
    pub(crate) fn rules_of(&self, who: &Identity, namespace: &str) -> Vec<Value> {
        let mut rules: Vec<Value> = Vec::new();
        let mut add = |more: &[Value]| {
            for rule in more {
                if !rules.contains(rule) {
                    rules.push(rule.clone());
                }
            }
        };
        if is_master(who) {
            let everything = value!({ "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"] });
            add(&[everything, value!({ "verbs": ["*"], "nonResourceURLs": ["*"] })]);
        }
        self.find(who, namespace, &mut |held| {
            add(held.role.list_at(&["rules"]));
            ControlFlow::Continue(())
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

    /// Shows `visit` every role that somebody holds until it breaks off.
    fn find(
        &self,
        who: &Identity,
        namespace: &str,
        visit: &mut dyn FnMut(&Held<'_>) -> ControlFlow<()>,
    ) -> Option<()> {
        let places = ["", namespace];
        let places = if namespace.is_empty() { &places[..1] } else { &places[..] };
        for place in places {
            for item in bindings_of(self.snapshot, who, place) {
                let binding = item.object();
                let place = binding.namespace();
                let mut subjects = binding.list_at(&["subjects"]).iter();
                let of = (who.user.as_str(), who.groups.as_slice());
                let Some(subject) = subjects.find(|subject| is_subject(subject, place, of)) else {
                    continue;
                };
                let text = |field: &str| binding.str_at(&["roleRef", field]).unwrap_or_default();
                let Some(role) = self.role(text("kind"), place, text("name")) else { continue };
                if visit(&Held { role: &role, binding: &binding, subject }).is_break() {
                    return Some(());
                }
            }
        }
        None
    }
}

pub(super) fn is_master(who: &Identity) -> bool {
    who.groups.iter().any(|group| group == MASTERS)
}

fn namespace_of(what: Ask<'_>) -> &str {
    match what {
        Ask::Resource { namespace, .. } => namespace,
        Ask::Url { .. } => "",
    }
}

fn allowing(role: &Object, what: Ask<'_>) -> ControlFlow<()> {
    match role.list_at(&["rules"]).iter().any(|rule| rule_allows(rule, what)) {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    }
}

/// Why somebody may, for who asks in a review.
fn because(held: &Held<'_>) -> String {
    let text = |value: &Value, field: &str| value.str_at(&[field]).unwrap_or_default().to_owned();
    let (binding, role) = (held.binding, held.binding.at("roleRef"));
    let place = match binding.namespace() {
        "" => binding.name().to_owned(),
        namespace => format!("{}/{namespace}", binding.name()),
    };
    let subject = match held.subject.str_at(&["namespace"]) {
        Some(namespace) => format!("{}/{namespace}", text(held.subject, "name")),
        None => text(held.subject, "name"),
    };
    format!(
        "RBAC: allowed by {} {place:?} of {} {:?} to {} {subject:?}",
        binding.kind(),
        text(role, "kind"),
        text(role, "name"),
        text(held.subject, "kind"),
    )
}
