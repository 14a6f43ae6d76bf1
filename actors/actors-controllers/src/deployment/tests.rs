//! What a Deployment does with its sets.

use std::{sync::Arc, time::Duration};

use actors_controller::testing::Scene;
use actors_object::{Object, Value, value};

use super::{DeploymentController, REVISION};
use crate::{
    ReplicaSetController, conditions,
    kinds::{DEPLOYMENT, POD, REPLICA_SET},
    scenery::{Agent, deployment, rolling},
};

/// A Deployment `web` of `replicas`, rolled out.
fn rolled_out(replicas: i64, strategy: Value) -> Scene {
    let mut scene = Scene::new().with(deployment("web", replicas, strategy));
    settle(&mut scene);
    scene
}

fn settle(scene: &mut Scene) {
    let mut agent = Agent::new(1);
    scene
        .settle_with(&[&DeploymentController, &ReplicaSetController], |scene| {
            crate::scenery::tick(scene);
            agent.step(scene)
        })
        .expect("the controllers come to rest");
}

fn set_image(scene: &mut Scene, image: &str) {
    scene.change(&DEPLOYMENT, "d/web", |object| {
        let containers = value!([{ "name": "main", "image": image }]);
        object.set_path(&["spec", "template", "spec", "containers"], containers);
    });
}

fn scale(scene: &mut Scene, replicas: i64) {
    scene.change(&DEPLOYMENT, "d/web", |object| object.set_path(&["spec", "replicas"], replicas));
}

fn sets(scene: &Scene) -> Vec<Arc<Object>> {
    let all = scene.world.iter().filter(|(key, _)| key.kind == REPLICA_SET);
    let mut sets: Vec<_> = all.map(|(_, set)| set.clone()).collect();
    sets.sort_by_key(|set| set.annotation(REVISION).and_then(|text| text.parse::<u32>().ok()));
    sets
}

/// `revision:replicas` of each set.
fn shape(scene: &Scene) -> String {
    let part = |set: &Arc<Object>| {
        let replicas = set.i64_at(&["spec", "replicas"]).unwrap_or(-1);
        format!("{}:{replicas}", set.annotation(REVISION).unwrap_or("?"))
    };
    sets(scene).iter().map(part).collect::<Vec<_>>().join(" ")
}

fn condition(scene: &Scene, kind: &str) -> String {
    let web = scene.get(&DEPLOYMENT, "d/web").expect("the deployment");
    let found = conditions::find(&web, kind);
    found.map_or_else(String::new, |one| {
        let text = |field: &str| one.str_at(&[field]).unwrap_or_default().to_owned();
        format!("{} {}", text("status"), text("reason"))
    })
}

fn step(scene: &mut Scene) {
    scene.round(&DeploymentController);
}

#[test]
fn a_new_deployment_makes_one_set_and_says_how_it_stands() {
    let mut scene = Scene::new().with(deployment("web", 3, rolling("25%", "25%")));
    step(&mut scene);
    let set = sets(&scene).remove(0);
    let hash = set.label("pod-template-hash").expect("a hash").to_owned();
    assert_eq!(set.name(), format!("web-{hash}"));
    assert_eq!(set.str_at(&["spec", "selector", "matchLabels", "pod-template-hash"]), Some(&*hash));
    let labels = set.path(&["spec", "template", "metadata", "labels"]).expect("labels");
    assert_eq!(labels, &value!({ "app": "web", "pod-template-hash": hash.as_str() }));
    assert_eq!(set.annotation("deployment.kubernetes.io/desired-replicas"), Some("3"));
    assert_eq!(set.annotation("deployment.kubernetes.io/max-replicas"), Some("4"));
    assert_eq!(condition(&scene, "Progressing"), "True NewReplicaSetCreated");
    assert_eq!(condition(&scene, "Available"), "False MinimumReplicasUnavailable");
    settle(&mut scene);
    assert_eq!(condition(&scene, "Progressing"), "True NewReplicaSetAvailable");
    assert_eq!(condition(&scene, "Available"), "True MinimumReplicasAvailable");
    let web = scene.get(&DEPLOYMENT, "d/web").expect("the deployment");
    assert_eq!(web.annotation(REVISION), Some("1"));
    assert_eq!(web.i64_at(&["status", "observedGeneration"]), Some(1));
    for field in ["replicas", "updatedReplicas", "readyReplicas", "availableReplicas"] {
        assert_eq!(web.i64_at(&["status", field]), Some(3), "{field}");
    }
    assert_eq!(web.status().at("unavailableReplicas"), &Value::Null);
}

