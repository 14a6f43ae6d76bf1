//! Policies: roles of random rules, bound to random subjects.
//!
//! Way in: [`Policy::random`], [`Policy::objects`].

use actors_core::Rng;
use actors_object::{Object, Value, value};

use crate::{Model, NAMESPACES, PEOPLE, RESOURCES, VERBS, pick};

const GROUP: &str = "rbac.authorization.k8s.io";
const VERSION: &str = "rbac.authorization.k8s.io/v1";

/// Roles and bindings.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    /// The roles.
    pub roles: Vec<Role>,
    /// The bindings.
    pub bindings: Vec<Binding>,
}

/// A role in a namespace, or everywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// Its namespace; `None` for a ClusterRole.
    pub namespace: Option<usize>,
    /// What it allows.
    pub rules: Vec<Rule>,
}

/// A rule about resources.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rule {
    /// Verbs, or the star.
    pub verbs: Vec<String>,
    /// Groups, or the star.
    pub groups: Vec<String>,
    /// Resources, with subresources and stars.
    pub resources: Vec<String>,
    /// Names; none are all.
    pub names: Vec<String>,
}

/// A binding of one of the roles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// Its name.
    pub name: String,
    /// Its namespace; `None` for a ClusterRoleBinding.
    pub namespace: Option<usize>,
    /// Which role; it may be missing.
    pub role: usize,
    /// To whom.
    pub subjects: Vec<Subject>,
}

/// Whom a binding speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A user.
    User(String),
    /// A group.
    Group(String),
    /// A service account; without a namespace it is the binding's.
    Account(Option<usize>, String),
}

impl Policy {
    /// Up to four roles and ten bindings.
    #[must_use]
    pub fn random(rng: &mut Rng) -> Self {
        let roles: Vec<Role> =
            (0..1 + pick(rng, 4)).map(|number| random_role(rng, number)).collect();
        let count = roles.len();
        let bindings = (0..3 + pick(rng, 8)).filter_map(|number| {
            // One in a while names a role that is not there.
            let role = pick(rng, count + 1);
            let home = roles.get(role).and_then(|role| role.namespace);
            let namespace = match (home, pick(rng, 3)) {
                (Some(home), 0) => Some(1 - home),
                (Some(home), _) => Some(home),
                (None, 0) => None,
                (None, at) => Some(at - 1),
            };
            // A ClusterRoleBinding without a role of its own cannot be written down.
            (role < count || namespace.is_some()).then(|| Binding {
                name: format!("binding-{number}"),
                namespace,
                role,
                subjects: (0..1 + pick(rng, 2)).map(|_| random_subject(rng, namespace)).collect(),
            })
        });
        let bindings = bindings.collect();
        Self { roles, bindings }
    }

    /// The same without what is bound to groups that others are in, too: for a server that others ask as well.
    #[must_use]
    pub fn private(mut self) -> Self {
        let shared = ["system:authenticated", "system:serviceaccounts"];
        for binding in &mut self.bindings {
            binding.subjects.retain(|one| match one {
                Subject::Group(name) => !shared.contains(&name.as_str()),
                Subject::User(_) | Subject::Account(..) => true,
            });
        }
        self
    }

    /// What it allows.
    #[must_use]
    pub fn model(&self) -> Model {
        Model::of(self)
    }

    /// It, as objects of the API.
    #[must_use]
    pub fn objects(&self) -> Vec<Object> {
        let roles = self.roles.iter().map(|role| {
            let kind = if role.namespace.is_some() { "Role" } else { "ClusterRole" };
            let mut object = head(kind, &role.name, role.namespace);
            let rules: Vec<Value> = role.rules.iter().map(Rule::to_value).collect();
            object.set_path(&["rules"], rules);
            object
        });
        let bindings = self.bindings.iter().map(|binding| {
            let role = self.roles.get(binding.role);
            let is_local = role.is_none_or(|role| role.namespace.is_some());
            let role = role.map_or("missing", |role| role.name.as_str());
            let kind =
                if binding.namespace.is_some() { "RoleBinding" } else { "ClusterRoleBinding" };
            let mut object = head(kind, &binding.name, binding.namespace);
            let kind = if is_local { "Role" } else { "ClusterRole" };
            let reference = value!({ "apiGroup": GROUP, "kind": kind, "name": role });
            object.set_path(&["roleRef"], reference);
            let subjects: Vec<Value> = binding.subjects.iter().map(Subject::to_value).collect();
            object.set_path(&["subjects"], subjects);
            object
        });
        roles.chain(bindings).collect()
    }
}

