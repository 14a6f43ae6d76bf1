//! Long lists in pieces.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::door::Door;

/// How many objects are listed.
const COUNT: usize = 40;

fn fill(door: &Door) -> String {
    let all = format!("/api/v1/namespaces/{}/podtemplates", door.namespace());
    for number in 0..COUNT {
        let spec = json!({ "containers": [{ "name": "test", "image": "test:1" }] });
        let template = json!({ "metadata": { "labels": { "a": "b" } }, "spec": spec });
        let name = format!("template-{number:04}");
        let object = json!({ "metadata": { "name": name }, "template": template });
        door.post(&all, &object).expect_code(201);
    }
    all
}

fn names(list: &Value) -> Vec<String> {
    let items = list["items"].as_array().unwrap().iter();
    items.map(|item| item["metadata"]["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_list_comes_in_pieces_of_one_revision() {
    let door = Door::open();
    let all = fill(door);
    let (mut seen, mut token, mut revision) = (BTreeSet::new(), String::new(), None);
    loop {
        let list = door.get(&format!("{all}?limit=7&continue={token}")).expect_code(200).json();
        let found = names(&list);
        assert!(found.len() <= 7);
        let metadata = &list["metadata"];
        let own = metadata["resourceVersion"].as_str().unwrap().to_owned();
        assert_eq!(*revision.get_or_insert(own.clone()), own);
        for name in found {
            assert!(seen.insert(name.clone()), "{name} came twice");
        }
        match metadata["continue"].as_str().filter(|token| !token.is_empty()) {
            Some(next) => {
                let left = metadata["remainingItemCount"].as_u64().unwrap();
                assert_eq!(seen.len() + usize::try_from(left).unwrap(), COUNT);
                next.clone_into(&mut token);
            }
            None => break,
        }
    }
    assert_eq!(seen.len(), COUNT);
    let whole = door.get(&all).expect_code(200).json();
    assert_eq!(names(&whole), seen.into_iter().collect::<Vec<_>>());
    assert_eq!(whole["metadata"].get("continue"), None);
}

#[test]
fn what_changes_between_two_pieces_is_not_seen() {
    let door = Door::open();
    let all = fill(door);
    let first = door.get(&format!("{all}?limit=5")).expect_code(200).json();
    door.delete(&format!("{all}/template-0030")).expect_code(200);
    let token = first["metadata"]["continue"].as_str().unwrap();
    let rest = door.get(&format!("{all}?continue={token}")).expect_code(200).json();
    assert!(names(&rest).contains(&"template-0030".to_owned()));
    assert_eq!(names(&first).len() + names(&rest).len(), COUNT);
    // A token that nobody gave is refused.
    door.get(&format!("{all}?limit=5&continue=abc")).expect_code(400);
}
