//! When a taint evicts a pod.

use std::time::Duration;

use actors_controller::testing::Scene;
use actors_object::{Value, value};

use super::TaintEvictionController;
use crate::{kinds::POD, scenery::pod};

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
