//! ReplicationControllers: their pods, and what becomes of those when a controller is deleted.

use serde_json::{Value, json};

use crate::door::{Door, Watch};

/// A namespace and what is in it.
struct Place<'a> {
    door: &'a Door,
    home: String,
}

impl Place<'static> {
    fn new() -> Self {
        let door = Door::open();
        Self { door, home: door.home() }
    }

    fn path(&self, plural: &str) -> String {
        format!("/api/v1/namespaces/{}/{plural}", self.home)
    }

    fn watch(&self, plural: &str) -> Watch {
        self.door.watch(&format!("{}?watch=true", self.path(plural)))
    }

    /// Makes a controller, and returns when all its pods are counted.
    fn controller(&self, name: &str, replicas: u64) -> Value {
        let labels = json!({ "name": name });
        let spec = json!({ "containers": [{ "name": "c", "image": "c:1" }] });
        let body = json!({
            "metadata": { "name": name },
            "spec": {
                "replicas": replicas,
                "template": { "metadata": { "labels": labels }, "spec": spec },
            },
        });
        let made = self.door.post(&self.path("replicationcontrollers"), &body);
        // It selects what its template makes.
        assert_eq!(made.expect_code(201).json()["spec"]["selector"], labels);
        self.watch("replicationcontrollers").until(|_, one| {
            one["metadata"]["name"] == name && one["status"]["readyReplicas"] == replicas
        })
    }

    fn pods(&self) -> Vec<Value> {
        let list = self.door.get(&self.path("pods")).expect_code(200).json();
        list["items"].as_array().unwrap().clone()
    }

    fn delete(&self, name: &str, policy: &str) {
        let options =
            json!({ "kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": policy });
        let path = format!("{}/{name}", self.path("replicationcontrollers"));
        self.door.send("DELETE", &path, "application/json", &options).expect_code(200);
    }
}

fn revision(object: &Value) -> u64 {
    object["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap()
}

fn owner(pod: &Value) -> &Value {
    &pod["metadata"]["ownerReferences"][0]["uid"]
}

#[test]
fn pods_go_after_their_controller() {
    let place = Place::new();
    let made = place.controller("rc", 2);
    let pods = place.pods();
    assert!(pods.len() == 2 && pods.iter().all(|pod| *owner(pod) == made["metadata"]["uid"]));
    let (mut controllers, mut watch) = (place.watch("replicationcontrollers"), place.watch("pods"));
    place.delete("rc", "Background");
    let gone = revision(&controllers.gone());
    for _ in 0..2 {
        assert!(revision(&watch.gone()) > gone);
    }
    assert!(place.pods().is_empty());
}

#[test]
fn orphaned_pods_stay_and_name_no_owner() {
    let place = Place::new();
    place.controller("rc", 10);
    place.controller("other", 1);
    let before = place.pods();
    let mut controllers = place.watch("replicationcontrollers");
    place.delete("rc", "Orphan");
    assert_eq!(controllers.gone()["metadata"]["name"], "rc");
    // Whoever collects what is left over has been past them when it has collected something later.
    let mut watch = place.watch("pods");
    place.delete("other", "Background");
    let last = watch.gone();
    assert_eq!(last["metadata"]["labels"]["name"], "other");
    let left = place.pods();
    assert_eq!(left.len(), 10);
    for pod in &left {
        assert!(before.iter().any(|one| one["metadata"]["uid"] == pod["metadata"]["uid"]));
        assert_eq!(pod["metadata"].get("ownerReferences"), None);
        assert_eq!(pod["metadata"].get("deletionTimestamp"), None);
    }
}

#[test]
fn a_controller_stays_until_all_its_pods_are_gone() {
    let place = Place::new();
    place.controller("rc", 3);
    let (mut controllers, mut watch) = (place.watch("replicationcontrollers"), place.watch("pods"));
    // One pod is held for as long as somebody wants it.
    let held = place.pods()[0]["metadata"]["name"].as_str().unwrap().to_owned();
    let held = format!("{}/{held}", place.path("pods"));
    let hold = json!({ "metadata": { "finalizers": ["example.com/hold"] } });
    place.door.merge(&held, &hold).expect_code(200);
    place.delete("rc", "Foreground");
    let (first, second) = (revision(&watch.gone()), revision(&watch.gone()));
    let one = format!("{}/rc", place.path("replicationcontrollers"));
    let waits = place.door.get(&one).expect_code(200).json();
    assert!(waits["metadata"]["deletionTimestamp"].is_string());
    assert_eq!(waits["metadata"]["finalizers"], json!(["foregroundDeletion"]));
    assert_eq!(place.pods().len(), 1);
    place.door.merge(&held, &json!({ "metadata": { "finalizers": null } })).expect_code(200);
    let third = revision(&watch.gone());
    let last = revision(&controllers.gone());
    assert!(first < last && second < last && third < last);
    place.door.get(&one).expect_code(404);
}

#[test]
fn pods_that_no_longer_match_are_released_and_replaced() {
    let place = Place::new();
    let made = place.controller("rc", 1);
    let pod = place.pods()[0].clone();
    let name = pod["metadata"]["name"].as_str().unwrap();
    let other = json!({ "metadata": { "labels": { "name": "not-matching" } } });
    place.door.merge(&format!("{}/{name}", place.path("pods")), &other).expect_code(200);
    let mut watch = place.watch("pods");
    let mut released = false;
    let mut replaced = false;
    while !released || !replaced {
        let (_, seen) = watch.event();
        let is_it = seen["metadata"]["uid"] == pod["metadata"]["uid"];
        released |= is_it && seen["metadata"].get("ownerReferences").is_none();
        replaced |= !is_it && *owner(&seen) == made["metadata"]["uid"];
    }
}

#[test]
fn a_controller_says_why_it_has_too_few_pods() {
    let place = Place::new();
    let quota = json!({ "metadata": { "name": "two" }, "spec": { "hard": { "pods": "2" } } });
    place.door.post(&place.path("resourcequotas"), &quota).expect_code(201);
    place.watch("resourcequotas").until(|_, quota| quota["status"]["hard"]["pods"] == "2");
    let labels = json!({ "name": "rc" });
    let spec = json!({ "containers": [{ "name": "c", "image": "c:1" }] });
    let template = json!({ "metadata": { "labels": labels }, "spec": spec });
    let body =
        json!({ "metadata": { "name": "rc" }, "spec": { "replicas": 3, "template": template } });
    place.door.post(&place.path("replicationcontrollers"), &body).expect_code(201);
    let mut watch = place.watch("replicationcontrollers");
    let failed = watch.until(|_, one| one["status"]["conditions"][0]["type"] == "ReplicaFailure");
    let condition = &failed["status"]["conditions"][0];
    assert_eq!(
        (&condition["status"], &condition["reason"]),
        (&json!("True"), &json!("FailedCreate"))
    );
    assert!(condition["message"].as_str().unwrap().contains("exceeded quota"), "{condition}");
    let scale = format!("{}/rc/scale", place.path("replicationcontrollers"));
    place.door.merge(&scale, &json!({ "spec": { "replicas": 2 } })).expect_code(200);
    let whole = watch.until(|_, one| one["status"].get("conditions").is_none());
    assert_eq!(whole["status"]["replicas"], 2);
}
