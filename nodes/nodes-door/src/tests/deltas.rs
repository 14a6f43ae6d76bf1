//! A small change is a small entry.

use store_mvcc::{Key, Op};

use super::harness::Scene;
use crate::Step;

#[test]
fn a_binding_is_logged_as_the_bytes_that_differ() {
    let mut scene = Scene::new();
    scene.run(
        "
        POST /api/v1/namespaces/default/pods
          metadata: {name: p}
          spec: {containers: [{name: c, image: i}]}
        ",
    );
    let line = "POST /api/v1/namespaces/default/pods/p/binding";
    let request = scene.parse(line, b"target: {kind: Node, name: n1}");
    let step = scene.decide(&request);
    let Step::Propose { proposal, .. } = &step else { panic!("a binding is written") };
    let [Op::Delta { splices, columns, .. }] = proposal.ops.as_slice() else {
        panic!("{:?}", proposal.ops);
    };
    let inserted: usize = splices.iter().map(|splice| splice.insert.len()).sum();
    assert!((1..=3).contains(&splices.len()) && inserted < 600, "{splices:?}");
    assert!(columns.fields.contains(&("spec.nodeName".to_owned(), "n1".to_owned())));
    scene.finish(step);
    let key = Key::object("", "pods", Some("default"), "p");
    let item = scene.catalog.snapshot().get(&key).expect("the pod is there");
    let (object, bytes) = (item.object(), item.bytes_with_rv());
    assert_eq!(object.str_at(&["spec", "nodeName"]), Some("n1"));
    assert!(actors_object::json::from_slice(&bytes).is_ok_and(|tree| tree == object.0));
}
