//! Runtime classes: pods that name one get what it costs, and none that does not exist.

use serde_json::{Value, json};

use crate::door::{Answer, Door};

const CLASSES: &str = "/apis/node.k8s.io/v1/runtimeclasses";

/// Makes a class of a name that no other test has.
fn class(door: &Door, home: &str, overhead: Option<&Value>) -> String {
    let name = format!("class-{home}");
    let mut body = json!({ "metadata": { "name": name }, "handler": "runc" });
    if let Some(fixed) = overhead {
        body["overhead"] = json!({ "podFixed": fixed });
    }
    door.post(CLASSES, &body).expect_code(201);
    door.caught_up();
    name
}

fn make(door: &Door, home: &str, class: &str) -> Answer {
    let containers = json!([{ "name": "c", "image": "c:1" }]);
    let body = json!({
        "metadata": { "name": "p" },
        "spec": { "runtimeClassName": class, "containers": containers },
    });
    door.post(&format!("/api/v1/namespaces/{home}/pods"), &body)
}

#[track_caller]
fn expect_refusal(answer: Answer, class: &str) {
    let refused = answer.expect_code(403).json();
    let words =
        format!("pods \"p\" is forbidden: pod rejected: RuntimeClass \"{class}\" not found");
    assert_eq!(refused["message"], words);
}

#[test]
fn a_pod_of_a_class_that_never_was_is_refused() {
    let door = Door::open();
    let home = door.home();
    expect_refusal(make(door, &home, "none"), "none");
}

#[test]
fn a_pod_of_a_class_that_is_gone_is_refused() {
    let door = Door::open();
    let home = door.home();
    let name = class(door, &home, None);
    door.delete(&format!("{CLASSES}/{name}")).expect_code(200);
    door.caught_up();
    expect_refusal(make(door, &home, &name), &name);
}

/// Makes a pod of a class, and waits until it has a node.
fn schedule(overhead: Option<&Value>) -> Value {
    let door = Door::open();
    let home = door.home();
    let name = class(door, &home, overhead);
    make(door, &home, &name).expect_code(201);
    let mut watch = door.watch(&format!("/api/v1/namespaces/{home}/pods?watch=true"));
    watch.until(|_, pod| pod["spec"].get("nodeName").is_some())
}

#[test]
fn a_pod_is_scheduled_with_the_overhead_of_its_class() {
    let overhead = json!({ "cpu": "10m", "memory": "1Mi" });
    assert_eq!(schedule(Some(&overhead))["spec"]["overhead"], overhead);
}

#[test]
fn a_pod_of_a_class_without_overhead_is_scheduled_without() {
    assert_eq!(schedule(None)["spec"].get("overhead"), None);
}
