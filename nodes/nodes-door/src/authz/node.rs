//! What a node may read: itself, its pods, and what they name.
//!
//! Way in: [`judge`].  Never: a graph that is kept; the pods of the snapshot are asked.
//! Spec: Kubernetes documentation, "Using Node Authorization": a node is a user `system:node:NAME` of the group
//! `system:nodes`. It reads only the Secrets, ConfigMaps, claims and volumes of pods that are bound to it, its own Node,
//! Lease and CSINode; everything else is as the ClusterRole `system:node` says.

use std::sync::Arc;

use actors_kinds::rbac::rule_allows;
use actors_object::{Object, Value};
use store_mvcc::Key;

use super::{Ask, exact, rules::Authorizer};
use crate::Identity;

const LEASES: &str = "kube-node-lease";

/// The name of the node that asks, if one does.
pub(crate) fn node_of(identity: &Identity) -> Option<&str> {
    let is_node = identity.groups.iter().any(|group| group == "system:nodes");
    identity.user.strip_prefix("system:node:").filter(|name| is_node && !name.is_empty())
}

/// What the rules of nodes say: nothing about others; yes; or no, with the reason if there is one.
pub(super) fn judge(
    authorizer: &Authorizer<'_>,
    who: &Identity,
    what: Ask<'_>,
) -> Option<Result<(), String>> {
    let node = node_of(who)?;
    let role = authorizer.role("ClusterRole", "", "system:node")?;
    if !role.list_at(&["rules"]).iter().any(|rule| rule_allows(rule, what)) {
        return Some(Err(String::new()));
    }
    Some(Pods { authorizer, node }.judge(what))
}

/// The pods of one node.
struct Pods<'a> {
    authorizer: &'a Authorizer<'a>,
    node: &'a str,
}

impl Pods<'_> {
    fn judge(&self, what: Ask<'_>) -> Result<(), String> {
        let Ask::Resource { verb, group, resource, namespace, name, fields } = what else {
            return Ok(());
        };
        let reads = matches!(verb, "get" | "list" | "watch");
        match (group, resource) {
            ("", "secrets" | "configmaps") => {
                self.named(name)?;
                let list = if resource == "secrets" { secrets_of } else { configs_of };
                self.related(namespace, |pod| list(pod).contains(&name))
            }
            ("", "persistentvolumeclaims" | "persistentvolumeclaims/status") => {
                self.named(name)?;
                self.related(namespace, |pod| claims_of(pod).iter().any(|claim| claim == name))
            }
            ("", "persistentvolumes") => {
                self.named(name)?;
                let volume = self.object("persistentvolumes", "", name);
                let claim = volume.as_deref().map(|volume| {
                    let of = |field| volume.str_at(&["spec", "claimRef", field]);
                    (of("namespace").unwrap_or_default(), of("name").unwrap_or_default())
                });
                let Some((namespace, claim)) = claim else { return Err(self.unrelated()) };
                self.related(namespace, |pod| claims_of(pod).iter().any(|one| one == claim))
            }
            ("", "serviceaccounts/token") => {
                self.named(name)?;
                self.related(namespace, |pod| {
                    pod.str_at(&["spec", "serviceAccountName"]).unwrap_or("default") == name
                })
            }
            ("", "nodes") if reads && name != self.node => {
                Err(format!("node {:?} cannot read {name:?}, only its own Node object", self.node))
            }
            ("", "pods") if reads => self.pods(verb, (namespace, name), fields),
            ("coordination.k8s.io", "leases") if namespace != LEASES => {
                Err(format!("can only access leases in the {LEASES:?} system namespace"))
            }
            ("coordination.k8s.io", "leases") if verb != "create" && name != self.node => {
                Err("can only access node lease with the same name as the requesting node".into())
            }
            ("storage.k8s.io", "csinodes") if verb != "create" && name != self.node => {
                Err("can only access CSINode with the same name as the requesting node".into())
            }
            ("storage.k8s.io", "volumeattachments") => self.attachment(name),
            _ => Ok(()),
        }
    }

    fn pods(&self, verb: &str, at: (&str, &str), fields: &str) -> Result<(), String> {
        let (namespace, name) = at;
        if verb == "get" {
            // Of a pod that is gone nothing can be told but that.
            let pod = self.authorizer.snapshot.get(&key("pods", namespace, name));
            return match pod {
                Some(pod) if pod.field("spec.nodeName") != Some(self.node) => Err(self.unrelated()),
                _ => Ok(()),
            };
        }
        if exact(fields, "spec.nodeName").as_deref() == Some(self.node) {
            return Ok(());
        }
        Err("can only list/watch pods with spec.nodeName field selector".to_owned())
    }

    fn attachment(&self, name: &str) -> Result<(), String> {
        let found = Key::object("storage.k8s.io", "volumeattachments", None, name);
        let found = self.authorizer.snapshot.get(&found).map(|item| item.object());
        let own = found.is_some_and(|one| one.str_at(&["spec", "nodeName"]) == Some(self.node));
        own.then_some(()).ok_or_else(|| self.unrelated())
    }

    /// Lists and watches must be about one object.
    fn named(&self, name: &str) -> Result<(), String> {
        match name {
            "" => Err("No Object name found".to_owned()),
            _ => Ok(()),
        }
    }

    fn related(&self, namespace: &str, names: impl Fn(&Object) -> bool) -> Result<(), String> {
        let prefix = Key::prefix("", "pods", Some(namespace).filter(|text| !text.is_empty()));
        let mut pods = self.authorizer.snapshot.list(&prefix, None, usize::MAX);
        let own = |pod: &Arc<_>| {
            let pod: &store_catalog::Item = pod;
            pod.field("spec.nodeName") == Some(self.node) && names(&pod.object())
        };
        pods.any(own).then_some(()).ok_or_else(|| self.unrelated())
    }

    fn unrelated(&self) -> String {
        format!("no relationship found between node '{}' and this object", self.node)
    }

    fn object(&self, plural: &str, namespace: &str, name: &str) -> Option<Arc<Object>> {
        self.authorizer.snapshot.get(&key(plural, namespace, name)).map(|item| item.object())
    }
}

