//! Budgets of disruptions.

use serde_json::{Value, json};

use crate::door::Door;

fn budgets(home: &str) -> String {
    format!("/apis/policy/v1/namespaces/{home}/poddisruptionbudgets")
}

fn budget(name: &str, mark: &str) -> Value {
    json!({
        "metadata": { "name": name, "labels": { "mark": mark } },
        "spec": { "minAvailable": "1%", "selector": { "matchLabels": { "app": "web" } } },
    })
}

/// Waits until the budget's controller has seen what it says now.
fn processed(door: &Door, home: &str, name: &str) -> Value {
    let path = format!("{}?watch=true&fieldSelector=metadata.name%3D{name}", budgets(home));
    let now = door.get(&format!("{}/{name}", budgets(home))).expect_code(200).json();
    let wanted = now["metadata"]["generation"].as_u64().unwrap();
    door.watch(&path).until(|_, one| {
        one["status"]["observedGeneration"].as_u64().is_some_and(|seen| seen >= wanted)
    })
}

#[test]
fn a_budget_is_made_updated_patched_and_deleted() {
    let door = Door::open();
    let home = door.namespace();
    let one = format!("{}/web", budgets(&home));
    door.post(&budgets(&home), &budget("web", "x")).expect_code(201);
    let mut seen = processed(door, &home, "web");
    assert_eq!(seen["status"]["conditions"][0]["type"], "DisruptionAllowed");
    seen["spec"]["minAvailable"] = json!("2%");
    door.put(&one, &seen).expect_code(200);
    assert_eq!(processed(door, &home, "web")["spec"]["minAvailable"], "2%");
    let patch = json!({ "spec": { "minAvailable": "3%" } });
    door.merge(&one, &patch).expect_code(200);
    let seen = processed(door, &home, "web");
    assert_eq!(
        (&seen["spec"]["minAvailable"], &seen["status"]["disruptionsAllowed"]),
        (&json!("3%"), &json!(0))
    );
    door.delete(&one).expect_code(200);
    door.get(&one).expect_code(404);
}

#[test]
fn budgets_are_listed_everywhere_and_deleted_together() {
    let door = Door::open();
    let (here, there) = (door.namespace(), door.namespace());
    for (home, name) in [(&here, "a"), (&here, "b"), (&there, "c")] {
        door.post(&budgets(home), &budget(name, &here)).expect_code(201);
        processed(door, home, name);
    }
    let marked = format!("labelSelector=mark%3D{here}");
    let count = |path: &str| {
        let list = door.get(&format!("{path}?{marked}")).expect_code(200).json();
        list["items"].as_array().unwrap().len()
    };
    assert_eq!(count("/apis/policy/v1/poddisruptionbudgets"), 3);
    assert_eq!(count(&budgets(&here)), 2);
    door.delete(&format!("{}?{marked}", budgets(&here))).expect_code(200);
    assert_eq!(count(&budgets(&here)), 0);
    assert_eq!(count("/apis/policy/v1/poddisruptionbudgets"), 1);
}

#[test]
fn a_budget_counts_the_pods_of_a_controller() {
    let door = Door::open();
    let home = door.home();
    let mut body = budget("web", "x");
    body["spec"]["minAvailable"] = json!(2);
    door.post(&budgets(&home), &body).expect_code(201);
    let labels = json!({ "app": "web" });
    let spec = json!({ "containers": [{ "name": "c", "image": "c:1" }] });
    let set = json!({
        "metadata": { "name": "web" },
        "spec": {
            "replicas": 3, "selector": { "matchLabels": labels },
            "template": { "metadata": { "labels": labels }, "spec": spec },
        },
    });
    door.post(&format!("/apis/apps/v1/namespaces/{home}/replicasets"), &set).expect_code(201);
    let mut watch = door.watch(&format!("{}?watch=true", budgets(&home)));
    let seen = watch.until(|_, one| one["status"]["currentHealthy"] == 3);
    let number = |name: &str| seen["status"][name].as_u64().unwrap();
    assert_eq!(
        [number("expectedPods"), number("desiredHealthy"), number("disruptionsAllowed")],
        [3, 2, 1]
    );
    assert_eq!(seen["status"]["conditions"][0]["status"], "True");
}
