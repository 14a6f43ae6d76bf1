//! What becomes of objects whose owners are deleted.

use serde_json::{Value, json};

use crate::door::Door;

/// A place for ConfigMaps that own each other; each has a label, so that nobody else's is seen.
fn maps(door: &Door) -> String {
    format!("/api/v1/namespaces/{}/configmaps", door.namespace())
}

fn owned(door: &Door, maps: &str, name: &str, owners: &[&Value]) -> Value {
    let owner = |one: &&Value| {
        json!({
            "apiVersion": "v1", "kind": "ConfigMap", "name": one["metadata"]["name"],
            "uid": one["metadata"]["uid"], "blockOwnerDeletion": true,
        })
    };
    let owners: Vec<Value> = owners.iter().map(owner).collect();
    let labels = json!({ "garbage": "test" });
    let metadata = json!({ "name": name, "labels": labels, "ownerReferences": owners });
    door.post(maps, &json!({ "metadata": metadata })).expect_code(201).json()
}

fn delete(door: &Door, path: &str, policy: &str) {
    let options =
        json!({ "kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": policy });
    door.send("DELETE", path, "application/json", &options).expect_code(200);
}

fn deployment(door: &Door) -> (String, String) {
    let version = format!("/apis/apps/v1/namespaces/{}", door.namespace());
    let labels = json!({ "garbage": "test" });
    let spec = json!({ "containers": [{ "name": "c", "image": "c:1" }] });
    let body = json!({
        "metadata": { "name": "d" },
        "spec": {
            "replicas": 0,
            "selector": { "matchLabels": labels },
            "template": { "metadata": { "labels": labels }, "spec": spec },
        },
    });
    door.post(&format!("{version}/deployments"), &body).expect_code(201);
    (format!("{version}/deployments/d"), format!("{version}/replicasets"))
}

#[test]
fn what_a_deployment_made_goes_with_it() {
    let door = Door::open();
    let (deployment, sets) = deployment(door);
    let mut watch = door.watch(&format!("{sets}?watch=true"));
    assert_eq!(watch.event().0, "ADDED");
    delete(door, &deployment, "Background");
    while watch.event().0 != "DELETED" {}
    door.get(&deployment).expect_code(404);
}

#[test]
fn what_is_orphaned_stays_and_names_no_owner() {
    let door = Door::open();
    let (deployment, sets) = deployment(door);
    let mut watch = door.watch(&format!("{sets}?watch=true"));
    let (_, mut set) = watch.event();
    delete(door, &deployment, "Orphan");
    while set["metadata"].get("ownerReferences").is_some() {
        let (word, changed) = watch.event();
        assert_ne!(word, "DELETED");
        set = changed;
    }
    let mut gone = door.watch(&format!("{}?watch=true", deployment.trim_end_matches("/d")));
    // It is gone before its watch began, or the watch tells.
    if door.get(&deployment).code == 200 {
        while gone.event().0 != "DELETED" {}
    }
    let left = door.get(&sets).expect_code(200).json();
    assert_eq!(left["items"].as_array().unwrap().len(), 1);
}

#[test]
fn a_circle_of_owners_goes() {
    let door = Door::open();
    let maps = maps(door);
    let first = owned(door, &maps, "a", &[]);
    let second = owned(door, &maps, "b", &[&first]);
    let third = owned(door, &maps, "c", &[&second]);
    let back = json!({ "metadata": { "ownerReferences": [{
        "apiVersion": "v1", "kind": "ConfigMap", "name": "c", "uid": third["metadata"]["uid"],
        "blockOwnerDeletion": true,
    }] } });
    let first = door.merge(&format!("{maps}/a"), &back).expect_code(200).json();
    let revision = first["metadata"]["resourceVersion"].as_str().unwrap();
    let select = "labelSelector=garbage%3Dtest";
    let mut watch = door.watch(&format!("{maps}?watch=true&{select}&resourceVersion={revision}"));
    delete(door, &format!("{maps}/a"), "Foreground");
    let mut gone = 0;
    while gone < 3 {
        gone += usize::from(watch.event().0 == "DELETED");
    }
    let left = door.get(&format!("{maps}?{select}")).expect_code(200).json();
    assert_eq!(left["items"], json!([]));
}

#[test]
fn who_has_another_owner_stays() {
    let door = Door::open();
    let maps = maps(door);
    let leaving = owned(door, &maps, "leaving", &[]);
    let staying = owned(door, &maps, "staying", &[]);
    let both = owned(door, &maps, "both", &[&leaving, &staying]);
    let one = owned(door, &maps, "one", &[&leaving]);
    let revision = one["metadata"]["resourceVersion"].as_str().unwrap();
    let select = "labelSelector=garbage%3Dtest";
    let mut watch = door.watch(&format!("{maps}?watch=true&{select}&resourceVersion={revision}"));
    delete(door, &format!("{maps}/leaving"), "Foreground");
    let mut gone = Vec::new();
    while gone.len() < 2 {
        let (word, object) = watch.event();
        if word == "DELETED" {
            gone.push(object["metadata"]["name"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(gone, ["one", "leaving"]);
    let left = door.get(&format!("{maps}/both")).expect_code(200).json();
    assert_eq!(left["metadata"]["uid"], both["metadata"]["uid"]);
    let owners = left["metadata"]["ownerReferences"].as_array().unwrap();
    assert_eq!((owners.len(), &owners[0]["name"]), (1, &json!("staying")));
}