impl Rule {
    fn to_value(&self) -> Value {
        let mut rule = value!({
            "verbs": (self.verbs.clone()),
            "apiGroups": (self.groups.clone()),
            "resources": (self.resources.clone()),
        });
        if !self.names.is_empty() {
            rule.set_path(&["resourceNames"], self.names.clone());
        }
        rule
    }
}

impl Subject {
    fn to_value(&self) -> Value {
        match self {
            Self::User(name) => {
                value!({ "kind": "User", "apiGroup": GROUP, "name": name.as_str() })
            }
            Self::Group(name) => {
                value!({ "kind": "Group", "apiGroup": GROUP, "name": name.as_str() })
            }
            Self::Account(namespace, name) => {
                let mut account = value!({ "kind": "ServiceAccount", "name": name.as_str() });
                if let Some(namespace) = namespace {
                    account.set_path(&["namespace"], NAMESPACES[*namespace]);
                }
                account
            }
        }
    }
}

fn head(kind: &str, name: &str, namespace: Option<usize>) -> Object {
    let mut object = Object(value!({
        "apiVersion": VERSION, "kind": kind,
        "metadata": { "name": name, "labels": { "policy": "random" } },
    }));
    if let Some(namespace) = namespace {
        object.set_namespace(NAMESPACES[namespace]);
    }
    object
}

fn random_role(rng: &mut Rng, number: usize) -> Role {
    Role {
        name: format!("role-{number}"),
        namespace: [None, Some(0), Some(1)][pick(rng, 3)],
        rules: (0..1 + pick(rng, 3)).map(|_| random_rule(rng)).collect(),
    }
}

fn random_rule(rng: &mut Rng) -> Rule {
    let resource = |rng: &mut Rng| {
        let (_, resource, sub) = RESOURCES[pick(rng, RESOURCES.len())];
        match pick(rng, 8) {
            0 | 2 => "*".to_owned(),
            1 if !sub.is_empty() => format!("*/{sub}"),
            _ if sub.is_empty() => resource.to_owned(),
            _ => format!("{resource}/{sub}"),
        }
    };
    let group = |rng: &mut Rng| ["", "apps", "*"][pick(rng, 3)].to_owned();
    let verb = |rng: &mut Rng| match pick(rng, 10) {
        0..3 => "*".to_owned(),
        _ => VERBS[pick(rng, VERBS.len())].to_owned(),
    };
    let names: &[&str] = [&[][..], &[], &[], &["a"], &["a", "b"], &["other"]][pick(rng, 6)];
    Rule {
        verbs: several(rng, 3, verb),
        groups: several(rng, 2, group),
        resources: several(rng, 3, resource),
        names: names.iter().map(|name| (*name).to_owned()).collect(),
    }
}

fn random_subject(rng: &mut Rng, namespace: Option<usize>) -> Subject {
    let (user, groups) = PEOPLE[pick(rng, PEOPLE.len())];
    match pick(rng, 4) {
        0 if !groups.is_empty() => Subject::Group(groups[pick(rng, groups.len())].to_owned()),
        1 if pick(rng, 4) == 0 => Subject::Group("system:authenticated".to_owned()),
        2 => {
            let home = [Some(0), Some(1), None][pick(rng, 3)];
            // Only a binding in a namespace can leave it out.
            let home = if namespace.is_none() { home.or(Some(0)) } else { home };
            Subject::Account(home, "robot".to_owned())
        }
        _ => Subject::User(user.to_owned()),
    }
}

fn several(rng: &mut Rng, most: usize, one: impl Fn(&mut Rng) -> String) -> Vec<String> {
    let mut all: Vec<String> = (0..1 + pick(rng, most)).map(|_| one(rng)).collect();
    all.sort();
    all.dedup();
    all
}