#[test]
fn surge_rounds_up_and_unavailable_rounds_down() {
    let mut scene = rolled_out(10, rolling("25%", "25%"));
    set_image(&mut scene, "v2");
    step(&mut scene);
    assert_eq!(shape(&scene), "1:10 2:3");
    step(&mut scene);
    assert_eq!(shape(&scene), "1:8 2:3");
}

#[test]
fn when_both_bounds_are_zero_one_pod_may_be_missing() {
    let mut scene = rolled_out(3, rolling(0, "10%"));
    set_image(&mut scene, "v2");
    step(&mut scene);
    step(&mut scene);
    assert_eq!(shape(&scene), "1:2 2:0");
    settle(&mut scene);
    assert_eq!(shape(&scene), "1:0 2:3");
}

#[test]
fn unhealthy_old_pods_go_first() {
    let mut scene = rolled_out(4, rolling(1, 1));
    let first = scene.world.iter().find(|(key, _)| key.kind == POD).map(|(key, _)| key.clone());
    scene.world.change(&first.expect("a pod"), |pod| {
        pod.set_path(&["status", "conditions"], value!([{ "type": "Ready", "status": "False" }]));
    });
    scene.round(&ReplicaSetController);
    set_image(&mut scene, "v2");
    step(&mut scene);
    step(&mut scene);
    assert_eq!(shape(&scene), "1:3 2:1");
}

#[test]
fn recreate_ends_all_old_pods_before_it_makes_new_ones() {
    let mut scene = rolled_out(3, value!({ "type": "Recreate" }));
    set_image(&mut scene, "v2");
    step(&mut scene);
    assert_eq!(shape(&scene), "1:0");
    scene.round(&ReplicaSetController);
    step(&mut scene);
    assert_eq!(shape(&scene), "1:0", "three old pods are still ending");
    settle(&mut scene);
    assert_eq!(shape(&scene), "1:0 2:3");
}

#[test]
fn recreate_waits_until_an_old_sets_controller_knows_that_it_is_to_make_no_more() {
    let mut scene = rolled_out(1, value!({ "type": "Recreate" }));
    set_image(&mut scene, "v2");
    settle(&mut scene);
    assert_eq!(shape(&scene), "1:0 2:1");
    // The new set's controller is about to make a pod, by what it saw before the next update.
    let second = sets(&scene)[1].name().to_owned();
    scene.change(&REPLICA_SET, &format!("d/{second}"), |set| {
        set.set_path(&["status"], value!({ "observedGeneration": 0 }));
    });
    let pods: Vec<_> = scene.world.iter().filter(|(key, _)| key.kind == POD).collect();
    let pods: Vec<_> = pods.into_iter().map(|(key, _)| key.clone()).collect();
    pods.iter().for_each(|key| scene.world.remove(key));
    set_image(&mut scene, "v3");
    step(&mut scene);
    step(&mut scene);
    assert_eq!(shape(&scene), "1:0 2:0", "it may still make one");
    settle(&mut scene);
    assert_eq!(shape(&scene), "1:0 2:0 3:1");
}

#[test]
fn a_paused_deployment_scales_but_does_not_roll_out() {
    let mut scene = rolled_out(3, rolling(1, 0));
    scene.change(&DEPLOYMENT, "d/web", |web| web.set_path(&["spec", "paused"], true));
    set_image(&mut scene, "v2");
    scale(&mut scene, 5);
    settle(&mut scene);
    assert_eq!(shape(&scene), "1:5");
    assert_eq!(condition(&scene, "Progressing"), "Unknown DeploymentPaused");
    scene.change(&DEPLOYMENT, "d/web", |web| web.set_path(&["spec", "paused"], false));
    step(&mut scene);
    assert_eq!(shape(&scene), "1:5 2:1");
    settle(&mut scene);
    assert_eq!(shape(&scene), "1:0 2:5");
    assert_eq!(condition(&scene, "Progressing"), "True NewReplicaSetAvailable");
}

#[test]
fn an_earlier_template_brings_its_set_back_with_a_new_revision() {
    let mut scene = rolled_out(2, rolling(1, 0));
    set_image(&mut scene, "v2");
    settle(&mut scene);
    assert_eq!(shape(&scene), "1:0 2:2");
    set_image(&mut scene, "v1");
    settle(&mut scene);
    assert_eq!(shape(&scene), "2:0 3:2");
    let history =
        sets(&scene)[1].annotation("deployment.kubernetes.io/revision-history").map(str::to_owned);
    assert_eq!(history.as_deref(), Some("1"));
    let web = scene.get(&DEPLOYMENT, "d/web").expect("the deployment");
    assert_eq!(web.annotation(REVISION), Some("3"));
}

