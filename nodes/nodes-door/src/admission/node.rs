//! NodeRestriction: a node writes itself, its lease, and the pods that run on it; nothing else of
//! those.
//!
//! Way in: [`check_node_create`], [`check_node`].  Spec: Kubernetes documentation, "Using Node
//! Authorization" and NodeRestriction. A node is a user `system:node:NAME` of the group
//! `system:nodes`.

use actors_object::{ApiError, Object};

use super::service_account::MIRROR;
use crate::{Identity, visit::Visit};

const LEASES: &str = "kube-node-lease";

/// Whether a node may create this.
pub(crate) fn check_node_create(visit: &Visit<'_>, object: &Object) -> Result<(), ApiError> {
    let Some(node) = node_of(&visit.request.identity) else { return Ok(()) };
    if !visit.kind.is("", "Pod") {
        return check_node(visit, object);
    }
    let runs_here = object.str_at(&["spec", "nodeName"]) == Some(node);
    if runs_here && object.annotation(MIRROR).is_some() {
        return Ok(());
    }
    refuse(visit, object, node, "can only create mirror pods of its own")
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
        _ => Ok(()),
    }
}

/// The name of the node that asks, if one does.
fn node_of(identity: &Identity) -> Option<&str> {
    let is_node = identity.groups.iter().any(|group| group == "system:nodes");
    identity.user.strip_prefix("system:node:").filter(|_| is_node)
}

fn refuse(visit: &Visit<'_>, object: &Object, node: &str, why: &str) -> Result<(), ApiError> {
    Err(ApiError::forbidden(&visit.resource(), object.name(), format!("node {node:?} {why}")))
}
