//! Nodes and pods for tests.

use actors_object::{Object, Value, value};

use crate::{cluster::Cluster, filter::Prepared, node::NodeFacts, pod::PodFacts};

/// A node with 4 CPUs, 8 GiB, 110 pods, its hostname and zone as labels.
pub(crate) fn node(name: &str, zone: &str) -> Object {
    Object(value!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": { "name": name, "labels": {
            "kubernetes.io/hostname": name, "topology.kubernetes.io/zone": zone,
        } },
        "status": { "allocatable": { "cpu": "4", "memory": "8Gi", "pods": "110" } },
    }))
}

/// A pod of namespace `d` labelled `app=APP` that asks for `cpu`.
pub(crate) fn pod(name: &str, app: &str, cpu: &str) -> Object {
    Object(value!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": name, "namespace": "d", "uid": format!("uid-{name}"),
            "labels": { "app": app },
        },
        "spec": { "containers": [{
            "name": "main", "image": "web:1", "resources": { "requests": { "cpu": cpu } },
        }] },
    }))
}

/// The pod with one more field of its spec.
pub(crate) fn with(mut pod: Object, path: &[&str], value: Value) -> Object {
    let path: Vec<&str> = ["spec"].iter().chain(path).copied().collect();
    pod.set_path(&path, value);
    pod
}

/// A cluster of these nodes and bound pods.
pub(crate) fn cluster(nodes: &[Object], placed: &[(Object, &str)]) -> Cluster {
    let mut cluster = Cluster::default();
    for node in nodes {
        cluster.set_node(NodeFacts::of(node));
    }
    for (pod, node) in placed {
        cluster.place(PodFacts::of(pod).into(), node);
    }
    cluster.assert_invariants();
    cluster
}

/// For each node why the pod cannot be placed there: `n1: reason; reason`.
pub(crate) fn refusals(cluster: &Cluster, pod: &Object) -> Vec<String> {
    let facts = PodFacts::of(pod);
    let prepared = Prepared::new(&facts, cluster);
    let line = |(_, facts, state): (_, &NodeFacts, _)| {
        format!("{}: {}", facts.name, prepared.refusals(facts, state).join("; "))
    };
    cluster.iter().map(line).collect()
}
