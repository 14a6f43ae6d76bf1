//! How many disruptions budgets allow.

use std::time::Duration;

use actors_controller::testing::Scene;
use actors_object::{Object, Value, value};

use super::DisruptionController;
use crate::{
    kinds::{DISRUPTION_BUDGET, POD},
    scenery::{owned, pod, replica_set},
};

fn budget(spec: Value) -> Object {
    let mut budget = Object(value!({
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
        "metadata": { "name": "web", "namespace": "d", "uid": "pdb", "generation": 3 },
        "spec": spec,
    }));
    budget.set_path(&["spec", "selector"], value!({ "matchLabels": { "app": "web" } }));
    budget
}

fn mine(name: &str, state: &str) -> Object {
    owned(pod(name, "web", state), "ReplicaSet", "web", "rs-web")
}

/// A set that wants four pods and has three, one of which is not ready.
fn scene(spec: Value) -> Scene {
    Scene::new()
        .with(budget(spec))
        .with(replica_set("web", 4))
        .with(mine("a", "ready"))
        .with(mine("b", "ready"))
        .with(mine("c", "running"))
        .with(pod("other", "other", "ready"))
}

/// Allowed, healthy, desired, expected.
fn numbers(scene: &mut Scene) -> [i64; 4] {
    scene.settle(&[&DisruptionController]).expect("rest");
    let budget = scene.get(&DISRUPTION_BUDGET, "d/web").expect("the budget");
    assert_eq!(budget.i64_at(&["status", "observedGeneration"]), Some(budget.generation()));
    let number = |name| budget.i64_at(&["status", name]).expect("a number");
    ["disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"].map(number)
}

fn reason(scene: &Scene) -> String {
    let budget = scene.get(&DISRUPTION_BUDGET, "d/web").expect("the budget");
    let condition = crate::conditions::find(&budget, "DisruptionAllowed").expect("the condition");
    let text = |name| condition.str_at(&[name]).unwrap_or_default().to_owned();
    format!("{} {}", text("status"), text("reason"))
}

#[test]
fn a_count_is_of_the_pods_that_there_are() {
    let mut scene = scene(value!({ "minAvailable": 1 }));
    assert_eq!(numbers(&mut scene), [1, 2, 1, 3]);
    assert_eq!(reason(&scene), "True SufficientPods");
    scene.change(&POD, "d/a", |pod| pod.set_deletion_timestamp("2026-01-01T00:00:00Z"));
    assert_eq!(numbers(&mut scene), [0, 1, 1, 3]);
    assert_eq!(reason(&scene), "False InsufficientPods");
}

#[test]
fn a_share_is_of_the_pods_that_controllers_want_and_rounds_up() {
    assert_eq!(numbers(&mut scene(value!({ "minAvailable": "30%" }))), [0, 2, 2, 4]);
    assert_eq!(numbers(&mut scene(value!({ "maxUnavailable": "75%" }))), [1, 2, 1, 4]);
    assert_eq!(numbers(&mut scene(value!({ "maxUnavailable": 1 }))), [0, 2, 3, 4]);
    assert_eq!(numbers(&mut scene(value!({ "maxUnavailable": 9 }))), [2, 2, 0, 4]);
}

#[test]
fn a_pod_without_a_controller_has_no_share() {
    let mut scene = scene(value!({ "maxUnavailable": 1 })).with(pod("alone", "web", "ready"));
    assert_eq!(numbers(&mut scene), [0, 3, 0, 0]);
    assert_eq!(reason(&scene), "False SyncFailed");
}

#[test]
fn a_pod_that_was_evicted_counts_no_more_until_it_should_be_gone() {
    let mut scene = scene(value!({ "minAvailable": 1 }));
    assert_eq!(numbers(&mut scene), [1, 2, 1, 3]);
    scene.change(&DISRUPTION_BUDGET, "d/web", |budget| {
        let pods = value!({ "a": "2026-01-01T00:00:00Z", "lost": "2026-01-01T00:00:00Z" });
        budget.set_path(&["status", "disruptedPods"], pods);
    });
    assert_eq!(numbers(&mut scene), [0, 1, 1, 3]);
    let budget = scene.get(&DISRUPTION_BUDGET, "d/web").expect("the budget");
    let waited_for = budget.path(&["status", "disruptedPods"]);
    assert_eq!(waited_for, Some(&value!({ "a": "2026-01-01T00:00:00Z" })));
    assert!(scene.text(&DisruptionController, "d/web").contains("requeue 120s"));
    scene.pass(Duration::from_secs(120));
    assert_eq!(numbers(&mut scene), [1, 2, 1, 3]);
}

#[test]
fn a_budget_without_pods_allows_nothing() {
    let mut scene = Scene::new().with(budget(value!({ "minAvailable": 0 })));
    assert_eq!(numbers(&mut scene), [0, 0, 0, 0]);
}
