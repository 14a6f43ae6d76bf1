//! What a node's conditions do to it and its pods.

use actors_controller::testing::Scene;
use actors_object::{Value, value};

use super::NodeLifecycleController;
use crate::{
    conditions,
    kinds::{NODE, POD},
    scenery::pod,
};

fn scene(ready: &str, spec: Value) -> Scene {
    let mut node = value!({
        "apiVersion": "v1", "kind": "Node", "metadata": { "name": "n1" },
        "status": { "conditions": [
            { "type": "Ready", "status": ready },
            { "type": "DiskPressure", "status": "False" },
        ] },
    });
    node.set_path(&["spec"], spec);
    Scene::new().with(node).with(pod("p", "web", "ready"))
}

fn taints(scene: &mut Scene) -> Vec<String> {
    scene.settle(&[&NodeLifecycleController]).expect("rest");
    let node = scene.get(&NODE, "n1").expect("the node");
    let text = |taint: &Value, field: &str| taint.str_at(&[field]).unwrap_or("-").to_owned();
    let list = node.list_at(&["spec", "taints"]).iter();
    list.map(|one| {
        format!("{}:{} {}", text(one, "key"), text(one, "effect"), text(one, "timeAdded"))
    })
    .collect()
}

#[test]
fn a_ready_node_has_no_taint_and_others_taints_are_kept() {
    let spec = value!({ "taints": [
        { "key": "node.kubernetes.io/not-ready", "effect": "NoSchedule" },
        { "key": "demo.dev/gpu", "effect": "NoSchedule" },
    ] });
    assert_eq!(taints(&mut scene("True", spec)), ["demo.dev/gpu:NoSchedule -"]);
}

#[test]
fn a_node_that_is_not_ready_or_unknown_is_tainted_with_a_stamp() {
    assert_eq!(
        taints(&mut scene("False", value!({}))),
        [
            "node.kubernetes.io/not-ready:NoSchedule -",
            "node.kubernetes.io/not-ready:NoExecute 2026-01-01T00:00:00Z",
        ]
    );
    assert_eq!(
        taints(&mut scene("Unknown", value!({}))),
        [
            "node.kubernetes.io/unreachable:NoSchedule -",
            "node.kubernetes.io/unreachable:NoExecute 2026-01-01T00:00:00Z",
        ]
    );
}

#[test]
fn pressure_and_cordoning_keep_new_pods_away() {
    let mut scene = scene("True", value!({ "unschedulable": true }));
    scene.change(&NODE, "n1", |node| {
        let conditions = value!([
            { "type": "Ready", "status": "True" },
            { "type": "DiskPressure", "status": "True" },
        ]);
        node.set_path(&["status", "conditions"], conditions);
    });
    assert_eq!(
        taints(&mut scene),
        [
            "node.kubernetes.io/disk-pressure:NoSchedule -",
            "node.kubernetes.io/unschedulable:NoSchedule -",
        ]
    );
}

#[test]
fn an_evicting_taint_of_a_user_gets_its_stamp() {
    let spec = value!({ "taints": [{ "key": "a", "effect": "NoExecute" }] });
    assert_eq!(taints(&mut scene("True", spec)), ["a:NoExecute 2026-01-01T00:00:00Z"]);
}

#[test]
fn pods_of_an_unknown_node_are_not_ready() {
    for (state, expected) in [("Unknown", "False"), ("False", "True"), ("True", "True")] {
        let mut scene = scene(state, value!({}));
        scene.settle(&[&NodeLifecycleController]).expect("rest");
        let pod = scene.get(&POD, "d/p").expect("the pod");
        assert!(conditions::is(&pod, "Ready", expected), "node Ready={state}");
    }
}

#[test]
fn a_dead_node_is_unreachable_whatever_it_says_until_its_taint_is_taken_away() {
    let spec = value!({ "taints": [
        { "key": "starling.dev/node-dead", "effect": "NoExecute", "timeAdded": "2026-01-01T00:00:00Z" },
    ] });
    assert_eq!(
        taints(&mut scene("True", spec)),
        [
            "starling.dev/node-dead:NoExecute 2026-01-01T00:00:00Z",
            "node.kubernetes.io/unreachable:NoSchedule -",
            "node.kubernetes.io/unreachable:NoExecute 2026-01-01T00:00:00Z",
        ]
    );
}

#[test]
fn nothing_evicts_while_most_nodes_are_silent() {
    let mut scene = scene("Unknown", value!({}));
    let sibling = |name: &str, ready: &str| {
        value!({
            "apiVersion": "v1", "kind": "Node", "metadata": { "name": name },
            "status": { "conditions": [{ "type": "Ready", "status": ready }] },
        })
    };
    for name in ["n2", "n3"] {
        scene = scene.with(sibling(name, "Unknown"));
    }
    for name in ["n4", "n5"] {
        scene = scene.with(sibling(name, "True"));
    }
    assert_eq!(taints(&mut scene), ["node.kubernetes.io/unreachable:NoSchedule -"]);
    // One comes back: it is likelier now that the others are dead.
    scene.change(&NODE, "n2", |node| {
        *node = actors_object::Object(sibling("n2", "True"));
        node.set_uid("n2");
    });
    assert_eq!(taints(&mut scene).len(), 2);
}
