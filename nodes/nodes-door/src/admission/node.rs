//! NodeRestriction: a node writes itself, its lease, and the pods that run on it; nothing else of
//! those, and not everything of itself.
//!
//! Way in: [`check_node_create`], [`check_node`], [`check_node_change`].  Spec: Kubernetes
//! documentation, "Using Node Authorization" and NodeRestriction. A node is a user
//! `system:node:NAME` of the group `system:nodes`.

use actors_object::{ApiError, Object};

use super::service_account::MIRROR;
use crate::{
    authz::{names_objects, node_of},
    visit::Visit,
};

const LEASES: &str = "kube-node-lease";

/// Labels of Kubernetes' own names that a node may give itself. Spec: "Admission Control in
/// Kubernetes", NodeRestriction.
const LABELS: [&str; 11] = [
    "kubernetes.io/hostname",
    "kubernetes.io/arch",
    "kubernetes.io/os",
    "beta.kubernetes.io/arch",
    "beta.kubernetes.io/os",
    "beta.kubernetes.io/instance-type",
    "node.kubernetes.io/instance-type",
    "failure-domain.beta.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone",
];

/// What the keys of labels begin with that a node may give itself.
const PREFIXES: [&str; 2] = ["kubelet.kubernetes.io/", "node.kubernetes.io/"];

/// Whether a node may create this.
pub(crate) fn check_node_create(visit: &Visit<'_>, object: &Object) -> Result<(), ApiError> {
    let Some(node) = node_of(&visit.request.identity) else { return Ok(()) };
    match (visit.kind.gvk.group.as_str(), visit.kind.gvk.kind.as_str()) {
        ("", "Pod") => check_pod(visit, object, node),
        // Of a node that exists nothing is made: it is told so.
        ("", "Node") if visit.snapshot.get(&visit.key(object.name())).is_some() => {
            check_node(visit, object)
        }
        ("", "Node") => {
            check_node(visit, object)?;
            let nothing = Object(actors_object::Value::Null);
            check_labels(visit, (object, &nothing), node)
        }
        _ => check_node(visit, object),
    }
}

/// A pod that a node makes is the image of one that it runs anyway, and reads nothing of the API's.
fn check_pod(visit: &Visit<'_>, pod: &Object, node: &str) -> Result<(), ApiError> {
    let runs_here = pod.str_at(&["spec", "nodeName"]) == Some(node);
    if !runs_here || pod.annotation(MIRROR).is_none() {
        return refuse(visit, pod, node, "can only create mirror pods of its own");
    }
    let account = pod.str_at(&["spec", "serviceAccountName"]).unwrap_or_default();
    if !account.is_empty() {
        return refuse(visit, pod, node, "can not create pods that reference a service account");
    }
    if names_objects(pod) {
        let why = "can not create pods that reference secrets, configmaps or claims";
        return refuse(visit, pod, node, why);
    }
    let owner_is_other =
        pod.owners().iter().any(|owner| owner.kind != "Node" || owner.name != node);
    match owner_is_other {
        true => refuse(visit, pod, node, "can only create pods that no one but itself owns"),
        false => Ok(()),
    }
}

/// Whether a node may change or delete this.
pub(crate) fn check_node(visit: &Visit<'_>, object: &Object) -> Result<(), ApiError> {
    let Some(node) = node_of(&visit.request.identity) else { return Ok(()) };
    match visit.kind.gvk.kind.as_str() {
        "Pod" if object.str_at(&["spec", "nodeName"]) != Some(node) => {
            refuse(visit, object, node, "can only write pods that run on it")
        }
        "Node" if object.name() != node => {
            refuse(visit, object, node, "can only write its own Node")
        }
        "Lease" if object.name() != node || object.namespace() != LEASES => {
            refuse(visit, object, node, "can only write its own Lease in kube-node-lease")
        }
        "CSINode" if object.name() != node => {
            refuse(visit, object, node, "can only write its own CSINode")
        }
        _ => Ok(()),
    }
}

/// Whether a node may change this into that.
pub(crate) fn check_node_change(
    visit: &Visit<'_>,
    (new, old): (&Object, &Object),
) -> Result<(), ApiError> {
    let Some(node) = node_of(&visit.request.identity) else { return Ok(()) };
    match (visit.kind.gvk.group.as_str(), visit.kind.gvk.kind.as_str()) {
        ("", "Pod") if new.metadata().at("labels") != old.metadata().at("labels") => {
            refuse(visit, new, node, "can not change labels of pods")
        }
        ("", "Node") => {
            // A machine that was admitted has a Node before it speaks: its first words are its
            // registration, with the taints that it begins with.
            let speaks = !old.list_at(&["status", "conditions"]).is_empty();
            if speaks && new.list_at(&["spec", "taints"]) != old.list_at(&["spec", "taints"]) {
                return refuse(visit, new, node, "is not allowed to modify taints");
            }
            if new.owners() != old.owners() {
                return refuse(visit, new, node, "is not allowed to modify ownerReferences");
            }
            check_labels(visit, (new, old), node)
        }
        _ => Ok(()),
    }
}

/// A node gives itself no label by which others would trust it.
fn check_labels(
    visit: &Visit<'_>,
    (new, old): (&Object, &Object),
    node: &str,
) -> Result<(), ApiError> {
    let keys = new.labels().chain(old.labels()).map(|(key, _)| key);
    let mut wrong: Vec<&str> =
        keys.filter(|key| new.label(key) != old.label(key) && !is_own(key)).collect();
    if wrong.is_empty() {
        return Ok(());
    }
    wrong.sort_unstable();
    wrong.dedup();
    let why = format!("is not allowed to modify labels: {}", wrong.join(", "));
    refuse(visit, new, node, &why)
}

/// Labels of Kubernetes' own names are kept from nodes, but for these; all others are free.
fn is_own(key: &str) -> bool {
    let Some((domain, _)) = key.split_once('/') else { return true };
    let within = |root: &str| domain == root || domain.ends_with(&format!(".{root}"));
    if !within("kubernetes.io") && !within("k8s.io") {
        return true;
    }
    LABELS.contains(&key) || PREFIXES.iter().any(|prefix| key.starts_with(prefix))
}

fn refuse(visit: &Visit<'_>, object: &Object, node: &str, why: &str) -> Result<(), ApiError> {
    Err(ApiError::forbidden(&visit.resource(), object.name(), format!("node {node:?} {why}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_that_others_trust_are_no_nodes_own() {
        for own in [
            "zone",
            "example.com/pool",
            "kubernetes.io/hostname",
            "node.kubernetes.io/pool",
            "notkubernetes.io/x",
        ] {
            assert!(is_own(own), "{own}");
        }
        for trusted in [
            "node-restriction.kubernetes.io/secure",
            "node-role.kubernetes.io/control-plane",
            "kubernetes.io/x",
            "a.k8s.io/x",
        ] {
            assert!(!is_own(trusted), "{trusted}");
        }
    }
}
