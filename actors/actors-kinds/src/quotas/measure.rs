//! What one object takes, under every name by which a quota may limit it.
//!
//! Way in: [`measure`], [`is_of`].  Invariant: whatever `measure` names for an object, `is_of`
//! knows.

use std::time::Duration;

use actors_core::Wall;
use actors_object::{GroupResource, Object, Quantity, Value, timefmt};

use crate::amounts::{self, Amounts, Bound};

/// Kinds of the core group that are also counted by their plain names.
const PLAIN: [&str; 4] = ["configmaps", "replicationcontrollers", "resourcequotas", "secrets"];

/// Resources that need no word before them.
const NATIVE: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];

/// What stands between a storage class and what is limited of it.
const OF_CLASS: &str = ".storageclass.storage.k8s.io/";

/// The annotation that named a claim's class before there was a field.
const CLASS_ANNOTATION: &str = "volume.beta.kubernetes.io/storage-class";

/// The name by which all objects of a resource are counted: `count/deployments.apps`.
fn count_name(of: &GroupResource) -> String {
    match of.group.as_str() {
        "" => format!("count/{}", of.resource),
        group => format!("count/{}.{group}", of.resource),
    }
}

/// Whether a quota's word is about objects of this resource.
pub(super) fn is_of(name: &str, of: &GroupResource) -> bool {
    if name.starts_with("count/") {
        return name == count_name(of);
    }
    if !of.group.is_empty() {
        return false;
    }
    match of.resource.as_str() {
        "pods" => {
            name == "pods"
                || NATIVE.contains(&name)
                || name.starts_with("hugepages-")
                || name.starts_with("limits.")
                || (name.starts_with("requests.") && name != "requests.storage")
        }
        "services" => matches!(name, "services" | "services.loadbalancers" | "services.nodeports"),
        "persistentvolumeclaims" => {
            matches!(name, "persistentvolumeclaims" | "requests.storage") || name.contains(OF_CLASS)
        }
        plain => PLAIN.contains(&plain) && name == plain,
    }
}

/// Everything that an object takes.
pub(super) fn measure(of: &GroupResource, object: &Object, now: Wall) -> Amounts {
    let mut taken = Amounts::new();
    let mut take = |name: String, amount: Quantity| {
        taken.insert(name, amount);
    };
    let one = Quantity::from_units(1);
    take(count_name(of), one);
    match (of.group.as_str(), of.resource.as_str()) {
        ("", "pods") if is_over(object, now) => {}
        ("", "pods") => {
            take("pods".to_owned(), one);
            pod(object, take);
        }
        ("", "services") => {
            take("services".to_owned(), one);
            service(object, take);
        }
        ("", "persistentvolumeclaims") => {
            take("persistentvolumeclaims".to_owned(), one);
            claim(object, take);
        }
        ("", plain) if PLAIN.contains(&plain) => take(plain.to_owned(), one),
        _ => {}
    }
    taken
}

/// When a pod that is being deleted no longer counts, though it may still be there: its grace is
/// long over, and nobody must wait for a node that is lost.
#[must_use]
pub fn over_at(pod: &Object) -> Option<Wall> {
    let due = timefmt::parse(pod.deletion_timestamp()?)?;
    let grace = pod.i64_at(&["metadata", "deletionGracePeriodSeconds"])?;
    Some(due.after(Duration::from_secs(u64::try_from(grace).unwrap_or(0))))
}

/// Whether a pod has ended for good, or should have long ago.
fn is_over(pod: &Object, now: Wall) -> bool {
    let ended = matches!(pod.str_at(&["status", "phase"]), Some("Succeeded" | "Failed"));
    ended || over_at(pod).is_some_and(|at| now > at)
}

fn pod(pod: &Object, mut take: impl FnMut(String, Quantity)) {
    for (name, amount) in amounts::of_pod_held(pod, Bound::Requests) {
        let is_native = NATIVE.contains(&name.as_str()) || name.starts_with("hugepages-");
        take(format!("requests.{name}"), amount);
        if is_native {
            take(name, amount);
        }
    }
    for (name, amount) in amounts::of_pod_held(pod, Bound::Limits) {
        if NATIVE.contains(&name.as_str()) {
            take(format!("limits.{name}"), amount);
        }
    }
}

/// Of a service that nobody wants ports for, only those count that it names.
fn service(service: &Object, mut take: impl FnMut(String, Quantity)) {
    let sort = service.str_at(&["spec", "type"]).unwrap_or_default();
    let ports = service.list_at(&["spec", "ports"]);
    let given = ports.iter().filter(|port| port.at("nodePort").as_i64().unwrap_or(0) > 0);
    let wants = service.bool_at(&["spec", "allocateLoadBalancerNodePorts"]).unwrap_or(true);
    let count = match sort {
        "NodePort" => ports.len(),
        "LoadBalancer" if wants => ports.len(),
        "LoadBalancer" => given.count(),
        _ => 0,
    };
    let units = |count: usize| Quantity::from_units(i64::try_from(count).unwrap_or(i64::MAX));
    take("services.nodeports".to_owned(), units(count));
    take("services.loadbalancers".to_owned(), units(usize::from(sort == "LoadBalancer")));
}

/// What a claim asks for, or what it was given already if that is more.
fn claim(claim: &Object, mut take: impl FnMut(String, Quantity)) {
    let amount = |path: &[&str]| {
        let found = claim.path(path).map(Quantity::from_value);
        found.and_then(Result::ok).unwrap_or(Quantity::ZERO)
    };
    let asked = amount(&["spec", "resources", "requests", "storage"]);
    let storage = asked.max(amount(&["status", "allocatedResources", "storage"]));
    take("requests.storage".to_owned(), storage);
    let named = claim.path(&["spec", "storageClassName"]).and_then(Value::as_str);
    let class = claim.annotation(CLASS_ANNOTATION).or(named).filter(|class| !class.is_empty());
    if let Some(class) = class {
        take(format!("{class}{OF_CLASS}requests.storage"), storage);
        take(format!("{class}{OF_CLASS}persistentvolumeclaims"), Quantity::from_units(1));
    }
}
