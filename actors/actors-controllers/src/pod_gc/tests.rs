//! Which pods nobody will end.

use std::time::Duration;

use actors_controller::testing::Scene;
use actors_object::value;

use super::PodGcController;
use crate::{
    kinds::{NODE, POD},
    scenery::pod,
};

#[test]
fn a_pod_of_a_node_that_is_gone_fails_and_goes_after_its_quarantine() {
    let mut scene = Scene::new().with(pod("p", "web", "ready"));
    scene.pass(Duration::from_secs(3_600));
    scene.settle(&[&PodGcController]).expect("rest");
    scene.check(&PodGcController, "d/p", "requeue 40s\n");
    scene.pass(Duration::from_secs(40));
    let text = scene.text(&PodGcController, "d/p");
    assert!(text.contains("phase=Failed"), "{text}");
    assert!(text.ends_with("delete Pod/p grace=0\n"), "{text}");
}

#[test]
fn an_ending_pod_goes_when_its_node_is_out_of_service() {
    let mut scene = Scene::new().with(pod("p", "web", "ending")).with(value!({
        "apiVersion": "v1", "kind": "Node", "metadata": { "name": "n1" },
    }));
    scene.check(&PodGcController, "d/p", "");
    scene.change(&NODE, "n1", |node| {
        let taints =
            value!([{ "key": "node.kubernetes.io/out-of-service", "effect": "NoExecute" }]);
        node.set_path(&["spec", "taints"], taints);
    });
    assert!(scene.text(&PodGcController, "d/p").ends_with("delete Pod/p grace=0\n"));
}

#[test]
fn an_ending_pod_without_a_node_goes() {
    let mut pod = pod("p", "web", "ending");
    pod.remove_path(&["spec", "nodeName"]);
    Scene::new().with(pod).check(&PodGcController, "d/p", "delete Pod/p grace=0\n");
}

#[test]
fn a_node_that_is_registered_again_in_time_keeps_its_pods() {
    let mut scene = Scene::new().with(pod("p", "web", "ready"));
    let before = scene.get(&POD, "d/p").expect("the pod");
    scene.settle(&[&PodGcController]).expect("rest");
    scene.pass(Duration::from_secs(39));
    scene.world.put(actors_object::Object(value!({
        "apiVersion": "v1", "kind": "Node", "metadata": { "name": "n1" },
    })));
    scene.settle(&[&PodGcController]).expect("rest");
    assert_eq!(scene.get(&POD, "d/p").expect("the pod").status(), before.status());
}

#[test]
fn a_fenced_pod_of_a_node_that_is_gone_is_left_to_who_knows_its_deadline() {
    let mut fenced = pod("p", "web", "ready");
    fenced.set_path(&["metadata", "annotations", "starling.dev/fence-after"], "30s");
    let mut scene = Scene::new().with(fenced);
    scene.settle(&[&PodGcController]).expect("rest");
    scene.pass(Duration::from_secs(3_600));
    scene.check(&PodGcController, "d/p", "");
    scene.change(&POD, "d/p", |pod| pod.set_path(&["status", "phase"], "Failed"));
    scene.check(&PodGcController, "d/p", "delete Pod/p grace=0\n");
}