fn key(plural: &str, namespace: &str, name: &str) -> Key {
    Key::object("", plural, Some(namespace).filter(|text| !text.is_empty()), name)
}

/// Whether a pod names anything that is read for it.
pub(crate) fn names_objects(pod: &Object) -> bool {
    !secrets_of(pod).is_empty() || !configs_of(pod).is_empty() || !claims_of(pod).is_empty()
}

fn containers(pod: &Object) -> impl Iterator<Item = &Value> {
    ["containers", "initContainers", "ephemeralContainers"]
        .into_iter()
        .flat_map(|list| pod.list_at(&["spec", list]))
}

fn volumes(pod: &Object) -> &[Value] {
    pod.list_at(&["spec", "volumes"])
}

/// What is named under one of these two keys of containers' environments and of volumes.
fn in_environments<'a>(pod: &'a Object, (whole, one): (&'a str, &'a str)) -> Vec<&'a str> {
    let from = containers(pod).flat_map(|container| container.list_at(&["envFrom"]));
    let from = from.filter_map(|source| source.str_at(&[whole, "name"]));
    let env = containers(pod).flat_map(|container| container.list_at(&["env"]));
    from.chain(env.filter_map(|env| env.str_at(&["valueFrom", one, "name"]))).collect()
}

fn in_projections<'a>(pod: &'a Object, kind: &'a str) -> impl Iterator<Item = &'a str> {
    let sources = volumes(pod).iter().flat_map(|volume| volume.list_at(&["projected", "sources"]));
    sources.filter_map(move |source| source.str_at(&[kind, "name"]))
}

fn secrets_of(pod: &Object) -> Vec<&str> {
    let mut names = in_environments(pod, ("secretRef", "secretKeyRef"));
    let pulls = pod.list_at(&["spec", "imagePullSecrets"]).iter();
    names.extend(pulls.filter_map(|secret| secret.str_at(&["name"])));
    for volume in volumes(pod) {
        names.extend(volume.str_at(&["secret", "secretName"]));
        for (driver, field) in [
            ("csi", "nodePublishSecretRef"),
            ("rbd", "secretRef"),
            ("cephfs", "secretRef"),
            ("flexVolume", "secretRef"),
            ("iscsi", "secretRef"),
            ("scaleIO", "secretRef"),
            ("storageos", "secretRef"),
        ] {
            names.extend(volume.str_at(&[driver, field, "name"]));
        }
        names.extend(volume.str_at(&["azureFile", "secretName"]));
    }
    names.extend(in_projections(pod, "secret"));
    names
}

fn configs_of(pod: &Object) -> Vec<&str> {
    let mut names = in_environments(pod, ("configMapRef", "configMapKeyRef"));
    names.extend(volumes(pod).iter().filter_map(|volume| volume.str_at(&["configMap", "name"])));
    names.extend(in_projections(pod, "configMap"));
    names
}

/// Claims that a pod names, and those that are made for it: POD-VOLUME.
fn claims_of(pod: &Object) -> Vec<String> {
    let named = |volume: &Value| {
        let claim = volume.str_at(&["persistentVolumeClaim", "claimName"]);
        let made = volume.get("ephemeral").and_then(|_| volume.str_at(&["name"]));
        claim.map(str::to_owned).or_else(|| made.map(|name| format!("{}-{name}", pod.name())))
    };
    volumes(pod).iter().filter_map(named).collect()
}
