//! Hollow agents: the nodes of the three servers say that they are ready, and what is bound to them runs at once, in
//! words only, and ends as soon as it is asked to.
//!
//! Way in: [`make_ready`], [`play`].  Never: a container. What needs one is shown by the tests of the whole program.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use crate::{door::Door, servers::NODES};

/// How much each node has.
const ROOM: [(&str, &str); 4] =
    [("cpu", "64"), ("memory", "256Gi"), ("ephemeral-storage", "1Ti"), ("pods", "1000")];

/// The first address of the hollow pods.
const FIRST_POD: u32 = u32::from_be_bytes([10, 96, 128, 1]);

/// All pods that have a node.
const BOUND: &str = "/api/v1/pods?watch=true&fieldSelector=spec.nodeName%21%3D";

/// When something was, as far as anybody may know.
const STAMP: &str = "2026-01-01T00:00:00Z";

/// Makes the nodes of all servers ready.
pub(crate) fn make_ready(door: &Door) {
    for node in NODES {
        let room = |(name, amount): (&str, &str)| (name.to_owned(), json!(amount));
        let room: serde_json::Map<String, Value> = ROOM.into_iter().map(room).collect();
        let status = json!({
            "capacity": room,
            "allocatable": room,
            "conditions": [condition("Ready", "KubeletReady")],
        });
        let path = format!("/api/v1/nodes/{node}/status");
        door.merge(&path, &json!({ "status": status })).expect_code(200);
    }
}

/// Answers for the pods of all nodes, for as long as the process lives.
pub(crate) fn play(door: &Door) {
    let mut address = FIRST_POD;
    loop {
        // It ends after a while; then it begins anew.
        for (word, pod) in door.watch(BOUND) {
            if word == "ADDED" || word == "MODIFIED" {
                answer(door, &pod, &mut address);
            }
        }
    }
}

fn condition(kind: &str, reason: &str) -> Value {
    json!({
        "type": kind, "status": "True", "reason": reason, "message": "",
        "lastHeartbeatTime": STAMP, "lastTransitionTime": STAMP,
    })
}

/// What an agent does about a pod of its node. The pod may be another one by now, or gone: then nothing is to be done.
fn answer(door: &Door, pod: &Value, address: &mut u32) {
    let text = |field: &str| pod["metadata"][field].as_str().unwrap_or_default();
    let path = format!("/api/v1/namespaces/{}/pods/{}", text("namespace"), text("name"));
    if pod["metadata"].get("deletionTimestamp").is_some() {
        let options = json!({
            "kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0,
            "preconditions": { "uid": text("uid") },
        });
        let ended = door.send("DELETE", &path, "application/json", &options);
        assert!(matches!(ended.code, 200 | 404 | 409), "{} {}", ended.code, ended.text());
        return;
    }
    if pod["status"]["phase"] != "Pending" {
        return;
    }
    let ip = Ipv4Addr::from(*address);
    *address += 1;
    let container = |container: &Value| {
        json!({
            "name": container["name"], "image": container["image"], "imageID": "", "ready": true,
            "restartCount": 0, "started": true, "state": { "running": { "startedAt": STAMP } },
        })
    };
    let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
    let containers: Vec<Value> = containers.map(container).collect();
    let conditions: Vec<Value> = ["PodScheduled", "Initialized", "ContainersReady", "Ready"]
        .into_iter()
        .map(|kind| json!({ "type": kind, "status": "True", "lastTransitionTime": STAMP }))
        .collect();
    let runs = json!({
        "metadata": { "uid": text("uid") },
        "status": {
            "phase": "Running", "podIP": ip, "podIPs": [{ "ip": ip }], "startTime": STAMP,
            "conditions": conditions, "containerStatuses": containers,
        },
    });
    let ran = door.merge(&format!("{path}/status"), &runs);
    assert!(matches!(ran.code, 200 | 404 | 409), "{} {}", ran.code, ran.text());
}
