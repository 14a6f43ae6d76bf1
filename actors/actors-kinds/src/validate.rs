//! Whether an object may be stored: the documented rules of each kind, with the path of each fault.
//!
//! Way in: [`validate_create`], [`validate_update`], [`validate_status_update`].  Owns: one table of rules per
//! kind.  Never: changes to the object; another object than the one that is written (that is admission).
//! Order: objects are defaulted before they come here (see [`crate::defaults`]).
//! Spec: Kubernetes API reference v1.35, and the concept page of each kind.

mod admission;
mod amount;
mod autoscaler;
mod batch;
mod certificates;
mod cluster;
mod config;
mod devices;
mod disruption;
mod domain;
mod endpoints;
mod errors;
mod event;
mod extension;
mod flowcontrol;
mod limits;
mod metadata;
mod networking;
mod pod;
mod rbac;
mod reviews;
mod runtime_class;
mod selector;
mod service;
mod spot;
mod storage;
mod text;
mod volumes;
mod workload;

use actors_object::{FieldError, Object};
pub(crate) use batch::own_selector;
pub(crate) use errors::{Errors, is_same};
pub(crate) use spot::Spot;

use crate::registry::KindFacts;

/// Checks an object.
type ObjectRule = fn(&Spot<'_>, &mut Errors);
/// Checks a change: the new object, the old one.
type ChangeRule = fn(&Spot<'_>, &Spot<'_>, &mut Errors);

/// The rules of one kind.
struct Rules {
    group: &'static str,
    kind: &'static str,
    /// What its names must be.
    name: fn(&str) -> text::Faults,
    /// What only a new object must fulfil.
    create: ObjectRule,
    /// What every object of the kind must fulfil, when it is created and whenever it is updated.
    object: ObjectRule,
    /// What a change of the object must fulfil beside that.
    change: ChangeRule,
    /// What a change through the status subresource must fulfil.
    status: ChangeRule,
    /// What a change through a further subresource that writes the object must fulfil, by its name.
    subresources: &'static [(&'static str, ChangeRule)],
}

/// The rules of a kind that has none of its own.
const PLAIN: Rules = Rules {
    group: "",
    kind: "",
    name: text::dns_subdomain,
    create: |_, _| {},
    object: |_, _| {},
    change: |_, _, _| {},
    status: |_, _, _| {},
    subresources: &[],
};

/// The kinds whose files have a row of their own.
const TABLES: &[&[Rules]] = &[
    RULES,
    admission::RULES,
    autoscaler::RULES,
    batch::RULES,
    certificates::RULES,
    devices::RULES,
    disruption::RULES,
    extension::RULES,
    flowcontrol::RULES,
    limits::RULES,
    networking::RULES,
    runtime_class::RULES,
    storage::RULES,
    volumes::RULES,
    workload::RULES,
];

/// One row a kind.
const RULES: &[Rules] = &[
    Rules {
        kind: "Pod",
        create: pod::validate_new,
        object: pod::validate,
        change: pod::validate_change,
        status: pod::validate_status,
        subresources: &[
            ("ephemeralcontainers", pod::validate_ephemeral),
            ("resize", pod::validate_resize),
        ],
        ..PLAIN
    },
    Rules {
        kind: "Namespace",
        name: text::dns_label,
        object: cluster::validate_namespace,
        ..PLAIN
    },
    Rules {
        kind: "Node",
        object: cluster::validate_node,
        change: cluster::validate_node_change,
        status: |new, _, out| cluster::validate_node_status(new, out),
        ..PLAIN
    },
    Rules {
        kind: "ConfigMap",
        object: config::validate_config_map,
        change: config::validate_sealed,
        ..PLAIN
    },
    Rules {
        kind: "Secret",
        object: config::validate_secret,
        change: config::validate_secret_change,
        ..PLAIN
    },
    Rules { kind: "ServiceAccount", object: config::validate_service_account, ..PLAIN },
    Rules {
        kind: "Service",
        name: text::dns_1035,
        object: service::validate,
        change: service::validate_change,
        status: service::validate_status,
        ..PLAIN
    },
    Rules { kind: "Endpoints", object: endpoints::validate_endpoints, ..PLAIN },
    Rules { kind: "Event", object: event::validate_core, ..PLAIN },
    Rules {
        group: "events.k8s.io",
        kind: "Event",
        object: event::validate,
        change: event::validate_change,
        ..PLAIN
    },
    Rules {
        group: "discovery.k8s.io",
        kind: "EndpointSlice",
        object: endpoints::validate_slice,
        change: endpoints::validate_slice_change,
        ..PLAIN
    },
    Rules {
        group: "apps",
        kind: "Deployment",
        object: workload::validate_deployment,
        change: workload::validate_selector_change,
        status: workload::validate_deployment_status,
        ..PLAIN
    },
    Rules {
        group: "apps",
        kind: "ReplicaSet",
        object: workload::validate_replica_set,
        change: workload::validate_selector_change,
        status: workload::validate_replica_set_status,
        ..PLAIN
    },
    Rules {
        group: "apps",
        kind: "ControllerRevision",
        object: cluster::validate_revision,
        change: cluster::validate_revision_change,
        ..PLAIN
    },
    Rules { group: "coordination.k8s.io", kind: "Lease", object: cluster::validate_lease, ..PLAIN },
    Rules {
        group: "scheduling.k8s.io",
        kind: "PriorityClass",
        object: cluster::validate_priority_class,
        change: cluster::validate_priority_class_change,
        ..PLAIN
    },
    Rules {
        group: RBAC,
        kind: "Role",
        name: text::path_segment,
        object: rbac::validate_role,
        ..PLAIN
    },
    Rules {
        group: RBAC,
        kind: "ClusterRole",
        name: text::path_segment,
        object: rbac::validate_cluster_role,
        ..PLAIN
    },
    Rules {
        group: RBAC,
        kind: "RoleBinding",
        name: text::path_segment,
        object: rbac::validate_role_binding,
        change: rbac::validate_binding_change,
        ..PLAIN
    },
    Rules {
        group: RBAC,
        kind: "ClusterRoleBinding",
        name: text::path_segment,
        object: rbac::validate_cluster_role_binding,
        change: rbac::validate_binding_change,
        ..PLAIN
    },
];

