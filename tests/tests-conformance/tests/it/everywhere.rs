//! The three servers are one to their users: what one has acknowledged each shows, in the same words.

use serde_json::{Value, json};
use tests_conformance::servers::NODES;

use crate::door::Door;

#[test]
fn what_one_server_acknowledged_is_read_at_each() {
    let door = Door::open();
    let maps = format!("/api/v1/namespaces/{}/configmaps", door.namespace());
    let one = format!("{maps}/one");
    for (round, writer) in (0..NODES.len()).cycle().take(12).enumerate() {
        let body = json!({ "metadata": { "name": "one" }, "data": { "round": round.to_string() } });
        door.at(writer).post(&maps, &body).expect_code(201);
        for reader in 0..NODES.len() {
            let read = door.at(reader).get(&one).expect_code(200).json();
            assert_eq!(read["data"]["round"], round.to_string(), "{writer} to {reader}");
        }
        door.at(writer).delete(&one).expect_code(200);
        for reader in 0..NODES.len() {
            door.at(reader).get(&one).expect_code(404);
        }
    }
}

#[test]
fn lists_and_watches_are_the_same_at_each() {
    let door = Door::open();
    let templates = format!("/api/v1/namespaces/{}/podtemplates", door.namespace());
    let spec = json!({ "containers": [{ "name": "c", "image": "c:1" }] });
    let body = |name: &str| json!({ "metadata": { "name": name }, "template": { "spec": spec } });
    door.post(&templates, &body("a")).expect_code(201);
    let list = door.get(&templates).expect_code(200);
    let revision = list.json()["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    door.post(&templates, &body("b")).expect_code(201);
    door.delete(&format!("{templates}/a")).expect_code(200);
    let exact = format!("{templates}?resourceVersion={revision}&resourceVersionMatch=Exact");
    let watch = format!("{templates}?watch=true&resourceVersion={revision}");
    let events =
        |server: usize| -> Vec<(String, Value)> { door.at(server).watch(&watch).take(2).collect() };
    let first = events(0);
    assert_eq!([&*first[0].0, &*first[1].0], ["ADDED", "DELETED"]);
    for server in 0..NODES.len() {
        assert_eq!(door.at(server).get(&exact).expect_code(200).text(), list.text());
        assert_eq!(events(server), first);
    }
}

#[test]
fn a_collection_is_deleted_with_all_that_was_acknowledged_elsewhere() {
    let door = Door::open();
    let all = format!("/apis/coordination.k8s.io/v1/namespaces/{}/leases", door.namespace());
    for (round, server) in (0..NODES.len()).cycle().take(12).enumerate() {
        for number in 0..3 {
            let body = json!({ "metadata": { "name": format!("{round}-{number}") } });
            door.at(server).post(&all, &body).expect_code(201);
        }
        door.at(server + 1).delete(&all).expect_code(200);
        let left = door.at(server + 2).get(&all).expect_code(200).json();
        assert_eq!(left["items"], json!([]), "round {round}");
    }
}
