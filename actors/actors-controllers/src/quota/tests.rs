//! What is counted, and what is counted again when.

use std::time::Duration;

use actors_controller::{Controller, Primary, testing::Scene};
use actors_object::{Object, Value, value};

use super::*;

fn quota(name: &str, spec: Value) -> Value {
    value!({
        "apiVersion": "v1", "kind": "ResourceQuota",
        "metadata": { "name": name, "namespace": "d" }, "spec": spec,
    })
}

fn pod(name: &str, cpu: &str) -> Value {
    value!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": name, "namespace": "d" },
        "spec": {
            "containers": [{ "name": "c", "resources": { "requests": { "cpu": cpu } } }],
        },
    })
}

fn scene() -> Scene {
    Scene::new().with(value!({
        "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "d" },
    }))
}

/// The status of a quota as the controller leaves it.
#[track_caller]
fn check(scene: &mut Scene, name: &str, expected: Value) {
    scene.settle(&[&QuotaController]).expect("rest");
    let quota = scene.get(&QUOTA, &format!("d/{name}")).expect("the quota");
    assert_eq!(quota.status(), &expected);
}

#[test]
fn everything_that_a_quota_limits_is_counted() {
    let hard = value!({ "pods": "5", "cpu": "1", "count/configmaps": "3", "secrets": "2" });
    let mut scene = scene()
        .with(pod("a", "200m"))
        .with(pod("b", "100m"))
        .with(value!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": { "name": "m", "namespace": "d" },
        }))
        .with(value!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": { "name": "m", "namespace": "elsewhere" },
        }))
        .with(quota("q", value!({ "hard": (hard.clone()) })))
        .with(quota("best", value!({ "hard": { "pods": "1" }, "scopes": ["BestEffort"] })));
    let used = value!({ "pods": "2", "cpu": "300m", "count/configmaps": "1", "secrets": "0" });
    check(&mut scene, "q", value!({ "hard": hard, "used": used }));
    check(&mut scene, "best", value!({ "hard": { "pods": "1" }, "used": { "pods": "0" } }));
}

#[test]
fn what_ends_or_goes_is_given_back() {
    let mut scene = scene()
        .with(pod("a", "200m"))
        .with(pod("b", "100m"))
        .with(quota("q", value!({ "hard": { "cpu": "1" } })));
    check(&mut scene, "q", value!({ "hard": { "cpu": "1" }, "used": { "cpu": "300m" } }));
    scene.change(&POD, "d/a", |pod| pod.set_path(&["status", "phase"], "Succeeded"));
    check(&mut scene, "q", value!({ "hard": { "cpu": "1" }, "used": { "cpu": "100m" } }));
    scene.world.remove(&Key::new(&POD, "d", "b"));
    check(&mut scene, "q", value!({ "hard": { "cpu": "1" }, "used": { "cpu": "0" } }));
}

#[test]
fn what_a_resize_gives_back_is_given_back_when_it_is_done() {
    let has = |cpu: &str| {
        let (all, one) = (value!({ "cpu": cpu }), value!({ "requests": { "cpu": cpu } }));
        value!([{ "name": "c", "allocatedResources": all, "resources": one }])
    };
    let mut resized = pod("a", "200m");
    resized.set_path(&["metadata", "generation"], 2);
    resized.set_path(&["status", "containerStatuses"], has("700m"));
    let mut scene = scene().with(resized).with(quota("q", value!({ "hard": { "cpu": "1" } })));
    check(&mut scene, "q", value!({ "hard": { "cpu": "1" }, "used": { "cpu": "700m" } }));
    let path = ["status", "containerStatuses"];
    scene.change(&POD, "d/a", |pod| pod.set_path(&path, has("200m")));
    check(&mut scene, "q", value!({ "hard": { "cpu": "1" }, "used": { "cpu": "200m" } }));
}

#[test]
fn a_figure_that_is_right_stays_as_it_is_written() {
    let mut counted = Object(quota("q", value!({ "hard": { "cpu": "1000m" } })));
    counted.set_status(value!({ "hard": { "cpu": "1000m" }, "used": { "cpu": "0.3" } }));
    let scene = scene().with(pod("a", "300m")).with(counted.0);
    scene.check(&QuotaController, "d", "requeue 300s\n");
}

#[test]
fn what_was_created_unheard_of_is_counted_soon() {
    let scene =
        scene().with(pod("a", "300m")).with(quota("q", value!({ "hard": { "pods": "2" } })));
    let text = scene.text(&QuotaController, "d");
    assert!(text.ends_with("requeue 2s\n"), "{text}");
}

#[test]
fn a_namespace_without_quotas_costs_nothing() {
    scene().with(pod("a", "300m")).check(&QuotaController, "d", "");
}

#[test]
fn a_pod_that_should_be_gone_is_looked_at_when_it_no_longer_counts() {
    let mut scene = scene().with(quota("q", value!({ "hard": { "pods": "1" } })));
    let mut lost = Object(pod("lost", "1"));
    lost.set_path(&["metadata", "deletionGracePeriodSeconds"], 30);
    lost.set_path(&["metadata", "deletionTimestamp"], "2026-01-01T00:00:30Z");
    scene.world.put(lost);
    check(&mut scene, "q", value!({ "hard": { "pods": "1" }, "used": { "pods": "1" } }));
    scene.check(&QuotaController, "d", "requeue 61s\n");
    scene.pass(Duration::from_secs(61));
    check(&mut scene, "q", value!({ "hard": { "pods": "1" }, "used": { "pods": "0" } }));
}

/// The keys that a change of an object wakes.
fn woken(scene: &Scene, object: &Value) -> usize {
    let object = Object(object.clone());
    let unknown =
        if QUOTA.is_kind_of(&object) { home_of_unknown(&object, &scene.world) } else { vec![] };
    unknown.len() + home_of_gone(&object, &scene.world).len()
}

#[test]
fn only_what_gives_back_wakes_it() {
    assert_eq!(QuotaController.primary(), Primary::Of(NAMESPACE));
    let mut scene =
        scene().with(quota("q", value!({ "hard": { "pods": "2" } }))).with(pod("a", "1"));
    scene.settle(&[&QuotaController]).expect("rest");
    let there = scene.get(&POD, "d/a").expect("the pod");
    assert_eq!(woken(&scene, &there.0), 0, "a pod that lives");
    let mut ended = (*there).clone();
    ended.set_path(&["status", "phase"], "Failed");
    assert_eq!(woken(&scene, &ended.0), 1, "a pod that has ended");
    let mut gone = (*there).clone();
    gone.set_uid("another");
    assert_eq!(woken(&scene, &gone.0), 1, "a pod that is gone");
    gone.set_namespace("elsewhere");
    assert_eq!(woken(&scene, &gone.0), 0, "a pod of a namespace without quotas");
    let counted = scene.get(&QUOTA, "d/q").expect("the quota");
    assert_eq!(woken(&scene, &counted.0), 0, "a quota that is charged");
    let mut raised = (*counted).clone();
    raised.set_path(&["spec", "hard", "cpu"], "1");
    assert_eq!(woken(&scene, &raised.0), 1, "a quota that limits something else");
}
