//! Evictions and the budgets that refuse them.

use expect_test::expect;

use super::harness::{Scene, check};

const READY: &str = "status: {phase: Running, conditions: [{type: Ready, status: 'True'}]}";

/// Two ready pods, and a budget that its controller has not counted yet.
fn scene(rule: &str) -> Scene {
    let mut scene = Scene::new();
    for name in ["a", "b"] {
        scene.run(&format!(
            "POST /api/v1/namespaces/default/pods
  metadata: {{name: {name}, labels: {{app: web}}}}
  spec: {{containers: [{{name: c, image: i}}]}}
MERGE /api/v1/namespaces/default/pods/{name}/status
  {READY}
"
        ));
    }
    scene.run(&format!(
        "POST /apis/policy/v1/namespaces/default/poddisruptionbudgets
  metadata: {{name: web}}
  spec: {{selector: {{matchLabels: {{app: web}}}}, {rule}}}
"
    ));
    scene
}

#[test]
fn a_budget_is_charged_with_the_eviction_that_it_allows() {
    let mut scene = scene("minAvailable: 1");
    let budget = "/apis/policy/v1/namespaces/default/poddisruptionbudgets/web";
    let from = scene.trace().len();
    scene.run(&format!(
        "POST /api/v1/namespaces/default/pods/a/eviction
  metadata: {{name: a}}
? details
MERGE {budget}/status
  status: {{observedGeneration: 1, disruptionsAllowed: 1, expectedPods: 2, currentHealthy: 2, desiredHealthy: 1}}
POST /api/v1/namespaces/default/pods/a/eviction
  metadata: {{name: a}}
GET {budget}
? status.disruptionsAllowed
? status.disruptedPods
POST /api/v1/namespaces/default/pods/b/eviction
  metadata: {{name: b}}
? details.causes
? details.retryAfterSeconds
"
    ));
    expect![[r#"
        POST /api/v1/namespaces/default/pods/a/eviction
          429 TooManyRequests: Cannot evict pod: its disruption budget does not allow that now
            details = {"causes":[{"reason":"DisruptionBudget","message":"the budget web was changed and not counted yet"}],"retryAfterSeconds":10}
        MERGE /apis/policy/v1/namespaces/default/poddisruptionbudgets/web/status
          200 PodDisruptionBudget web @106
          + /registry/policy/poddisruptionbudgets/default/web
        POST /api/v1/namespaces/default/pods/a/eviction
          201 Success
          - /registry/pods/default/a
          + /registry/policy/poddisruptionbudgets/default/web
        GET /apis/policy/v1/namespaces/default/poddisruptionbudgets/web
          200 PodDisruptionBudget web @108
            status.disruptionsAllowed = 0
            status.disruptedPods = {"a":"2026-11-21T08:05:00Z"}
        POST /api/v1/namespaces/default/pods/b/eviction
          429 TooManyRequests: Cannot evict pod: its disruption budget does not allow that now
            details.causes = [{"reason":"DisruptionBudget","message":"the budget web needs 1 healthy pods and has 2 now"}]
            details.retryAfterSeconds = null
    "#]].assert_eq(&scene.trace()[from..]);
}

#[test]
fn pods_that_do_not_work_go_as_the_budget_says() {
    let check = |rule: &str, healthy: u8, unready: &str| {
        let mut scene = scene(rule);
        let budget = "/apis/policy/v1/namespaces/default/poddisruptionbudgets/web";
        scene.run(&format!(
            "MERGE {budget}/status
  status: {{observedGeneration: 1, disruptionsAllowed: 0, expectedPods: 2, currentHealthy: {healthy}, desiredHealthy: 1}}
MERGE /api/v1/namespaces/default/pods/b/status
  status: {{phase: {unready}, conditions: [{{type: Ready, status: 'False'}}]}}
"
        ));
        let code = |scene: &mut Scene, pod: &str| {
            let line = format!("POST /api/v1/namespaces/default/pods/{pod}/eviction");
            scene.request(&line, format!("metadata: {{name: {pod}}}").as_bytes()).code
        };
        // One that works is protected in any case.
        (code(&mut scene, "a"), code(&mut scene, "b"))
    };
    let always = "minAvailable: 1, unhealthyPodEvictionPolicy: AlwaysAllow";
    assert_eq!(check("minAvailable: 1", 1, "Running"), (429, 201), "enough others work");
    assert_eq!(check("minAvailable: 1", 0, "Running"), (429, 429), "it might work soon");
    assert_eq!(check(always, 0, "Running"), (429, 201));
    assert_eq!(check("minAvailable: 1", 0, "Pending"), (429, 201), "it does not run yet");
    assert_eq!(check("minAvailable: 1", 0, "Failed"), (429, 201), "it has ended");
}

#[test]
fn two_budgets_of_one_pod_are_a_mistake() {
    let mut scene = scene("maxUnavailable: 0");
    let from = scene.trace().len();
    scene.run(
        "POST /apis/policy/v1/namespaces/default/poddisruptionbudgets
  metadata: {name: all}
  spec: {selector: {}, maxUnavailable: 1}
POST /api/v1/namespaces/default/pods/a/eviction
  metadata: {name: a}
",
    );
    expect![[r#"
        POST /apis/policy/v1/namespaces/default/poddisruptionbudgets
          201 PodDisruptionBudget all @106
          + /registry/policy/poddisruptionbudgets/default/all
        POST /api/v1/namespaces/default/pods/a/eviction
          500 InternalError: Internal error occurred: pod a has more than one PodDisruptionBudget
    "#]]
    .assert_eq(&scene.trace()[from..]);
}

#[test]
fn an_eviction_that_is_tried_charges_nobody() {
    let mut scene = scene("minAvailable: 1");
    let budget = "/apis/policy/v1/namespaces/default/poddisruptionbudgets/web";
    scene.run(&format!(
        "MERGE {budget}/status
  status: {{observedGeneration: 1, disruptionsAllowed: 1, expectedPods: 2, currentHealthy: 2, desiredHealthy: 1}}
"
    ));
    let from = scene.trace().len();
    scene.run(&format!(
        "POST /api/v1/namespaces/default/pods/a/eviction?dryRun=All
  metadata: {{name: a}}
POST /api/v1/namespaces/default/pods/a/eviction
  deleteOptions: {{dryRun: [All]}}
GET {budget}
? status.disruptionsAllowed
"
    ));
    expect![[r#"
        POST /api/v1/namespaces/default/pods/a/eviction?dryRun=All
          201 Success
        POST /api/v1/namespaces/default/pods/a/eviction
          201 Success
        GET /apis/policy/v1/namespaces/default/poddisruptionbudgets/web
          200 PodDisruptionBudget web @106
            status.disruptionsAllowed = 1
    "#]]
    .assert_eq(&scene.trace()[from..]);
}

#[test]
fn without_a_budget_an_eviction_deletes() {
    check(
        "
        POST /api/v1/namespaces/default/pods
          metadata: {name: p}
          spec: {containers: [{name: c, image: i}]}
        POST /api/v1/namespaces/default/pods/p/eviction
          metadata: {name: q}
        POST /api/v1/namespaces/default/pods/p/eviction
          metadata: {name: p}
        ",
        &expect![[r#"
            POST /api/v1/namespaces/default/pods
              201 Pod p @101
              + /registry/pods/default/p
            POST /api/v1/namespaces/default/pods/p/eviction
              400 BadRequest: metadata.name of the body is "q", but the path means "p"
            POST /api/v1/namespaces/default/pods/p/eviction
              201 Success
              - /registry/pods/default/p
        "#]],
    );
}
