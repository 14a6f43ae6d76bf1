//! The least rights of a controller, from what it declares that it reads and writes.
//!
//! Way in: [`identity_of`], [`roles_of`]; [`identity`], [`roles`] for who is no controller of the SDK.  Spec: Kubernetes documentation, "Using RBAC Authorization", controller roles:
//! each controller has a service account of its own in `kube-system` and a role `system:controller:NAME`.

use std::collections::{BTreeMap, BTreeSet};

use actors_controller::{Access, Controller, Kind, Kinds, Write, WriteVerb};
use actors_kinds::{KindFacts, Registry};
use actors_object::{Map, Object, Value};
use nodes_door::Identity;

const RBAC: &str = "rbac.authorization.k8s.io";
const CERTIFICATES: &str = "certificates.k8s.io";
const SIGNERS: &str = "signers";

/// What reading a kind needs.
const READ: [&str; 3] = ["get", "list", "watch"];

/// The controller's identity: a service account of `kube-system`.
#[must_use]
pub fn identity_of(controller: &dyn Controller) -> Identity {
    identity(controller.name())
}

/// The identity of the controller of this name.
#[must_use]
pub fn identity(name: &str) -> Identity {
    let account = account_of(name);
    Identity::new(
        format!("system:serviceaccount:kube-system:{account}"),
        &["system:serviceaccounts", "system:serviceaccounts:kube-system"],
    )
}

fn account_of(name: &str) -> String {
    format!("{name}-controller")
}

/// A ClusterRole with exactly what the controller declares, and the binding to its account.
#[must_use]
pub fn roles_of(controller: &dyn Controller, registry: &Registry) -> [Object; 2] {
    roles(controller.name(), &controller.access(), registry)
}

/// As [`roles_of`], for the controller of this name.
#[must_use]
pub fn roles(name: &str, access: &Access, registry: &Registry) -> [Object; 2] {
    // Group, resource -> verbs.
    let mut rules: BTreeMap<(String, String), BTreeSet<&str>> = BTreeMap::new();
    let mut allow = |facts: &KindFacts, subresource: &str, verbs: &[&'static str]| {
        let resource = match subresource {
            "" => facts.plural.clone(),
            sub => format!("{}/{sub}", facts.plural),
        };
        rules.entry((facts.gvk.group.clone(), resource)).or_default().extend(verbs);
    };
    let all = || registry.kinds().filter(|kind| kind.is_stored()).collect::<Vec<_>>();
    let of = |kind: &Kind| {
        let found = registry.kind_named(kind.api_version(), kind.kind());
        found.into_iter().collect::<Vec<_>>()
    };
    let read = match &access.reads {
        Kinds::Any => all(),
        Kinds::These(kinds) => kinds.iter().flat_map(of).collect(),
    };
    read.into_iter().for_each(|facts| allow(facts, "", &READ));
    for write in &access.writes {
        for facts in write.kind.as_ref().map_or_else(all, of) {
            match write.verb {
                WriteVerb::Create => allow(facts, "", &["create"]),
                WriteVerb::Patch => allow(facts, "", &["patch"]),
                WriteVerb::Status => allow(facts, "status", &["patch"]),
                WriteVerb::Delete => allow(facts, "", &["delete"]),
                WriteVerb::Finalize => allow(facts, "finalize", &["update"]),
                WriteVerb::Bind => allow(facts, "binding", &["create"]),
                WriteVerb::Approve => allow(facts, "approval", &["patch"]),
            }
            // Who fills a role with what it does not hold itself must be allowed to.
            if facts.is(RBAC, "ClusterRole") && write.verb == WriteVerb::Patch {
                allow(facts, "", &["escalate"]);
            }
        }
    }
    for facts in of(&Kind::new("v1", "Event")) {
        allow(facts, "", &["create", "patch", "get"]);
    }
    let signs = |verb: WriteVerb| {
        let concerns = |write: &Write| {
            let kind = write.kind.as_ref();
            write.verb == verb && kind.is_some_and(|kind| kind.group() == CERTIFICATES)
        };
        access.writes.iter().any(concerns)
    };
    // Deciding and signing are allowed by the signer's name.
    for (verb, word) in [(WriteVerb::Approve, "approve"), (WriteVerb::Status, "sign")] {
        if signs(verb) {
            let signers = (CERTIFICATES.to_owned(), SIGNERS.to_owned());
            rules.entry(signers).or_default().insert(word);
        }
    }
    let account = account_of(name);
    let name = format!("system:controller:{account}");
    [role(&name, rules), binding(&name, &account)]
}

fn list<'a>(texts: impl IntoIterator<Item = &'a str>) -> Value {
    Value::List(texts.into_iter().map(Value::from).collect())
}

fn role(name: &str, rules: BTreeMap<(String, String), BTreeSet<&str>>) -> Object {
    let rules = rules.into_iter().map(|((group, resource), verbs)| {
        let mut rule = Value::Map(Map::default());
        rule.set_path(&["apiGroups"], list([group.as_str()]));
        rule.set_path(&["resources"], list([resource.as_str()]));
        rule.set_path(&["verbs"], list(verbs));
        if resource == SIGNERS {
            rule.set_path(&["resourceNames"], list(["kubernetes.io/*"]));
        }
        rule
    });
    let rules = Value::List(rules.collect());
    let mut role = head("ClusterRole", name);
    role.set_path(&["rules"], rules);
    Object(role)
}

fn binding(name: &str, account: &str) -> Object {
    let mut subject = Value::Map(Map::default());
    subject.set_path(&["kind"], "ServiceAccount");
    subject.set_path(&["namespace"], "kube-system");
    subject.set_path(&["name"], account);
    let mut binding = head("ClusterRoleBinding", name);
    binding.set_path(&["subjects"], Value::List(vec![subject]));
    binding.set_path(&["roleRef", "apiGroup"], "rbac.authorization.k8s.io");
    binding.set_path(&["roleRef", "kind"], "ClusterRole");
    binding.set_path(&["roleRef", "name"], name);
    Object(binding)
}

fn head(kind: &str, name: &str) -> Value {
    let mut object = Value::Map(Map::default());
    object.set_path(&["apiVersion"], "rbac.authorization.k8s.io/v1");
    object.set_path(&["kind"], kind);
    object.set_path(&["metadata", "name"], name);
    object.set_path(&["metadata", "labels", "kubernetes.io/bootstrapping"], "rbac-defaults");
    object
}
