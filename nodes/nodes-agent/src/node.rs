//! The Node object: registers it, keeps its conditions and images true.
//!
//! Way in: [`run`], the service.  Writes: the Node and its status, its Lease; only when something
//! changed, for a heartbeat is not stored: `lastHeartbeatTime` is the last transition.
//! Order: a node that the API does not know to be ready says so only after it has read which pods
//! are its own, and nothing runs any more of those that are not, or that were marked for deletion:
//! they may have been replaced meanwhile.

pub(crate) mod readings;
mod status;

use std::{sync::Arc, time::Duration};

use actors_object::{ApiError, Object, Value, timefmt, value};
use actors_runtime::{Failure, Service};
use nodes_door::{PatchKind, Target, Verb};

use crate::{
    blocking::off_loop,
    mirror::pause,
    neighbours::is_ready,
    shared::{Shared, target},
};
use nodes_pods::PodEvent;

/// From one reading to the next.
const LOOK: Duration = Duration::from_secs(2);
/// Every so often it is looked whether the API still has what it was told.
const LOOKS_PER_CHECK: u32 = 5;
/// The pause after the API could not be reached.
const RETRY: Duration = Duration::from_millis(500);

/// The service.
pub(crate) async fn run(shared: Arc<Shared>, service: Service) -> Result<(), Failure> {
    let mut told = status::Told::default();
    let mut reading = readings::Reading::default();
    let mut registered = false;
    let mut looks = 0;
    let mut doubted = false;
    let (data, pods_max) = (shared.config.data.clone(), shared.config.pods_max);
    let machine = off_loop(move || readings::machine(&data, pods_max)).await?;
    loop {
        let (kept, before) = (Arc::clone(&shared), reading);
        let stamp = before.images_stamp;
        reading = off_loop(move || readings::read(&kept, before)).await?;
        if stamp != reading.images_stamp && registered {
            images_changed(&shared);
        }
        let wanted = status::status(&shared, &machine, &reading, &mut told);
        looks = (looks + 1) % LOOKS_PER_CHECK;
        let is_new = told.is_new(&wanted);
        let is_due = is_new || looks == 0 || doubted;
        doubted = false;
        let step = async {
            match registered {
                false => register(&shared, &wanted).await,
                true if is_due => check(&shared, (&wanted, is_new)).await,
                true => Ok(()),
            }
        };
        let done = tokio::select! {
            () = service.stopping() => return Ok(()),
            done = step => done,
        };
        let wait = match done {
            Ok(()) => {
                registered = true;
                told.accepted(wanted);
                LOOK
            }
            // Someone deleted the node: it is registered again.
            Err(error) if error.code == 404 => {
                registered = false;
                RETRY
            }
            Err(error) => {
                tracing::debug!(%error, "the node's status");
                RETRY
            }
        };
        tokio::select! {
            is_stopping = pause(&service, wait) => if is_stopping {
                return Ok(());
            },
            () = shared.doubted.notified() => doubted = true,
        }
    }
}

/// Waits until nothing runs any more of pods that are not this node's, by a list that begins now.
async fn settle(shared: &Shared) {
    shared.lists.fresh().await;
    loop {
        let released = shared.released.notified();
        if !shared.pods.all().iter().any(|record| record.is_doomed()) {
            return;
        }
        // A pod may also turn out not to be there.
        tokio::time::timeout(LOOK, released).await.unwrap_or_default();
    }
}

/// Pods that wait for an image look again.
fn images_changed(shared: &Shared) {
    let Some(slab) = shared.slab.get() else { return };
    for record in shared.pods.all().iter().filter(|record| !record.is_finalized()) {
        // A pod that does not listen looks again by itself before long.
        if slab.try_tell(&record.key.to_string(), PodEvent::ImagesChanged).is_err() {
            tracing::trace!(pod = %record.key, "does not hear of images");
        }
    }
}