const RBAC: &str = "rbac.authorization.k8s.io";

fn rules_of(kind: &KindFacts) -> &'static Rules {
    let mut all = TABLES.iter().flat_map(|some| some.iter());
    all.find(|rules| kind.is(rules.group, rules.kind)).unwrap_or(&PLAIN)
}

/// What forbids to create this object; nothing if it may be stored.
#[must_use]
pub fn validate_create(kind: &KindFacts, object: &Object) -> Vec<FieldError> {
    let rules = rules_of(kind);
    let root = Spot::root(object);
    let mut out = Errors::default();
    metadata::validate(&root, kind, rules.name, &mut out);
    (rules.create)(&root, &mut out);
    (rules.object)(&root, &mut out);
    out.into_vec()
}

/// What forbids to replace `old` by `new` through the resource itself.
#[must_use]
pub fn validate_update(kind: &KindFacts, new: &Object, old: &Object) -> Vec<FieldError> {
    let rules = rules_of(kind);
    let (new, old) = (Spot::root(new), Spot::root(old));
    let mut out = Errors::default();
    metadata::validate(&new, kind, rules.name, &mut out);
    metadata::validate_change(&new, &old, &mut out);
    (rules.object)(&new, &mut out);
    (rules.change)(&new, &old, &mut out);
    out.into_vec()
}

/// What forbids to replace `old` by `new` through the status subresource.
#[must_use]
pub fn validate_status_update(kind: &KindFacts, new: &Object, old: &Object) -> Vec<FieldError> {
    let rules = rules_of(kind);
    let (new, old) = (Spot::root(new), Spot::root(old));
    let mut out = Errors::default();
    metadata::validate(&new, kind, rules.name, &mut out);
    metadata::validate_change(&new, &old, &mut out);
    (rules.status)(&new, &old, &mut out);
    out.into_vec()
}

/// What forbids to replace `old` by `new` through a subresource other than status that writes the object itself:
/// `approval` of a certificate signing request, `finalize` of a namespace. Without rules of its own, it has those of
/// the resource.
#[must_use]
pub fn validate_subresource_update(
    kind: &KindFacts,
    subresource: &str,
    new: &Object,
    old: &Object,
) -> Vec<FieldError> {
    let rules = rules_of(kind);
    let Some((_, change)) = rules.subresources.iter().find(|(name, _)| *name == subresource) else {
        return validate_update(kind, new, old);
    };
    let (new, old) = (Spot::root(new), Spot::root(old));
    let mut out = Errors::default();
    metadata::validate(&new, kind, rules.name, &mut out);
    metadata::validate_change(&new, &old, &mut out);
    change(&new, &old, &mut out);
    out.into_vec()
}

/// What is wrong with a body that is answered and not stored: a review, a `TokenRequest`, `Binding` or `Scale`.
#[must_use]
pub fn validate_body(kind: &str, body: &Object) -> Vec<FieldError> {
    let mut out = Errors::default();
    reviews::validate(kind, &Spot::root(body), &mut out);
    out.into_vec()
}

#[cfg(test)]
pub(crate) mod testing;
