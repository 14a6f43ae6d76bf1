//! How a namespace ends.

use actors_controller::testing::Scene;
use actors_object::value;

use super::NamespaceController;
use crate::{
    conditions,
    kinds::{NAMESPACE, POD},
    scenery::{Agent, pod},
};

fn ending() -> Scene {
    let mut scene = Scene::new()
        .with(value!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": { "name": "d", "uid": "ns", "deletionTimestamp": "2026-01-01T00:00:00Z" },
            "spec": { "finalizers": ["kubernetes"] },
        }))
        .with(value!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "c", "namespace": "d" },
        }))
        .with(pod("p", "web", "ready"));
    scene.world.serve(&crate::kinds::SERVICE, true);
    scene
}

fn plan(scene: &Scene) -> Vec<String> {
    let text = scene.text(&NamespaceController, "d");
    text.lines().filter(|line| !line.starts_with("status")).map(str::to_owned).collect()
}

#[test]
fn pods_go_first_then_the_rest_then_the_namespace() {
    let mut scene = ending();
    assert_eq!(plan(&scene), ["delete Pod/p", "requeue 5s"]);
    scene.round(&NamespaceController);
    assert_eq!(plan(&scene), ["requeue 5s"], "the pod is ending on its node");
    let namespace = scene.get(&NAMESPACE, "d").expect("the namespace");
    let remaining = conditions::find(&namespace, "NamespaceContentRemaining").expect("it");
    assert_eq!(remaining.str_at(&["status"]), Some("True"));
    assert_eq!(remaining.str_at(&["message"]), Some("Remaining: ConfigMap 1, Pod 1."));
    scene.world.remove(&actors_controller::Key::new(&POD, "d", "p"));
    assert_eq!(plan(&scene), ["delete ConfigMap/c", "requeue 5s"]);
    scene.round(&NamespaceController);
    assert_eq!(plan(&scene), ["finalize Namespace/d"]);
    scene.round(&NamespaceController);
    assert!(scene.get(&NAMESPACE, "d").is_none());
}

#[test]
fn finalizers_of_what_is_inside_are_told_and_respected() {
    let mut scene = ending();
    scene.change(&POD, "d/p", |pod| pod.set_finalizers(["demo.dev/hold"]));
    let mut agent = Agent::new(1);
    agent.pace = 0;
    for _ in 0..5 {
        scene.round(&NamespaceController);
    }
    let namespace = scene.get(&NAMESPACE, "d").expect("it waits");
    let remaining = conditions::find(&namespace, "NamespaceFinalizersRemaining").expect("it");
    assert_eq!(remaining.str_at(&["message"]), Some("Remaining: demo.dev/hold."));
}

#[test]
fn a_living_namespace_is_active_and_nothing_in_it_is_touched() {
    let scene = Scene::new()
        .with(value!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "d" } }))
        .with(pod("p", "web", "ready"));
    scene.check(&NamespaceController, "d", "status Namespace/d phase=Active\n");
}
