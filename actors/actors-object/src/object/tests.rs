//! Objects: metadata is found, set and removed.

use super::*;

#[test]
fn metadata_is_read_and_set() {
    let mut object = Object::new(&Gvk::new("apps", "v1", "Deployment"), "default", "web");
    assert_eq!((object.api_version(), object.kind()), ("apps/v1", "Deployment"));
    assert_eq!((object.namespace(), object.name(), object.uid()), ("default", "web", ""));
    object.set_uid("u1");
    object.set_label("app", "web");
    object.set_annotation("a", "b");
    object.set_finalizers(["x/y"]);
    object.set_generation(2);
    object.set_resource_version("7");
    assert_eq!(object.label("app"), Some("web"));
    assert_eq!(object.annotation("a"), Some("b"));
    assert_eq!(object.finalizers().collect::<Vec<_>>(), ["x/y"]);
    assert_eq!((object.generation(), object.resource_version()), (2, "7"));
    object.set_resource_version("");
    object.set_finalizers([]);
    assert_eq!(object.get("metadata").and_then(|meta| meta.get("resourceVersion")), None);
    assert_eq!(object.get("metadata").and_then(|meta| meta.get("finalizers")), None);
    assert!(!object.is_terminating());
}

#[test]
fn owners_survive_a_round_trip() {
    let mut owner = Object::new(&Gvk::new("apps", "v1", "ReplicaSet"), "default", "web-1");
    owner.set_uid("u2");
    let mut pod = Object::new(&Gvk::new("", "v1", "Pod"), "default", "web-1-x");
    let plain =
        OwnerRef { controller: false, block_owner_deletion: false, ..OwnerRef::controller(&owner) };
    pod.set_owners(&[plain.clone(), OwnerRef::controller(&owner)]);
    assert_eq!(pod.owners(), [plain, OwnerRef::controller(&owner)]);
    assert_eq!(pod.controller_of().map(|owner| owner.gvk()), Some(owner.gvk()));
    pod.set_owners(&[]);
    assert_eq!(pod.controller_of(), None);
}
