//! Watches: from any revision, all in one order, and with what a selector's borders mean.

use serde_json::{Value, json};

use crate::door::Door;

fn config_map(name: &str, label: &str, text: &str) -> Value {
    json!({ "metadata": { "name": name, "labels": { "watch": label } }, "data": { "text": text } })
}

/// Each namespace has a ConfigMap that nobody here made: all watches select by a label.
fn maps(door: &Door) -> String {
    format!("/api/v1/namespaces/{}/configmaps", door.namespace())
}

#[test]
fn each_watch_hears_of_its_own_objects_only() {
    let door = Door::open();
    let maps = maps(door);
    let select = |what: &str| format!("{maps}?watch=true&labelSelector={what}");
    let mut a = door.watch(&select("watch%3Da"));
    let mut b = door.watch(&select("watch%3Db"));
    let mut both = door.watch(&select("watch%20in%20(a%2Cb)"));
    door.post(&maps, &config_map("x", "a", "1")).expect_code(201);
    door.merge(&format!("{maps}/x"), &json!({ "data": { "text": "2" } })).expect_code(200);
    door.delete(&format!("{maps}/x")).expect_code(200);
    door.post(&maps, &config_map("y", "b", "1")).expect_code(201);
    door.delete(&format!("{maps}/y")).expect_code(200);
    a.expect(&["ADDED x", "MODIFIED x", "DELETED x"]);
    b.expect(&["ADDED y", "DELETED y"]);
    both.expect(&["ADDED x", "MODIFIED x", "DELETED x", "ADDED y", "DELETED y"]);
}

#[test]
fn a_watch_begins_behind_the_revision_that_it_names() {
    let door = Door::open();
    let maps = maps(door);
    door.post(&maps, &config_map("x", "a", "1")).expect_code(201);
    let one = format!("{maps}/x");
    let first = door.merge(&one, &json!({ "data": { "text": "2" } })).expect_code(200).json();
    door.merge(&one, &json!({ "data": { "text": "3" } })).expect_code(200);
    door.delete(&one).expect_code(200);
    let revision = first["metadata"]["resourceVersion"].as_str().unwrap();
    let mut watch =
        door.watch(&format!("{maps}?labelSelector=watch&watch=true&resourceVersion={revision}"));
    watch.expect(&["MODIFIED x", "DELETED x"]);
}

#[test]
fn a_watch_goes_on_where_the_one_before_ended() {
    let door = Door::open();
    let maps = maps(door);
    let mut watch = door.watch(&format!("{maps}?labelSelector=watch&watch=true"));
    door.post(&maps, &config_map("x", "a", "1")).expect_code(201);
    let (word, seen) = watch.event();
    assert_eq!(word, "ADDED");
    drop(watch);
    let one = format!("{maps}/x");
    door.merge(&one, &json!({ "data": { "text": "2" } })).expect_code(200);
    door.delete(&one).expect_code(200);
    let revision = seen["metadata"]["resourceVersion"].as_str().unwrap();
    let mut watch =
        door.watch(&format!("{maps}?labelSelector=watch&watch=true&resourceVersion={revision}"));
    watch.expect(&["MODIFIED x", "DELETED x"]);
}

#[test]
fn what_leaves_a_selector_is_deleted_for_its_watchers_and_added_when_it_comes_back() {
    let door = Door::open();
    let maps = maps(door);
    let mut watch = door.watch(&format!("{maps}?watch=true&labelSelector=watch%3Da"));
    door.post(&maps, &config_map("x", "a", "1")).expect_code(201);
    let one = format!("{maps}/x");
    let set = |patch: Value| door.merge(&one, &patch).expect_code(200);
    set(json!({ "data": { "text": "2" } }));
    set(json!({ "metadata": { "labels": { "watch": "b" } } }));
    set(json!({ "data": { "text": "3" } }));
    set(json!({ "metadata": { "labels": { "watch": "a" } } }));
    set(json!({ "data": { "text": "4" } }));
    door.delete(&one).expect_code(200);
    watch.expect(&["ADDED x", "MODIFIED x", "DELETED x", "ADDED x", "MODIFIED x", "DELETED x"]);
}

#[test]
fn concurrent_watches_hear_the_same_in_the_same_order() {
    let door = Door::open();
    let maps = maps(door);
    let list = door.get(&maps).expect_code(200).json();
    let start = list["metadata"]["resourceVersion"].as_str().unwrap();
    let from = |revision: &str| {
        format!("{maps}?labelSelector=watch&watch=true&resourceVersion={revision}")
    };
    let mut first = door.watch(&from(start));
    for number in 0..10 {
        door.post(&maps, &config_map(&format!("m{number}"), "a", "1")).expect_code(201);
    }
    for number in (0..10).rev() {
        let one = format!("{maps}/m{number}");
        door.merge(&one, &json!({ "data": { "text": "2" } })).expect_code(200);
        if number % 2 == 0 {
            door.delete(&one).expect_code(200);
        }
    }
    let told: Vec<(String, Value)> = (0..25).map(|_| first.event()).collect();
    for (index, (_, object)) in told.iter().enumerate().take(24) {
        // Each of the others begins behind another event of the first.
        let revision = object["metadata"]["resourceVersion"].as_str().unwrap();
        let mut other = door.watch(&from(revision));
        for expected in &told[index + 1..] {
            assert_eq!(other.event(), *expected);
        }
    }
}