async fn register(shared: &Shared, status: &Value) -> Result<(), ApiError> {
    let config = &shared.config;
    let mut labels = value!({
        "kubernetes.io/arch": readings::architecture(),
        "kubernetes.io/hostname": config.node.as_str(),
        "kubernetes.io/os": "linux",
        "beta.kubernetes.io/arch": readings::architecture(),
        "beta.kubernetes.io/os": "linux",
    });
    for (name, text) in &config.labels {
        labels.make_map().insert(name.as_str(), text.as_str());
    }
    let range = config.pod_range.to_string();
    let mut node = value!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": { "name": config.node.as_str(), "labels": labels.clone() },
        "spec": { "podCIDR": range.as_str(), "podCIDRs": [range.as_str()] },
    });
    if !config.taints.is_empty() {
        node.set_path(&["spec", "taints"], config.taints.clone());
    }
    let nodes = |name| target("", "v1", "nodes", None, name);
    match shared.calls.create(nodes(None), &node).await {
        Ok(_) => {}
        // An earlier life registered it; its labels may have changed since.
        Err(error) if error.code == 409 => {
            let patch = value!({ "metadata": { "labels": labels } });
            let node = shared.calls.merge(nodes(Some(&config.node)), &patch).await?;
            taint(shared, &node).await?;
        }
        Err(error) => return Err(error),
    }
    check(shared, (status, true)).await?;
    lease(shared).await
}

/// A node that was made for this machine when it joined, and has never said how it is, gets the taints
/// that it should begin with; those of any other are its administrators'.
async fn taint(shared: &Shared, node: &Object) -> Result<(), ApiError> {
    let begins = node.0.list_at(&["status", "conditions"]).is_empty();
    let mut taints = node.0.list_at(&["spec", "taints"]).to_vec();
    let before = taints.len();
    for taint in shared.config.taints.iter().filter(|_| begins) {
        let same = |known: &Value| ["key", "effect"].iter().all(|at| known.at(at) == taint.at(at));
        if !taints.iter().any(same) {
            taints.push(taint.clone());
        }
    }
    if taints.len() == before {
        return Ok(());
    }
    let patch = value!({ "spec": { "taints": Value::List(taints) } });
    let place = target("", "v1", "nodes", None, Some(&shared.config.node));
    shared.calls.merge(place, &patch).await.map(drop)
}

/// Says what is new, and says it again if someone else has marked the node; an error 404 if someone
/// deleted it.
async fn check(shared: &Shared, (status, is_new): (&Value, bool)) -> Result<(), ApiError> {
    let node = shared.calls.get(target("", "v1", "nodes", None, Some(&shared.config.node))).await?;
    let ready = is_ready(&node);
    if !ready {
        settle(shared).await;
    }
    if ready && !is_new {
        return Ok(());
    }
    let mut place = target("", "v1", "nodes", None, Some(&shared.config.node));
    place.subresource = Some("status".to_owned());
    // Whoever gives the node up meanwhile is not overruled: it is looked at again.
    let seen = value!({ "resourceVersion": node.resource_version() });
    let patch = value!({ "metadata": seen, "status": status.clone() });
    let request = shared.calls.request(Verb::Patch(PatchKind::Strategic), place, Some(&patch));
    shared.calls.call(request).await.into_object().map(drop)
}

/// The node's Lease, once: its renewals are not stored.
async fn lease(shared: &Shared) -> Result<(), ApiError> {
    let node = shared.config.node.as_str();
    let lease = value!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": { "name": node, "namespace": "kube-node-lease" },
        "spec": {
            "holderIdentity": node,
            "leaseDurationSeconds": 40,
            "renewTime": timefmt::micros(shared.clock.now().wall),
        },
    });
    let place: Target =
        target("coordination.k8s.io", "v1", "leases", Some("kube-node-lease"), None);
    match shared.calls.create(place, &lease).await {
        Err(error) if error.code != 409 => Err(error),
        _ => Ok(()),
    }
}
