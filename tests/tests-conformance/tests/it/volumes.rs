//! Volumes as objects: what users write and read of them. Nobody binds them here.

use serde_json::{Value, json};

use crate::door::Door;

const VOLUMES: &str = "/api/v1/persistentvolumes";

fn volume(name: &str, mark: &str) -> Value {
    json!({
        "metadata": { "name": name, "labels": { "mark": mark } },
        "spec": {
            "capacity": { "storage": "2Gi" },
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": mark,
            "csi": { "driver": "test.example.com", "volumeHandle": "e2e-conformance" },
        },
    })
}

fn claim(name: &str, mark: &str) -> Value {
    json!({
        "metadata": { "name": name, "labels": { "mark": mark } },
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": { "requests": { "storage": "2Gi" } },
            "storageClassName": mark,
        },
    })
}

fn claims(home: &str) -> String {
    format!("/api/v1/namespaces/{home}/persistentvolumeclaims")
}

#[track_caller]
fn count(door: &Door, path: &str) -> usize {
    door.get(path).expect_code(200).json()["items"].as_array().unwrap().len()
}

#[test]
fn a_volume_and_a_claim_have_a_life() {
    let door = Door::open();
    let home = door.namespace();
    let (claims, mark) = (claims(&home), format!("labelSelector=mark%3D{home}"));
    let (name, other) = (format!("a-{home}"), format!("b-{home}"));
    let (one, claim_one) = (format!("{VOLUMES}/{name}"), format!("{claims}/a"));
    door.post(VOLUMES, &volume(&name, &home)).expect_code(201);
    door.post(&claims, &claim("a", &home)).expect_code(201);
    assert_eq!(count(door, &format!("{VOLUMES}?{mark}")), 1);
    assert_eq!(count(door, &format!("{claims}?{mark}")), 1);
    for path in [&one, &claim_one] {
        let patch = json!({ "metadata": { "labels": { "patched": "true" } } });
        let patched = door.merge(path, &patch).expect_code(200).json();
        assert_eq!(patched["metadata"]["labels"]["patched"], "true");
        let read = door.get(path).expect_code(200).json();
        assert_eq!(read["metadata"]["uid"], patched["metadata"]["uid"]);
    }
    for path in [&claim_one, &one] {
        door.delete(path).expect_code(200);
        door.get(path).expect_code(404);
    }
    let (one, claim_one) = (format!("{VOLUMES}/{other}"), format!("{claims}/b"));
    door.post(VOLUMES, &volume(&other, &home)).expect_code(201);
    door.post(&claims, &claim("b", &home)).expect_code(201);
    for path in [&one, &claim_one] {
        let mut update = door.get(path).expect_code(200).json();
        update["metadata"]["labels"]["updated"] = json!("true");
        let updated = door.put(path, &update).expect_code(200).json();
        assert_eq!(updated["metadata"]["labels"]["updated"], "true");
    }
    let everywhere = format!("/api/v1/persistentvolumeclaims?{mark}");
    assert_eq!(count(door, &everywhere), 1);
    for path in [format!("{claims}?{mark}"), format!("{VOLUMES}?{mark}")] {
        door.delete(&path).expect_code(200);
        assert_eq!(count(door, &path), 0);
    }
}

#[test]
fn the_status_of_volumes_and_claims_is_changed_by_itself() {
    let door = Door::open();
    let home = door.namespace();
    let (claims, name) = (claims(&home), format!("s-{home}"));
    let one = format!("{VOLUMES}/{name}/status");
    let claim_one = format!("{claims}/s/status");
    door.post(VOLUMES, &volume(&name, &home)).expect_code(201);
    door.post(&claims, &claim("s", &home)).expect_code(201);
    assert_eq!(count(door, &format!("{claims}?labelSelector=mark%3D{home}")), 1);
    let mut update = door.get(&one).expect_code(200).json();
    let said = |word: &str| json!({ "message": word, "reason": "Test" });
    let patched = door.merge(&one, &json!({ "status": said("StatusPatched") })).expect_code(200);
    assert_eq!(patched.json()["status"]["message"], "StatusPatched");
    update["metadata"]["resourceVersion"] = patched.json()["metadata"]["resourceVersion"].clone();
    update["status"]["message"] = json!("StatusUpdated");
    let updated = door.put(&one, &update).expect_code(200).json();
    assert_eq!(updated["status"]["message"], "StatusUpdated");
    door.get(&claim_one).expect_code(200);
    let condition = |kind: &str| json!({ "type": kind, "status": "True", "reason": "Test", "message": "Set by a test" });
    let patch = json!({ "status": { "conditions": [condition("StatusPatched")] } });
    let mut update = door.merge(&claim_one, &patch).expect_code(200).json();
    assert_eq!(update["status"]["conditions"][0]["type"], "StatusPatched");
    update["status"]["conditions"].as_array_mut().unwrap().push(condition("StatusUpdated"));
    let updated = door.put(&claim_one, &update).expect_code(200).json();
    assert_eq!(updated["status"]["conditions"][1]["type"], "StatusUpdated");
    door.delete(&format!("{claims}/s")).expect_code(200);
    door.delete(&format!("{VOLUMES}/{name}")).expect_code(200);
}

#[test]
fn a_pod_with_a_volume_of_its_own_has_a_life() {
    let door = Door::open();
    let home = door.home();
    let pods = format!("/api/v1/namespaces/{home}/pods");
    let driver = json!({
        "metadata": { "name": format!("inline-{home}.example.com") },
        "spec": { "attachRequired": false, "volumeLifecycleModes": ["Ephemeral"] },
    });
    door.post("/apis/storage.k8s.io/v1/csidrivers", &driver).expect_code(201);
    let csi = json!({ "driver": driver["metadata"]["name"], "volumeAttributes": { "a": "b" } });
    let mount = json!({ "name": "own", "mountPath": "/own" });
    let container = json!({ "name": "c", "image": "c:1", "volumeMounts": [mount] });
    let spec = json!({ "containers": [container], "volumes": [{ "name": "own", "csi": csi }] });
    let body = json!({ "metadata": { "name": "inline" }, "spec": spec });
    door.post(&pods, &body).expect_code(201);
    let one = format!("{pods}/inline");
    let read = door.get(&one).expect_code(200).json();
    assert_eq!(read["spec"]["volumes"][0]["csi"], csi);
    assert_eq!(count(door, &pods), 1);
    let patch = json!({ "metadata": { "labels": { "patched": "true" } } });
    let patched = door.merge(&one, &patch).expect_code(200).json();
    assert_eq!(patched["metadata"]["labels"]["patched"], "true");
    let mut watch = door.watch(&format!("{pods}?watch=true"));
    door.delete(&one).expect_code(200);
    watch.gone();
    door.get(&one).expect_code(404);
}
