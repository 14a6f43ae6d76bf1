//! Objects for scenes, and an agent that runs pods in them.

use std::time::Duration;

use actors_controller::testing::Scene;
use actors_core::Rng;
use actors_object::{Object, Value, timefmt, value};

use crate::{kinds::POD, pods};

/// A Deployment of `replicas` pods labelled `app=NAME`, with the given strategy.
pub(crate) fn deployment(name: &str, replicas: i64, strategy: Value) -> Value {
    value!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": name, "namespace": "d", "uid": format!("d-{name}") },
        "spec": {
            "replicas": replicas,
            "selector": { "matchLabels": { "app": name } },
            "strategy": strategy,
            "progressDeadlineSeconds": 600,
            "template": template(name, "v1"),
        },
    })
}

/// The default strategy with other bounds.
pub(crate) fn rolling(surge: impl Into<Value>, unavailable: impl Into<Value>) -> Value {
    value!({
        "type": "RollingUpdate",
        "rollingUpdate": { "maxSurge": surge.into(), "maxUnavailable": unavailable.into() },
    })
}

/// A template of pods labelled `app=NAME` that run `image`.
pub(crate) fn template(name: &str, image: &str) -> Value {
    value!({
        "metadata": { "labels": { "app": name } },
        "spec": { "containers": [{ "name": "main", "image": image }] },
    })
}

/// A ReplicaSet of `replicas` pods labelled `app=NAME`.
pub(crate) fn replica_set(name: &str, replicas: i64) -> Value {
    value!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": { "name": name, "namespace": "d", "uid": format!("rs-{name}") },
        "spec": {
            "replicas": replicas,
            "selector": { "matchLabels": { "app": name } },
            "template": template(name, "v1"),
        },
    })
}

/// A pod labelled `app=APP` without an owner, on node `n1`, in one of the states `pending`,
/// `running`, `ready`, `failed`, `ending`.
pub(crate) fn pod(name: &str, app: &str, state: &str) -> Object {
    let mut pod = Object(value!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": name, "namespace": "d", "uid": format!("pod-{name}"),
            "labels": { "app": app },
        },
        "spec": { "nodeName": "n1", "containers": [{ "name": "main", "image": "v1" }] },
    }));
    match state {
        "pending" => pod.set_status(value!({ "phase": "Pending" })),
        "failed" => pod.set_status(value!({ "phase": "Failed" })),
        "running" => pod.set_status(value!({ "phase": "Running" })),
        _ => set_ready(&mut pod, "2025-12-31T00:00:00Z"),
    }
    if state == "ending" {
        pod.set_deletion_timestamp("2026-01-01T00:00:00Z");
    }
    pod
}

/// The pod, controlled by the owner of this kind, name and uid.
pub(crate) fn owned(mut pod: Object, kind: &str, name: &str, uid: &str) -> Object {
    pod.set_path(
        &["metadata", "ownerReferences"],
        value!([{
            "apiVersion": "apps/v1", "kind": kind, "name": name, "uid": uid,
            "controller": true, "blockOwnerDeletion": true,
        }]),
    );
    pod
}

/// Makes a pod running and ready since `stamp`.
pub(crate) fn set_ready(pod: &mut Object, stamp: &str) {
    pod.set_status(value!({
        "phase": "Running",
        "conditions": [{ "type": "Ready", "status": "True", "lastTransitionTime": stamp }],
    }));
}

/// What an agent does with the pods of a scene.
pub(crate) struct Agent {
    pub(crate) rng: Rng,
    /// Images whose pods never become ready.
    pub(crate) broken: Vec<&'static str>,
    /// In how many of a million steps a pod moves on.
    pub(crate) pace: u32,
}

impl Agent {
    pub(crate) fn new(seed: u64) -> Self {
        Self { rng: Rng::from_number(seed), broken: Vec::new(), pace: 1_000_000 }
    }

    /// One step: pods are bound, become ready, end. Whether anything is still to be done.
    pub(crate) fn step(&mut self, scene: &mut Scene) -> bool {
        let all: Vec<_> = scene
            .world
            .iter()
            .filter(|(key, _)| key.kind == POD)
            .map(|(key, pod)| (key.clone(), pod.clone()))
            .collect();
        let mut busy = false;
        let stamp = timefmt::seconds(scene.now.wall);
        for (key, pod) in all {
            let image = pod.list_at(&["spec", "containers"])[0].str_at(&["image"]);
            let works = image.is_none_or(|image| !self.broken.contains(&image));
            let ends = pod.is_terminating();
            if !ends && (pods::is_ready(&pod) || (pods::node(&pod).is_some() && !works)) {
                continue;
            }
            busy = true;
            if !self.rng.chance(self.pace) {
                continue;
            }
            if ends {
                scene.world.remove(&key);
            } else if pods::node(&pod).is_none() {
                scene.world.change(&key, |pod| pod.set_path(&["spec", "nodeName"], "n1"));
            } else {
                scene.world.change(&key, |pod| set_ready(pod, &stamp));
            }
        }
        busy
    }
}

/// Lets a second pass; for loops that wait for time.
pub(crate) fn tick(scene: &mut Scene) {
    scene.pass(Duration::from_secs(1));
}