#[test]
fn a_rollover_leaves_the_set_that_was_on_its_way() {
    let mut scene = rolled_out(4, rolling(1, 1));
    set_image(&mut scene, "v2");
    step(&mut scene);
    scene.round(&ReplicaSetController);
    set_image(&mut scene, "v3");
    settle(&mut scene);
    assert_eq!(shape(&scene), "1:0 2:0 3:4");
}

#[test]
fn sets_are_scaled_in_proportion() {
    // The example of the documentation: 10 replicas, 3 may surge, 2 may be missing, the new image
    // does not start.
    let mut scene = rolled_out(10, rolling(3, 2));
    set_image(&mut scene, "bad");
    let mut agent = Agent::new(1);
    agent.broken = vec!["bad"];
    scene
        .settle_with(&[&DeploymentController, &ReplicaSetController], |scene| agent.step(scene))
        .expect("rest");
    assert_eq!(shape(&scene), "1:8 2:5");
    scale(&mut scene, 15);
    step(&mut scene);
    assert_eq!(shape(&scene), "1:11 2:7");
}

#[test]
fn history_is_cut_to_its_limit_and_zero_keeps_none() {
    let mut scene = rolled_out(1, rolling(1, 0));
    scene.change(&DEPLOYMENT, "d/web", |web| web.set_path(&["spec", "revisionHistoryLimit"], 2));
    for image in ["v2", "v3", "v4", "v5"] {
        set_image(&mut scene, image);
        settle(&mut scene);
    }
    assert_eq!(shape(&scene), "3:0 4:0 5:1");
    scene.change(&DEPLOYMENT, "d/web", |web| web.set_path(&["spec", "revisionHistoryLimit"], 0));
    settle(&mut scene);
    assert_eq!(shape(&scene), "5:1");
}

#[test]
fn an_update_that_does_not_move_passes_its_deadline() {
    let mut scene = rolled_out(2, rolling(1, 0));
    scene.change(&DEPLOYMENT, "d/web", |web| {
        web.set_path(&["spec", "progressDeadlineSeconds"], 60);
    });
    set_image(&mut scene, "bad");
    let mut agent = Agent::new(1);
    agent.broken = vec!["bad"];
    let controllers: [&dyn actors_controller::Controller; 2] =
        [&DeploymentController, &ReplicaSetController];
    scene.settle_with(&controllers, |scene| agent.step(scene)).expect("rest");
    assert_eq!(condition(&scene, "Progressing"), "True ReplicaSetUpdated");
    assert!(scene.text(&DeploymentController, "d/web").starts_with("requeue 61s"));
    scene.pass(Duration::from_secs(61));
    scene.settle(&controllers).expect("rest");
    assert_eq!(condition(&scene, "Progressing"), "False ProgressDeadlineExceeded");
    assert_eq!(condition(&scene, "Available"), "True MinimumReplicasAvailable");
}

#[test]
fn a_taken_name_is_counted_and_another_one_tried() {
    let mut probe = Scene::new().with(deployment("web", 1, rolling(1, 0)));
    step(&mut probe);
    let taken = sets(&probe)[0].name().to_owned();
    let mut scene = Scene::new().with(deployment("web", 1, rolling(1, 0))).with(value!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": { "name": taken.as_str(), "namespace": "d" },
        "spec": { "replicas": 0, "selector": { "matchLabels": { "x": "y" } } },
    }));
    settle(&mut scene);
    let web = scene.get(&DEPLOYMENT, "d/web").expect("the deployment");
    assert_eq!(web.i64_at(&["status", "collisionCount"]), Some(1));
    assert_eq!(web.i64_at(&["status", "availableReplicas"]), Some(1));
}

#[test]
fn annotations_are_copied_to_the_set_but_for_bookkeeping() {
    let mut scene = rolled_out(1, rolling(1, 0));
    scene.change(&DEPLOYMENT, "d/web", |web| {
        web.set_annotation("kubernetes.io/change-cause", "why");
        web.set_annotation("kubectl.kubernetes.io/last-applied-configuration", "{}");
    });
    settle(&mut scene);
    let set = sets(&scene).remove(0);
    assert_eq!(set.annotation("kubernetes.io/change-cause"), Some("why"));
    assert_eq!(set.annotation("kubectl.kubernetes.io/last-applied-configuration"), None);
}

#[test]
fn scaling_to_nothing_and_back() {
    let mut scene = rolled_out(3, rolling("25%", "25%"));
    scale(&mut scene, 0);
    settle(&mut scene);
    assert_eq!(shape(&scene), "1:0");
    scale(&mut scene, 2);
    settle(&mut scene);
    assert_eq!(shape(&scene), "1:2");
    let told = scene.happenings.iter().filter(|one| one.reason == "ScalingReplicaSet").count();
    assert_eq!(told, 3);
}
