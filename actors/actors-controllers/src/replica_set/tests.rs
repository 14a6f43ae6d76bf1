//! What a ReplicaSet does with its pods.

use std::time::Duration;

use actors_controller::{Refusal, testing::Scene};
use actors_object::{Object, value};

use super::{ReplicaSetController, ReplicationController};
use crate::{
    kinds::{POD, REPLICA_SET},
    scenery::{Agent, owned, pod, replica_set, set_ready, template},
};

fn mine(name: &str, state: &str) -> Object {
    owned(pod(name, "web", state), "ReplicaSet", "web", "rs-web")
}

#[track_caller]
fn check(scene: &Scene, expected: &str) {
    scene.check(&ReplicaSetController, "d/web", expected);
}

#[test]
fn pods_are_made_in_growing_batches() {
    let mut scene = Scene::new().with(replica_set("web", 10));
    let mut batches = Vec::new();
    for _ in 0..5 {
        let key = actors_controller::Key::new(&REPLICA_SET, "d", "web");
        let plan = scene.plan(&ReplicaSetController, &key);
        batches
            .push(plan.items.iter().filter(|item| item.to_string().starts_with("create")).count());
        scene.apply(plan);
    }
    assert_eq!(batches, [1, 2, 4, 3, 0]);
}

#[test]
fn a_pod_is_made_from_the_template_with_its_owner() {
    let mut set = replica_set("web", 1);
    set.set_path(&["spec", "template", "metadata", "annotations", "a/b"], "c");
    let mut scene = Scene::new().with(set);
    scene.settle(&[&ReplicaSetController]).expect("rest");
    let pods: Vec<_> = scene.world.iter().filter(|(key, _)| key.kind == POD).collect();
    let pod = pods[0].1;
    assert!(pod.name().starts_with("web-") && pod.name().len() == 9, "{}", pod.name());
    assert_eq!(pod.label("app"), Some("web"));
    assert_eq!(pod.annotation("a/b"), Some("c"));
    assert_eq!(pod.spec(), template("web", "v1").at("spec"));
    let owner = pod.controller_of().expect("an owner");
    assert_eq!((owner.uid.as_str(), owner.block_owner_deletion), ("rs-web", true));
}

#[test]
fn finished_and_ending_pods_are_replaced() {
    let scene = Scene::new()
        .with(replica_set("web", 3))
        .with(mine("a", "ready"))
        .with(mine("b", "failed"))
        .with(mine("c", "ending"));
    check(
        &scene,
        "create Pod/web-*\ncreate Pod/web-*\nstatus ReplicaSet/web replicas=1 \
         fullyLabeledReplicas=1 readyReplicas=1 availableReplicas=1 terminatingReplicas=1 \
         observedGeneration=1\n",
    );
}

#[test]
fn the_most_dispensable_pods_go_first() {
    let mut cheap = mine("cheap", "ready");
    cheap.set_annotation("controller.kubernetes.io/pod-deletion-cost", "-1");
    let mut young = mine("young", "ready");
    set_ready(&mut young, "2025-12-31T23:59:59Z");
    let mut unassigned = mine("unassigned", "pending");
    unassigned.remove_path(&["spec", "nodeName"]);
    let mut alone = mine("alone", "ready");
    alone.set_path(&["spec", "nodeName"], "n2");
    let base = Scene::new()
        .with(cheap)
        .with(young)
        .with(unassigned)
        .with(alone)
        .with(mine("starting", "pending"))
        .with(mine("unready", "running"))
        .with(mine("old", "ready"));
    let order = ["unassigned", "starting", "unready", "cheap", "young", "old", "alone"];
    for keep in 0..7 {
        let scene = base.clone().with(replica_set("web", 7 - keep));
        let text = scene.text(&ReplicaSetController, "d/web");
        let deleted: Vec<&str> =
            text.lines().filter_map(|line| line.strip_prefix("delete Pod/")).collect();
        assert_eq!(deleted, order[..usize::try_from(keep).expect("small")], "keeping {}", 7 - keep);
    }
}

#[test]
fn pods_without_an_owner_are_adopted_and_strays_are_released() {
    let scene = Scene::new()
        .with(replica_set("web", 1))
        .with(pod("orphan", "web", "ready"))
        .with(owned(pod("stray", "other", "ready"), "ReplicaSet", "web", "rs-web"))
        .with(owned(pod("foreign", "web", "ready"), "ReplicaSet", "x", "rs-x"));
    check(
        &scene,
        "patch Pod/orphan metadata.ownerReferences=[{\"apiVersion\":\"apps/v1\",\
         \"kind\":\"ReplicaSet\",\"name\":\"web\",\"uid\":\"rs-web\",\"controller\":true,\
         \"blockOwnerDeletion\":true}]\n\
         patch Pod/stray metadata.ownerReferences=null\n\
         status ReplicaSet/web replicas=1 fullyLabeledReplicas=1 readyReplicas=1 \
         availableReplicas=1 observedGeneration=1\n",
    );
}

