//! Limits of single objects: what pods are given, and which are too small or too large.

use serde_json::{Value, json};

use crate::door::Door;

fn amounts(cpu: &str, memory: &str, storage: &str) -> Value {
    json!({ "cpu": cpu, "memory": memory, "ephemeral-storage": storage })
}

fn pod(name: &str, requests: &Value, limits: &Value) -> Value {
    let resources = json!({ "requests": requests, "limits": limits });
    json!({
        "metadata": { "name": name },
        "spec": { "containers": [{ "name": "c", "image": "c:1", "resources": resources }] },
    })
}

#[test]
fn pods_get_what_a_range_says_and_keep_to_its_bounds() {
    let door = Door::open();
    let home = door.home();
    let path = |plural: &str| format!("/api/v1/namespaces/{home}/{plural}");
    let (least, most) = (amounts("50m", "100Mi", "100Gi"), amounts("500m", "500Mi", "500Gi"));
    let (given, given_most) = (amounts("100m", "200Mi", "200Gi"), most.clone());
    let limit = json!({
        "type": "Container", "min": least, "max": most, "defaultRequest": given,
        "default": given_most,
    });
    let range = json!({ "metadata": { "name": "l" }, "spec": { "limits": [limit] } });
    let mut watch = door.watch(&format!("{}?watch=true", path("limitranges")));
    door.post(&path("limitranges"), &range).expect_code(201);
    watch.expect(&["ADDED l"]);
    let mut range = door.get(&path("limitranges/l")).expect_code(200).json();
    assert_eq!(range["spec"]["limits"][0], limit);
    door.caught_up();

    let nothing = json!({});
    let make = |body: &Value| door.post(&path("pods"), body);
    let made = make(&pod("plain", &nothing, &nothing)).expect_code(201).json();
    let resources = &made["spec"]["containers"][0]["resources"];
    assert_eq!((&resources["requests"], &resources["limits"]), (&given, &most));
    let told = made["metadata"]["annotations"]["kubernetes.io/limit-ranger"].as_str().unwrap();
    let expected = "LimitRanger plugin set: cpu, ephemeral-storage, memory request for container \
                    c; cpu, ephemeral-storage, memory limit for container c";
    assert_eq!(told, expected);

    // What it says itself stays, and what it has a limit for it also asks for.
    let requests = json!({ "memory": "150Mi", "ephemeral-storage": "150Gi" });
    let partial = pod("partial", &requests, &json!({ "cpu": "300m" }));
    let made = make(&partial).expect_code(201).json();
    let resources = &made["spec"]["containers"][0]["resources"];
    assert_eq!(resources["requests"], amounts("300m", "150Mi", "150Gi"));
    assert_eq!(resources["limits"], amounts("300m", "500Mi", "500Gi"));

    let small = make(&pod("small", &amounts("10m", "50Mi", "50Gi"), &nothing)).expect_code(403);
    let small = small.json()["message"].as_str().unwrap().to_owned();
    let words = "pods \"small\" is forbidden: [minimum cpu usage per Container is 50m, but \
                 request is 10m, minimum ephemeral-storage usage per Container is 100Gi, but \
                 request is 50Gi, minimum memory usage per Container is 100Mi, but request is \
                 50Mi]";
    assert_eq!(small, words);
    let huge = pod("huge", &nothing, &amounts("600m", "400Mi", "400Gi"));
    let refused = make(&huge).expect_code(403).json();
    let words = "pods \"huge\" is forbidden: maximum cpu usage per Container is 500m, but limit \
                 is 600m";
    assert_eq!(refused["message"], words);

    // With other bounds, other pods are let in.
    range["spec"]["limits"][0]["min"] = amounts("9m", "9Mi", "9Gi");
    door.put(&path("limitranges/l"), &range).expect_code(200);
    door.caught_up();
    make(&pod("small", &amounts("10m", "50Mi", "50Gi"), &nothing)).expect_code(201);
    door.delete(&path("limitranges/l")).expect_code(200);
    watch.gone();
    door.caught_up();
    make(&huge).expect_code(201);
}
