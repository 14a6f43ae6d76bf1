//! Nodes, and which pods they are given. The nodes of these tests are hollow: they say that they run what they are given.

use serde_json::{Value, json};

use crate::door::Door;

const NODES: &str = "/api/v1/nodes";

fn is_true(object: &Value, kind: &str) -> bool {
    let conditions = object["status"]["conditions"].as_array();
    let mut conditions = conditions.into_iter().flatten();
    conditions.any(|one| one["type"] == kind && one["status"] == "True")
}

/// Makes a pod, and returns when it has a node.
fn scheduled(door: &Door, home: &str, name: &str, spec: &Value) -> Value {
    let pods = format!("/api/v1/namespaces/{home}/pods");
    let body = json!({ "metadata": { "name": name }, "spec": spec });
    door.post(&pods, &body).expect_code(201);
    let path = format!("{pods}?watch=true&fieldSelector=metadata.name%3D{name}");
    door.watch(&path).until(|_, pod| pod["spec"]["nodeName"].is_string())
}

fn containers() -> Value {
    json!([{ "name": "c", "image": "c:1" }])
}

#[test]
fn two_nodes_and_more_take_any_pod() {
    let door = Door::open();
    let mut free = std::collections::BTreeSet::new();
    let mut watch = door.watch(&format!("{NODES}?watch=true"));
    while free.len() < 2 {
        let (_, node) = watch.event();
        let name = node["metadata"]["name"].as_str().unwrap().to_owned();
        let untainted = node["spec"]["taints"].as_array().is_none_or(Vec::is_empty);
        match untainted && is_true(&node, "Ready") && node["spec"].get("unschedulable").is_none() {
            true => free.insert(name),
            false => free.remove(&name),
        };
    }
}

#[test]
fn a_node_has_a_life() {
    let door = Door::open();
    let one = format!("{NODES}/fake-node");
    let body = json!({
        "metadata": { "name": "fake-node", "labels": { "fake": "node" } },
        "spec": { "unschedulable": true },
    });
    door.post(NODES, &body).expect_code(201);
    let read = door.get(&one).expect_code(200).json();
    assert_eq!(read["metadata"]["labels"]["fake"], "node");
    let patch = json!({ "metadata": { "labels": { "fake": "patched" } } });
    let patched = door.merge(&one, &patch).expect_code(200).json();
    assert_eq!(patched["metadata"]["labels"]["fake"], "patched");
    let select = "labelSelector=fake%3Dpatched";
    let list = door.get(&format!("{NODES}?{select}")).expect_code(200).json();
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    let ready = json!([{ "type": "Ready", "status": "True", "reason": "Fake", "message": "" }]);
    let status = json!({ "status": { "conditions": ready } });
    let changed = door.merge(&format!("{one}/status"), &status).expect_code(200).json();
    assert_eq!(changed["status"]["conditions"][0]["reason"], "Fake");
    let read = door.get(&format!("{one}/status")).expect_code(200).json();
    assert!(is_true(&read, "Ready"));
    // Its controller writes, too: whoever comes too late reads again, as every client does.
    let updated = loop {
        let mut update = door.get(&one).expect_code(200).json();
        update["metadata"]["labels"]["fake"] = json!("updated");
        let answer = door.put(&one, &update);
        if answer.code != 409 {
            break answer.expect_code(200).json();
        }
    };
    assert_eq!(updated["metadata"]["labels"]["fake"], "updated");
    door.delete(&format!("{NODES}?labelSelector=fake%3Dupdated")).expect_code(200);
    door.get(&one).expect_code(404);
}

#[test]
fn a_pod_whose_selector_no_node_has_waits() {
    let door = Door::open();
    let home = door.home();
    let pods = format!("/api/v1/namespaces/{home}/pods");
    let spec = json!({ "nodeSelector": { "label": "nonempty" }, "containers": containers() });
    let body = json!({ "metadata": { "name": "restricted" }, "spec": spec });
    door.post(&pods, &body).expect_code(201);
    let events = format!("/api/v1/namespaces/{home}/events?watch=true");
    let only = "fieldSelector=involvedObject.name%3Drestricted%2Creason%3DFailedScheduling";
    door.watch(&format!("{events}&{only}")).until(|word, _| word == "ADDED");
    // What comes later and asks for nothing has its turn.
    scheduled(door, &home, "free", &json!({ "containers": containers() }));
    let waits = door.get(&format!("{pods}/restricted")).expect_code(200).json();
    assert_eq!(waits["spec"].get("nodeName"), None);
    let scheduled = waits["status"]["conditions"].as_array().unwrap().iter();
    let reasons: Vec<&str> = scheduled.map(|one| one["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["Unschedulable"]);
}
