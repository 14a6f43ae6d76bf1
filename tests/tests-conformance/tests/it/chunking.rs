//! Long lists in pieces, as client libraries ask for them.

use std::collections::BTreeSet;

use kube::api::{DynamicObject, ListParams};
use serde_json::json;
use tests_conformance::objects::{Objects, refusal};

use crate::door::Door;

/// How many objects are listed.
const COUNT: usize = 40;

/// Templates in a namespace of their own.
fn templates() -> Objects {
    let door = Door::open();
    let templates = Objects::of(door, "v1", "podtemplates", Some(&door.namespace()));
    for number in 0..COUNT {
        let spec = json!({ "containers": [{ "name": "test", "image": "test:1" }] });
        let template = json!({ "metadata": { "labels": { "a": "b" } }, "spec": spec });
        let rest = json!({ "template": template });
        let object = templates.object(&format!("template-{number:04}"), ("c", "d"), rest);
        templates.create(&object).unwrap();
    }
    templates
}

fn names(items: &[DynamicObject]) -> Vec<String> {
    items.iter().map(|item| item.metadata.name.clone().unwrap()).collect()
}

#[test]
fn a_list_comes_in_pieces_of_one_revision() {
    let templates = templates();
    let (mut seen, mut params, mut revision) =
        (BTreeSet::new(), ListParams::default().limit(7), None);
    loop {
        let list = templates.list(&params).unwrap();
        let found = names(&list.items);
        assert!(found.len() <= 7);
        let own = list.metadata.resource_version.unwrap();
        assert_eq!(*revision.get_or_insert(own.clone()), own);
        for name in found {
            assert!(seen.insert(name.clone()), "{name} came twice");
        }
        match list.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(next) => {
                let left = list.metadata.remaining_item_count.unwrap();
                assert_eq!(seen.len() + usize::try_from(left).unwrap(), COUNT);
                params = params.continue_token(&next);
            }
            None => break,
        }
    }
    assert_eq!(seen.len(), COUNT);
    let whole = templates.list(&ListParams::default()).unwrap();
    assert_eq!(names(&whole.items), seen.into_iter().collect::<Vec<_>>());
    assert_eq!(whole.metadata.continue_, None);
}

#[test]
fn what_changes_between_two_pieces_is_not_seen() {
    let templates = templates();
    let first = templates.list(&ListParams::default().limit(5)).unwrap();
    templates.delete("template-0030").unwrap();
    let token = first.metadata.continue_.unwrap();
    let rest = templates.list(&ListParams::default().continue_token(&token)).unwrap();
    assert!(names(&rest.items).contains(&"template-0030".to_owned()));
    assert_eq!(first.items.len() + rest.items.len(), COUNT);
    // A token that nobody gave is refused.
    let wrong = ListParams::default().limit(5).continue_token("abc");
    assert_eq!(refusal(templates.list(&wrong)), 400);
}