#[test]
fn a_set_that_is_being_deleted_makes_and_adopts_nothing() {
    let mut set = replica_set("web", 3);
    set.set_path(&["metadata", "deletionTimestamp"], "2026-01-01T00:00:00Z");
    let scene = Scene::new().with(set).with(pod("orphan", "web", "ready"));
    check(&scene, "status ReplicaSet/web replicas=0 observedGeneration=1\n");
}

#[test]
fn a_pod_is_available_after_min_ready_seconds() {
    let mut set = replica_set("web", 1);
    set.set_path(&["spec", "minReadySeconds"], 10);
    let mut fresh = mine("a", "ready");
    set_ready(&mut fresh, "2026-01-01T00:00:00Z");
    let mut scene = Scene::new().with(set).with(fresh);
    scene.pass(Duration::from_secs(4));
    check(
        &scene,
        "status ReplicaSet/web replicas=1 fullyLabeledReplicas=1 readyReplicas=1 \
         observedGeneration=1\nrequeue 6s\n",
    );
    scene.pass(Duration::from_secs(6));
    assert!(scene.text(&ReplicaSetController, "d/web").contains("availableReplicas=1"));
}

#[test]
fn a_refused_pod_shows_as_a_condition_until_the_set_is_whole() {
    let mut scene = Scene::new().with(replica_set("web", 1));
    let set = scene.get(&REPLICA_SET, "d/web").expect("the set");
    let refusal = Refusal {
        item: "create Pod/web-*".into(),
        code: 403,
        reason: "Forbidden".into(),
        message: "exceeded quota".into(),
        cause: String::new(),
    };
    let controller: &dyn actors_controller::Controller = &ReplicaSetController;
    let plan = controller.refused(&set, &[refusal], &scene.world, scene.now);
    scene.apply(plan);
    let set = scene.get(&REPLICA_SET, "d/web").expect("the set");
    let condition = crate::conditions::find(&set, "ReplicaFailure").expect("the condition");
    assert_eq!(condition.str_at(&["reason"]), Some("FailedCreate"));
    let mut agent = Agent::new(1);
    scene.settle_with(&[controller], |scene| agent.step(scene)).expect("rest");
    let set = scene.get(&REPLICA_SET, "d/web").expect("the set");
    assert_eq!(
        set.status(),
        &value!({
            "replicas": 1, "fullyLabeledReplicas": 1, "readyReplicas": 1, "availableReplicas": 1,
            "observedGeneration": 1,
        })
    );
}

#[test]
fn a_selector_that_would_match_everything_is_rejected() {
    let mut set = replica_set("web", 1);
    set.set_path(&["spec", "selector"], value!({}));
    let scene = Scene::new().with(set);
    check(&scene, "reject spec.selector: must be a selector that is not empty\n");
}

#[test]
fn a_fenced_pod_keeps_its_place_until_it_has_ended() {
    let fenced = |name: &str, state: &str| {
        let mut pod = mine(name, state);
        pod.set_path(&["metadata", "annotations", "starling.dev/fence-after"], "30s");
        pod
    };
    let makes = |scene: &Scene| {
        let text = scene.text(&ReplicaSetController, "d/web");
        text.lines().filter(|line| line.starts_with("create")).count()
    };
    let scene = Scene::new().with(replica_set("web", 1)).with(fenced("a", "ending"));
    assert_eq!(makes(&scene), 0, "it may still run");
    let mut scene = Scene::new().with(replica_set("web", 3)).with(fenced("a", "ending"));
    scene.world.put(fenced("b", "ready"));
    assert_eq!(makes(&scene), 1, "one place is free");
    scene.change(&POD, "d/a", |pod| pod.set_path(&["status", "phase"], "Failed"));
    assert_eq!(makes(&scene), 2, "it has finished");
}

#[test]
fn a_replication_controller_does_the_same_by_labels_alone() {
    let mut set = Object(replica_set("web", 2));
    set.set_path(&["apiVersion"], "v1");
    set.set_path(&["kind"], "ReplicationController");
    set.set_path(&["spec", "selector"], value!({ "app": "web" }));
    let stray = owned(pod("stray", "other", "ready"), "ReplicationController", "web", "rs-web");
    let scene = Scene::new().with(set).with(pod("orphan", "web", "ready")).with(stray);
    let text = scene.text(&ReplicationController, "d/web");
    let lines: Vec<&str> =
        text.lines().map(|line| line.split('=').next().unwrap_or(line)).collect();
    assert_eq!(
        lines,
        [
            "patch Pod/orphan metadata.ownerReferences",
            "patch Pod/stray metadata.ownerReferences",
            "create Pod/web-*",
            "status ReplicationController/web replicas",
        ]
    );
}
