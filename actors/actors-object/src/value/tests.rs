//! Trees: access, building, equality, serde.

use crate::{Map, Value, value};

#[test]
fn what_is_absent_reads_as_null_or_empty() {
    let tree = value!({ "a": { "b": [1, "x", null] }, "n": 2.0, "t": true });
    assert_eq!(tree.at("none").at("deeper"), &Value::Null);
    assert_eq!(tree.list_at(&["a", "b"]).len(), 3);
    assert_eq!(tree.list_at(&["a", "c"]).len(), 0);
    assert_eq!(tree.i64_at(&["n"]), Some(2));
    assert_eq!(tree.bool_at(&["t"]), Some(true));
    assert_eq!(tree.str_at(&["t"]), None);
    assert!(tree.map_at(&["none"]).is_empty());
    assert_eq!(tree.depth(), 3);
}

#[test]
fn paths_are_set_and_removed() {
    let mut tree = value!({ "a": 1 });
    tree.set_path(&["spec", "replicas"], 3);
    tree.set_path(&["a", "b"], "x");
    assert_eq!(tree, value!({ "a": { "b": "x" }, "spec": { "replicas": 3 } }));
    assert_eq!(tree.remove_path(&["a", "b"]), Some("x".into()));
    assert_eq!(tree.remove_path(&["a", "b"]), None);
    assert_eq!(tree.remove_path(&[]), None);
    assert_eq!(tree, value!({ "a": {}, "spec": { "replicas": 3 } }));
}

#[test]
fn maps_keep_their_order_and_compare_without_it() {
    let mut map: Map = [("b", 1), ("a", 2), ("b", 3)].into_iter().collect();
    assert_eq!(map.keys().map(|name| name.as_str()).collect::<Vec<_>>(), ["b", "a"]);
    assert_eq!(Value::Map(map.clone()), value!({ "a": 2, "b": 3 }));
    assert_ne!(Value::Map(map.clone()), value!({ "a": 2, "c": 3 }));
    assert!(!map.set_default("a", 9));
    assert!(map.set_default("c", 9));
    map.merge(Map::from_iter([("a", 5), ("d", 6), ("c", 0)]), |name, place, new| {
        *place = new;
        name != "c"
    });
    assert_eq!(Value::Map(map), value!({ "b": 3, "a": 5, "d": 6 }));
}

#[test]
fn trees_pass_through_serde() {
    let tree = value!({ "s": "x", "l": [1, 2.5, true, null], "m": {} });
    let text = serde_json::to_string(&tree).expect("a tree is written");
    assert_eq!(serde_json::from_str::<Value>(&text).expect("a tree is read"), tree);
    let large = serde_json::from_str::<Value>("18446744073709551615").expect("a number is read");
    assert_eq!(large, Value::Float(18_446_744_073_709_551_615.0));
}
