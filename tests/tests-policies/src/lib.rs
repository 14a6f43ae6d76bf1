//! Random RBAC policies over a small universe, and what they allow, by an algorithm of another sort than the door's: each
//! role is spread out into the set of all that it covers, and bindings are unions of sets.
//!
//! Way in: [`Policy::random`], [`Policy::model`], [`Model::allows`], [`Ask::random`].  Spec: Kubernetes documentation,
//! "Using RBAC Authorization".

mod model;
mod policy;

pub use model::{Model, rules_allow};
pub use policy::{Binding, Policy, Role, Rule, Subject};

use actors_core::Rng;

/// The verbs that are asked for.
pub const VERBS: [&str; 5] = ["get", "list", "watch", "create", "delete"];

/// The resources that are asked for: group, resource, subresource.
pub const RESOURCES: [(&str, &str, &str); 8] = [
    ("", "pods", ""),
    ("", "pods", "status"),
    ("", "configmaps", ""),
    ("", "services", ""),
    ("", "services", "status"),
    ("apps", "deployments", ""),
    ("apps", "deployments", "scale"),
    ("apps", "replicasets", ""),
];

/// The names that are asked for; the first is no name.
pub const NAMES: [&str; 3] = ["", "a", "b"];

/// The namespaces that are asked for.
pub const NAMESPACES: [&str; 2] = ["policy-d", "policy-e"];

/// Who asks: the user, and the groups beside `system:authenticated`.
pub const PEOPLE: [(&str, &[&str]); 5] = [
    ("policy-jane", &[]),
    ("policy-bob", &["policy-devs"]),
    ("policy-eve", &["policy-devs", "policy-ops"]),
    (
        "system:serviceaccount:policy-d:robot",
        &["system:serviceaccounts", "system:serviceaccounts:policy-d"],
    ),
    (
        "system:serviceaccount:policy-e:robot",
        &["system:serviceaccounts", "system:serviceaccounts:policy-e"],
    ),
];

/// One question; all parts are places in the tables above.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    /// Who asks.
    pub person: usize,
    /// What is to be done.
    pub verb: usize,
    /// With what.
    pub resource: usize,
    /// Where; `None` is everywhere.
    pub namespace: Option<usize>,
    /// With which one; 0 is none. For lists and watches it is a field selector.
    pub name: usize,
}

impl Ask {
    /// A question that can be made as a request: one of the three verbs that read.
    #[must_use]
    pub fn random(rng: &mut Rng) -> Self {
        let verb = pick(rng, 3);
        let named = verb == 0;
        // A list of a subresource does not exist.
        let resource = loop {
            let resource = pick(rng, RESOURCES.len());
            if named || RESOURCES[resource].2.is_empty() {
                break resource;
            }
        };
        let name = if named { 1 + pick(rng, 2) } else { [0, 0, 0, 1][pick(rng, 4)] };
        let namespace = match named {
            true => Some(pick(rng, NAMESPACES.len())),
            false => [None, Some(0), Some(1)][pick(rng, 3)],
        };
        Self { person: pick(rng, PEOPLE.len()), verb, resource, namespace, name }
    }

    /// The verb.
    #[must_use]
    pub fn verb(&self) -> &'static str {
        VERBS[self.verb]
    }

    /// The name; empty for none.
    #[must_use]
    pub fn name(&self) -> &'static str {
        NAMES[self.name]
    }

    /// The namespace; empty for everywhere.
    #[must_use]
    pub fn namespace(&self) -> &'static str {
        self.namespace.map_or("", |namespace| NAMESPACES[namespace])
    }

    /// The path of the request, without its query.
    #[must_use]
    pub fn path(&self) -> String {
        let (group, resource, sub) = RESOURCES[self.resource];
        let mut path = match group {
            "" => "/api/v1".to_owned(),
            group => format!("/apis/{group}/v1"),
        };
        if let Some(namespace) = self.namespace {
            path.push_str(&format!("/namespaces/{}", NAMESPACES[namespace]));
        }
        path.push_str(&format!("/{resource}"));
        if self.verb == 0 {
            path.push_str(&format!("/{}", self.name()));
        }
        if !sub.is_empty() {
            path.push_str(&format!("/{sub}"));
        }
        path
    }
}

/// A number below `count`.
pub(crate) fn pick(rng: &mut Rng, count: usize) -> usize {
    usize::try_from(rng.below(u64::try_from(count).unwrap_or(1))).unwrap_or(0)
}
