//! What is collected, and in which order.

use actors_controller::{Item, Propagation, Target, testing::Scene};
use actors_object::{Object, Value, value};

use super::GarbageController;
use crate::kinds::CONFIG_MAP;

/// A ConfigMap owned by others, each `(name, blocks)`.
fn owned(name: &str, owners: &[(&str, bool)]) -> Object {
    let refs = owners.iter().map(|(owner, blocks)| {
        value!({
            "apiVersion": "v1", "kind": "ConfigMap", "name": *owner,
            "uid": format!("uid-of-{owner}"), "blockOwnerDeletion": *blocks,
        })
    });
    let refs: Vec<Value> = refs.collect();
    let mut object = Object(value!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": name, "namespace": "d", "uid": format!("uid-of-{name}") },
    }));
    if !refs.is_empty() {
        object.set_path(&["metadata", "ownerReferences"], refs);
    }
    object
}

fn delete(scene: &mut Scene, name: &str, propagation: Propagation) {
    let object = scene.get(&CONFIG_MAP, &format!("d/{name}")).expect("it exists");
    let item = Item::Delete { target: Target::of(&object), propagation, grace_seconds: None };
    scene.world.apply(&item);
}

/// Names of what is left when all is at rest.
fn left(scene: &mut Scene) -> Vec<String> {
    scene.settle(&[&GarbageController]).expect("rest");
    scene.world.iter().map(|(key, _)| key.name.clone()).collect()
}

fn family() -> Scene {
    Scene::new()
        .with(owned("a", &[]))
        .with(owned("b", &[("a", true)]))
        .with(owned("c", &[("b", true)]))
        .with(owned("x", &[]))
}

#[test]
fn in_the_background_dependents_follow_their_owner() {
    let mut scene = family();
    delete(&mut scene, "a", Propagation::Background);
    assert!(scene.get(&CONFIG_MAP, "d/a").is_none());
    assert_eq!(left(&mut scene), ["x"]);
}

#[test]
fn in_the_foreground_dependents_go_first() {
    let mut scene = family();
    delete(&mut scene, "a", Propagation::Foreground);
    scene.check(&GarbageController, "d/a", "");
    scene.check(&GarbageController, "d/b", "delete ConfigMap/b foreground\n");
    assert_eq!(left(&mut scene), ["x"]);
}

#[test]
fn a_foreground_deletion_does_not_wait_for_dependents_that_do_not_block() {
    let mut scene = Scene::new().with(owned("a", &[])).with(owned("b", &[("a", false)]));
    scene.change(&CONFIG_MAP, "d/b", |b| b.set_finalizers(["demo.dev/hold"]));
    delete(&mut scene, "a", Propagation::Foreground);
    assert_eq!(left(&mut scene), ["b"]);
}

#[test]
fn orphans_stay_without_their_owner() {
    let mut scene = family();
    delete(&mut scene, "a", Propagation::Orphan);
    assert_eq!(left(&mut scene), ["b", "c", "x"]);
    assert!(scene.get(&CONFIG_MAP, "d/b").expect("b").owners().is_empty());
}

#[test]
fn an_object_with_another_owner_stays_and_forgets_the_one_that_is_gone() {
    let mut scene =
        Scene::new().with(owned("x", &[])).with(owned("b", &[("a", false), ("x", false)]));
    assert_eq!(left(&mut scene), ["b", "x"]);
    let owners = scene.get(&CONFIG_MAP, "d/b").expect("b").owners();
    assert_eq!(owners.iter().map(|owner| owner.name.as_str()).collect::<Vec<_>>(), ["x"]);
}

#[test]
fn an_owner_of_the_same_name_with_another_uid_is_no_owner() {
    let mut other = owned("a", &[]);
    other.set_uid("another");
    let mut scene = Scene::new().with(other).with(owned("b", &[("a", false)]));
    assert_eq!(left(&mut scene), ["a"]);
}

#[test]
fn an_owner_in_another_namespace_is_no_owner() {
    let mut far = owned("a", &[]);
    far.set_namespace("elsewhere");
    let mut scene = Scene::new().with(far).with(owned("b", &[("a", false)]));
    assert_eq!(left(&mut scene), ["a"]);
}

#[test]
fn an_owner_of_an_unknown_kind_is_believed() {
    let mut object = owned("b", &[("a", false)]);
    object.set_path(
        &["metadata", "ownerReferences"],
        value!([{ "apiVersion": "demo.dev/v1", "kind": "Pool", "name": "a", "uid": "u" }]),
    );
    assert_eq!(left(&mut Scene::new().with(object)), ["b"]);
}

#[test]
fn a_circle_does_not_block_itself() {
    let mut scene = Scene::new()
        .with(owned("a", &[("c", true)]))
        .with(owned("b", &[("a", true)]))
        .with(owned("c", &[("b", true)]));
    delete(&mut scene, "a", Propagation::Foreground);
    assert_eq!(left(&mut scene), Vec::<String>::new());
}
