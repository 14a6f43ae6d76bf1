//! What an object says where its author said nothing: the documented defaults of each kind.
//!
//! Way in: [`default_object`], [`initial_status`].  Never: a clock, a random choice, another object; addresses,
//! priorities and injected tolerations are the door's (admission).
//! Invariant: defaulting twice is defaulting once.
//! Spec: the API reference of each field ("Defaults to ..."), Kubernetes v1.35.

mod admission;
mod autoscaler;
mod batch;
mod cluster;
mod container;
mod devices;
mod extension;
mod flowcontrol;
mod network;
mod pod;
mod storage;
mod workload;

use actors_object::{Map, Object, Value, value};

pub use pod::qos_class;

use crate::registry::KindFacts;

/// Fills in the defaults of one object.
type Defaults = fn(&mut Map);

/// One row of the table: group, kind, what fills it in.
type Row = (&'static str, &'static str, Defaults);

/// The kinds whose files have rows of their own.
const TABLES: &[&[Row]] = &[
    DEFAULTS,
    admission::DEFAULTS,
    autoscaler::DEFAULTS,
    batch::DEFAULTS,
    devices::DEFAULTS,
    extension::DEFAULTS,
    flowcontrol::DEFAULTS,
    storage::DEFAULTS,
    workload::DEFAULTS,
];

/// One row a kind that has defaults.
const DEFAULTS: &[Row] = &[
    ("", "Pod", pod::default_pod),
    ("", "Namespace", cluster::default_namespace),
    ("", "Node", cluster::default_node),
    ("", "Secret", cluster::default_secret),
    ("", "Service", network::default_service),
    ("", "Endpoints", network::default_endpoints),
    ("discovery.k8s.io", "EndpointSlice", network::default_slice),
    ("networking.k8s.io", "IngressClass", network::default_ingress_class),
    ("networking.k8s.io", "NetworkPolicy", network::default_policy),
    ("rbac.authorization.k8s.io", "RoleBinding", cluster::default_binding),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding", cluster::default_binding),
    ("scheduling.k8s.io", "PriorityClass", cluster::default_priority_class),
];

/// Fills in what the author of an object left out. Wrong types are left as they are: they are refused elsewhere.
pub fn default_object(kind: &KindFacts, object: &mut Object) {
    let mut all = TABLES.iter().flat_map(|some| some.iter());
    let found = all.find(|(group, name, _)| kind.is(group, name));
    if let (Some((_, _, apply)), Some(root)) = (found, object.0.as_map_mut()) {
        apply(root);
    }
}

/// Fills in what the author of a body that is no stored object left out: `TokenRequest`.
pub fn default_body(kind: &str, body: &mut Object) {
    if let ("TokenRequest", Some(root)) = (kind, body.0.as_map_mut()) {
        root.entry_or_map("spec").set_default("expirationSeconds", 3_600);
    }
}

/// The kinds whose status is there from the beginning, with nothing in it.
const EMPTY_STATUS: [(&str, &str); 8] = [
    ("", "ResourceQuota"),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"),
    ("apiregistration.k8s.io", "APIService"),
    ("certificates.k8s.io", "CertificateSigningRequest"),
    ("flowcontrol.apiserver.k8s.io", "FlowSchema"),
    ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"),
    ("networking.k8s.io", "ServiceCIDR"),
    ("resource.k8s.io", "ResourceClaim"),
];

/// The status that a new object begins with, whatever its author wrote there; nothing for kinds whose status is
/// made by their controller alone.
#[must_use]
pub fn initial_status(kind: &KindFacts, object: &Object) -> Option<Value> {
    match (kind.gvk.group.as_str(), kind.gvk.kind.as_str()) {
        ("", "Pod") => Some(value!({ "phase": "Pending", "qosClass": qos_class(object) })),
        ("", "Namespace") => Some(value!({ "phase": "Active" })),
        ("", "PersistentVolume" | "PersistentVolumeClaim") => Some(value!({ "phase": "Pending" })),
        ("", "Service") | ("networking.k8s.io", "Ingress") => Some(value!({ "loadBalancer": {} })),
        ("apps", "Deployment") | ("batch", "CronJob" | "Job") => Some(value!({})),
        ("storage.k8s.io", "VolumeAttachment") => Some(value!({ "attached": false })),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => {
            Some(extension::initial_status(object))
        }
        (group, name) if EMPTY_STATUS.contains(&(group, name)) => Some(value!({})),
        ("apps", "ReplicaSet") | ("", "ReplicationController") => Some(value!({ "replicas": 0 })),
        ("apps", "StatefulSet") => Some(value!({ "replicas": 0, "availableReplicas": 0 })),
        ("apps", "DaemonSet") => Some(value!({
            "currentNumberScheduled": 0,
            "numberMisscheduled": 0,
            "desiredNumberScheduled": 0,
            "numberReady": 0,
        })),
        ("autoscaling", "HorizontalPodAutoscaler") if kind.gvk.version == "v1" => {
            Some(value!({ "currentReplicas": 0, "desiredReplicas": 0 }))
        }
        ("autoscaling", "HorizontalPodAutoscaler") => Some(value!({ "desiredReplicas": 0 })),
        ("policy", "PodDisruptionBudget") => Some(value!({
            "disruptionsAllowed": 0,
            "currentHealthy": 0,
            "desiredHealthy": 0,
            "expectedPods": 0,
        })),
        _ => None,
    }
}

/// The maps in a list in a field; nothing if there is none.
fn each<'a>(above: &'a mut Map, list: &str) -> impl Iterator<Item = &'a mut Map> {
    let items = above.get_mut(list).and_then(Value::as_list_mut);
    items.into_iter().flatten().filter_map(Value::as_map_mut)
}

/// The map in a field, if there is one.
fn inner<'a>(above: &'a mut Map, field: &str) -> Option<&'a mut Map> {
    above.get_mut(field).and_then(Value::as_map_mut)
}

#[cfg(test)]
mod tests;
