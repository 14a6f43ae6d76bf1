//! When a taint evicts a pod.

use std::time::Duration;

use actors_controller::testing::Scene;
use actors_object::{Object, Value, value};

use super::TaintEvictionController;
use crate::{
    kinds::POD,
    scenery::{owned, pod},
};

/// A pod on a node that has been unreachable for 100 s.
fn scene(tolerations: Value) -> Scene {
    let mut scene = Scene::new();
    let added = scene.ago(Duration::from_secs(100));
    let mut pod = pod("p", "web", "ready");
    pod.set_path(&["spec", "tolerations"], tolerations);
    scene.world.put(pod);
    scene.with(value!({
        "apiVersion": "v1", "kind": "Node", "metadata": { "name": "n1" },
        "spec": { "taints": [
            { "key": "node.kubernetes.io/unreachable", "effect": "NoSchedule" },
            { "key": "node.kubernetes.io/unreachable", "effect": "NoExecute", "timeAdded": added },
        ] },
    }))
}

fn toleration(seconds: Option<i64>) -> Value {
    value!([{
        "key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute",
        "tolerationSeconds": seconds,
    }])
}

#[test]
fn a_pod_that_does_not_bear_the_taint_goes_at_once_and_says_why() {
    let scene = scene(value!([]));
    let text = scene.text(&TaintEvictionController, "d/p");
    assert!(text.contains("\"type\":\"DisruptionTarget\",\"status\":\"True\""), "{text}");
    assert!(text.contains("event Pod/p Normal TaintManagerEviction"), "{text}");
    assert!(text.ends_with("delete Pod/p\n"), "{text}");
}

#[test]
fn toleration_seconds_count_from_the_taints_stamp() {
    let mut scene = scene(toleration(Some(300)));
    scene.check(&TaintEvictionController, "d/p", "requeue 200s\n");
    scene.pass(Duration::from_secs(200));
    assert!(scene.text(&TaintEvictionController, "d/p").contains("delete Pod/p"));
}

#[test]
fn a_toleration_without_seconds_is_for_ever() {
    scene(toleration(None)).check(&TaintEvictionController, "d/p", "");
    scene(value!([{ "operator": "Exists" }])).check(&TaintEvictionController, "d/p", "");
}

#[test]
fn another_effect_or_value_is_not_tolerated() {
    let other = value!([{
        "key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoSchedule",
    }]);
    assert!(scene(other).text(&TaintEvictionController, "d/p").contains("delete"));
    let other = value!([{ "key": "node.kubernetes.io/unreachable", "value": "x" }]);
    assert!(scene(other).text(&TaintEvictionController, "d/p").contains("delete"));
}

#[test]
fn finished_and_ending_pods_are_left_alone() {
    let mut scene = scene(value!([]));
    scene.change(&POD, "d/p", |pod| pod.set_path(&["status", "phase"], "Succeeded"));
    scene.check(&TaintEvictionController, "d/p", "");
}

/// What becomes of a pod of this owner's kind on a node that was declared dead just now.
fn fate(kind: &str, edit: impl FnOnce(&mut Object)) -> &'static str {
    let mut scene = Scene::new();
    let now = scene.ago(Duration::ZERO);
    let mut pod = match kind {
        "" => pod("p", "web", "ready"),
        kind => owned(pod("p", "web", "ready"), kind, "web", "o"),
    };
    pod.set_path(&["spec", "tolerations"], toleration(Some(300)));
    edit(&mut pod);
    scene.world.put(pod);
    let scene = scene.with(value!({
        "apiVersion": "v1", "kind": "Node", "metadata": { "name": "n1" },
        "spec": { "taints": [
            { "key": "starling.dev/node-dead", "effect": "NoExecute", "timeAdded": now.as_str() },
            { "key": "node.kubernetes.io/unreachable", "effect": "NoExecute", "timeAdded": now },
        ] },
    }));
    match scene.text(&TaintEvictionController, "d/p") {
        text if text.ends_with("delete Pod/p\n") => "goes",
        text if text == "requeue 300s\n" => "goes later",
        text if text.starts_with("requeue") => "goes as it says itself",
        _ => "stays",
    }
}

#[test]
fn a_dead_node_moves_at_once_what_is_replaced_elsewhere() {
    assert_eq!(fate("ReplicaSet", |_| {}), "goes");
    assert_eq!(fate("StatefulSet", |_| {}), "goes later");
    assert_eq!(fate("", |_| {}), "goes later");
    let fence = |pod: &mut Object| {
        pod.set_path(&["metadata", "annotations", "starling.dev/fence-after"], "30s");
    };
    assert_eq!(fate("StatefulSet", fence), "goes");
}

#[test]
fn who_says_how_long_it_bears_an_unreachable_node_is_left_alone_for_that_time() {
    let own = |seconds| {
        move |pod: &mut Object| pod.set_path(&["spec", "tolerations"], toleration(seconds))
    };
    assert_eq!(fate("ReplicaSet", own(Some(60))), "goes as it says itself");
    assert_eq!(fate("DaemonSet", own(None)), "stays");
    assert_eq!(fate("ReplicaSet", own(None)), "stays");
}
