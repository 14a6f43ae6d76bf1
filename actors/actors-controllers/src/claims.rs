//! Which objects a controller owns: those it made, those that match its selector and have no owner
//! (adopted), less those that no longer match (released).
//!
//! Way in: [`claim`].  Writes: `metadata.ownerReferences` of the objects claimed.  Never: an object
//! of another owner.
//! Spec: Kubernetes documentation, "ReplicaSet", acquiring pods and isolating them.

use std::sync::Arc;

use actors_controller::{Kind, Plan, World};
use actors_object::{FieldPath, LabelSelector, Object, OwnerRef, Value, value};

use crate::kinds::REPLICATION_CONTROLLER;

/// The selector in `spec.selector`; `None` if it is wrong or would match everything. That of a
/// ReplicationController is labels alone.
pub(crate) fn selector_of(owner: &Object) -> Option<LabelSelector> {
    let given = owner.spec().at("selector");
    let selector = match REPLICATION_CONTROLLER.is_kind_of(owner) {
        true => LabelSelector::from_map(given.as_map()?),
        false => LabelSelector::from_value(given, &FieldPath::root()).ok()?,
    };
    (!selector.is_everything()).then_some(selector)
}

/// The objects of `kind` that `owner` controls after this plan, ordered by name.
pub(crate) fn claim(
    owner: &Object,
    selector: &LabelSelector,
    kind: &Kind,
    world: &dyn World,
    plan: &mut Plan,
) -> Vec<Arc<Object>> {
    let mut claimed = Vec::new();
    for object in world.matching(kind, Some(owner.namespace()), selector) {
        match object.controller_uid() {
            Some(controller) if controller == owner.uid() => claimed.push(object),
            Some(_) => {}
            None if owner.is_terminating() || object.is_terminating() => {}
            None => {
                adopt(owner, &object, plan);
                claimed.push(object);
            }
        }
    }
    for object in world.owned_by(owner.uid()) {
        let is_controlled = || object.controller_uid() == Some(owner.uid());
        let strays = kind.is_kind_of(&object) && !selector.matches(&*object) && is_controlled();
        if strays && !owner.is_terminating() && !object.is_terminating() {
            release(owner, &object, plan);
        }
    }
    claimed.sort_by(|one, other| one.name().cmp(other.name()));
    claimed
}

fn adopt(owner: &Object, object: &Object, plan: &mut Plan) {
    let mut owners = object.owners();
    owners.retain(|other| other.uid != owner.uid());
    owners.push(OwnerRef::controller(owner));
    plan.patch_exactly(object, owners_patch(&owners));
}

fn release(owner: &Object, object: &Object, plan: &mut Plan) {
    let mut owners = object.owners();
    owners.retain(|other| other.uid != owner.uid());
    plan.patch_exactly(object, owners_patch(&owners));
}

/// The merge patch that sets the whole list of owners.
pub(crate) fn owners_patch(owners: &[OwnerRef]) -> Value {
    let list: Vec<Value> = owners.iter().map(OwnerRef::to_value).collect();
    let list = if list.is_empty() { Value::Null } else { Value::List(list) };
    value!({ "metadata": { "ownerReferences": list } })
}
