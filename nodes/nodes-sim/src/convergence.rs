//! Whether a cluster without faults has become what its users asked for.
//!
//! Way in: [`check`].

use std::sync::Arc;

use actors_object::{Object, Value};
use store_catalog::Snapshot;
use store_mvcc::Key;

use crate::cluster::Cluster;

/// Whether everything is as it should be.
pub(crate) enum Converged {
    Yes,
    /// The first thing that is not.
    NotYet(String),
}

/// Looks at everything. `quiet_at` keeps the revision at which clients had come to rest.
pub(crate) fn check(cluster: &Cluster, quiet_at: &mut Option<u64>) -> Converged {
    match lacks(cluster, quiet_at) {
        None => Converged::Yes,
        Some(why) => Converged::NotYet(why),
    }
}

fn lacks(cluster: &Cluster, quiet_at: &mut Option<u64>) -> Option<String> {
    let Some(leader) = cluster.leader() else { return Some("nobody leads".to_owned()) };
    let mut servers = cluster.servers();
    let Some((_, server)) = cluster.servers().find(|(id, _)| *id == leader) else {
        return Some("the leader is down".to_owned());
    };
    if cluster.servers().count() < usize::from(cluster.shared.config.servers) {
        return Some("a server is down".to_owned());
    }
    if !cluster.clients().all(crate::client::Client::is_idle) {
        return Some("a client still waits".to_owned());
    }
    let snapshot = server.replica().snapshot();
    let quiet_at = *quiet_at.get_or_insert(snapshot.revision().0);
    if let Some(client) = cluster.clients().find(|client| client.watched() < quiet_at) {
        return Some(format!("a watch is at {}, not at {quiet_at}", client.watched()));
    }
    match server.is_control_quiet() {
        None => return Some("the leader's control loops do not run".to_owned()),
        Some(false) => return Some("a control loop is busy".to_owned()),
        Some(true) => {}
    }
    let position = server.replica().mvcc().position();
    if let Some((id, _)) = servers.find(|(_, other)| other.replica().mvcc().position() != position)
    {
        return Some(format!("server {} is not where the leader is", id.0));
    }
    lacks_objects(&snapshot)
}

fn lacks_objects(snapshot: &Snapshot) -> Option<String> {
    let all = |key: Key| snapshot.list(&key, None, usize::MAX).map(|item| item.object());
    let mut wanted = 0;
    for deployment in all(Key::prefix("apps", "deployments", None)) {
        let status = |field: &str| deployment.i64_at(&["status", field]).unwrap_or(0);
        let replicas = deployment.i64_at(&["spec", "replicas"]).unwrap_or(1);
        let name = deployment.name();
        if status("observedGeneration") != deployment.generation() {
            return Some(format!("deployment {name} is not observed"));
        }
        for field in ["replicas", "updatedReplicas", "availableReplicas"] {
            if status(field) != replicas {
                return Some(format!(
                    "deployment {name} has {} {field} of {replicas}",
                    status(field)
                ));
            }
        }
        wanted += replicas;
    }
    let mut nodes = all(Key::prefix("", "nodes", None));
    if let Some(node) =
        nodes.find(|node| !is_ready(node) || !node.list_at(&["spec", "taints"]).is_empty())
    {
        let taints = node.list_at(&["spec", "taints"]);
        return Some(format!("node {} is not ready or has taints: {taints:?}", node.name()));
    }
    let mut pods = 0;
    for pod in all(Key::prefix("", "pods", None)) {
        if let Some(why) = lacks_pod(&pod) {
            return Some(why);
        }
        pods += 1;
    }
    if pods != wanted {
        return Some(format!("there are {pods} pods, {wanted} are wanted"));
    }
    if let Some(leaving) = all(Key::prefix("", "namespaces", None)).find(|one| one.is_terminating())
    {
        return Some(format!("namespace {} is still ending", leaving.name()));
    }
    if let Some(why) = lacks_endpoints(snapshot) {
        return Some(why);
    }
    let mut sets = all(Key::prefix("apps", "replicasets", None));
    let orphan =
        sets.find(|set| set.controller_of().is_none_or(|own| snapshot.by_uid(&own.uid).is_none()));
    orphan.map(|set| format!("replica set {} outlived its owner", set.name()))
}

fn lacks_pod(pod: &Object) -> Option<String> {
    let name = pod.name();
    if pod.is_terminating() {
        return Some(format!("pod {name} is still ending"));
    }
    let phase = pod.str_at(&["status", "phase"]).unwrap_or("none");
    (phase != "Running").then(|| format!("pod {name} is in phase {phase}"))
}

/// Every Service must send to exactly the pods that are ready, by its slices and by its Endpoints.
fn lacks_endpoints(snapshot: &Snapshot) -> Option<String> {
    let all = |group: &str, plural: &str| {
        let key = Key::prefix(group, plural, Some("default"));
        snapshot.list(&key, None, usize::MAX).map(|item| item.object()).collect::<Vec<_>>()
    };
    let (pods, slices) = (all("", "pods"), all("discovery.k8s.io", "endpointslices"));
    let endpoints = all("", "endpoints");
    for service in all("", "services") {
        let Some(app) = service.str_at(&["spec", "selector", "app"]) else { continue };
        let ready = pods.iter().filter(|pod| pod.label("app") == Some(app) && is_ready(pod));
        let mut wanted: Vec<&str> =
            ready.filter_map(|pod| pod.str_at(&["status", "podIP"])).collect();
        let own = |slice: &&Arc<Object>| {
            slice.label("kubernetes.io/service-name") == Some(service.name())
        };
        let shown = slices.iter().filter(own).flat_map(|slice| slice.list_at(&["endpoints"]));
        let shown = shown.filter(|end| end.bool_at(&["conditions", "ready"]) == Some(true));
        let mut sliced: Vec<&str> = addresses(shown.flat_map(|end| end.list_at(&["addresses"])));
        let listed = endpoints.iter().filter(|one| one.name() == service.name());
        let listed = listed.flat_map(|one| one.list_at(&["subsets"]));
        let listed = listed.flat_map(|subset| subset.list_at(&["addresses"]));
        let mut listed: Vec<&str> = addresses(listed.map(|address| address.at("ip")));
        for texts in [&mut wanted, &mut sliced, &mut listed] {
            texts.sort_unstable();
        }
        if sliced != wanted || listed != wanted {
            let name = service.name();
            return Some(format!(
                "service {name}: {wanted:?} are ready, {sliced:?} and {listed:?} shown"
            ));
        }
    }
    None
}

fn addresses<'a>(values: impl Iterator<Item = &'a Value>) -> Vec<&'a str> {
    values.filter_map(Value::as_str).collect()
}

fn is_ready(pod: &Object) -> bool {
    let conditions = pod.list_at(&["status", "conditions"]);
    let ready = |one: &&Value| one.str_at(&["type"]) == Some("Ready");
    conditions.iter().find(ready).and_then(|one| one.str_at(&["status"])) == Some("True")
}
