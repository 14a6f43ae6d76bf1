//! Collects what has no owner any longer, and carries out foreground and orphaning deletions.
//!
//! Way in: [`GarbageController`].  Writes: deletions, owner references and the two deletion
//! finalizers, of any kind.
//! Never: a deletion by name alone, or because an owner's kind is not known.
//! A view is complete at its revision, so an owner that it does not show is gone: its uid can never
//! come back.
//! Spec: Kubernetes documentation, "Garbage Collection", "Owners and Dependents".

use std::sync::Arc;

use actors_controller::{
    Access, Controller, Key, Kind, Plan, Primary, Propagation, Relations, Target, World, WriteVerb,
};
use actors_core::Now;
use actors_object::{Object, OwnerRef, Value, value};

use crate::claims::owners_patch;

/// See the module.
#[derive(Debug, Clone, Copy, Default)]
pub struct GarbageController;

const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";
/// Most dependents that one plan lets go of.
const BATCH_MAX: usize = 500;

impl Controller for GarbageController {
    fn name(&self) -> &'static str {
        "garbage-collector"
    }

    fn primary(&self) -> Primary {
        Primary::Any
    }

    fn relations(&self) -> Relations {
        Relations::default().watches_all(concerned_by)
    }

    fn access(&self) -> Access {
        Access::reads_all()
            .writes_all(WriteVerb::Delete, &[])
            .writes_all(WriteVerb::Patch, &["metadata.ownerReferences", "metadata.finalizers"])
    }

    fn reconcile(&self, object: &Object, world: &dyn World, _now: Now) -> Plan {
        let mut plan = Plan::default();
        if !object.is_terminating() {
            plan_dependent(object, world, &mut plan);
        } else if has_finalizer(object, ORPHAN) {
            plan_orphaning(object, world, &mut plan);
        } else if has_finalizer(object, FOREGROUND) {
            plan_foreground(object, world, &mut plan);
        }
        plan
    }
}

/// How an owner stands, seen from a dependent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// It exists.
    Solid,
    /// It waits for its dependents to go.
    Waiting,
    /// There is no such object.
    Absent,
}

fn standing(owner: &OwnerRef, dependent: &Object, world: &dyn World) -> Standing {
    let kind = Kind::owned(owner.api_version.clone(), owner.kind.clone());
    let at_home = |found: &Object| {
        let home = found.namespace();
        home.is_empty() || home == dependent.namespace()
    };
    match world.by_uid(&owner.uid) {
        Some(found) if kind.is_kind_of(&found) && found.name() == owner.name && at_home(&found) => {
            let waits = found.is_terminating() && has_finalizer(&found, FOREGROUND);
            if waits { Standing::Waiting } else { Standing::Solid }
        }
        // Of a kind that is not served nothing can be said, so its objects are believed to exist.
        _ if world.kinds().iter().any(|served| served.kind.is_same(&kind)) => Standing::Absent,
        _ => Standing::Solid,
    }
}

/// Lets an object go when no owner is left, and forgets owners that are gone while others remain.
fn plan_dependent(object: &Object, world: &dyn World, plan: &mut Plan) {
    let owners = object.owners();
    if owners.is_empty() {
        return;
    }
    let standings: Vec<Standing> =
        owners.iter().map(|owner| standing(owner, object, world)).collect();
    let count = |wanted: Standing| standings.iter().filter(|one| **one == wanted).count();
    if count(Standing::Solid) > 0 {
        if count(Standing::Solid) < owners.len() {
            let pairs = owners.into_iter().zip(standings);
            let solid = pairs.filter(|(_, standing)| *standing == Standing::Solid);
            let solid: Vec<OwnerRef> = solid.map(|(owner, _)| owner).collect();
            plan.patch_exactly(object, owners_patch(&solid));
        }
        return;
    }
    let dependents = world.owned_by(object.uid());
    if count(Standing::Waiting) > 0 && !dependents.is_empty() {
        // In a circle each would wait for the other: this one stops blocking its owners.
        let circle =
            dependents.iter().any(|one| one.is_terminating() && has_finalizer(one, FOREGROUND));
        if circle && owners.iter().any(|owner| owner.block_owner_deletion) {
            let free = |owner: OwnerRef| OwnerRef { block_owner_deletion: false, ..owner };
            let freed: Vec<OwnerRef> = owners.into_iter().map(free).collect();
            plan.patch_exactly(object, owners_patch(&freed));
            return;
        }
        return plan.delete_as(Target::exactly(object), Propagation::Foreground, None);
    }
    let propagation = if has_finalizer(object, ORPHAN) {
        Propagation::Orphan
    } else if has_finalizer(object, FOREGROUND) {
        Propagation::Foreground
    } else {
        Propagation::Background
    };
    plan.delete_as(Target::exactly(object), propagation, None);
}

/// Takes the owner off all dependents, then its finalizer off the owner.
fn plan_orphaning(owner: &Object, world: &dyn World, plan: &mut Plan) {
    let dependents = world.owned_by(owner.uid());
    for dependent in dependents.iter().take(BATCH_MAX) {
        let mut owners = dependent.owners();
        owners.retain(|other| other.uid != owner.uid());
        plan.patch_exactly(dependent, owners_patch(&owners));
    }
    if dependents.is_empty() {
        remove_finalizer(owner, ORPHAN, plan);
    }
}

/// Takes the finalizer off an owner whose blocking dependents are gone; those that are left delete
/// themselves.
fn plan_foreground(owner: &Object, world: &dyn World, plan: &mut Plan) {
    let blocks = |dependent: &Arc<Object>| {
        let mut owners = dependent.owners().into_iter();
        owners.any(|other| other.uid == owner.uid() && other.block_owner_deletion)
    };
    if !world.owned_by(owner.uid()).iter().any(blocks) {
        remove_finalizer(owner, FOREGROUND, plan);
    }
}

fn has_finalizer(object: &Object, finalizer: &str) -> bool {
    object.finalizers().any(|one| one == finalizer)
}

fn remove_finalizer(object: &Object, finalizer: &str, plan: &mut Plan) {
    let kept: Vec<&str> = object.finalizers().filter(|one| *one != finalizer).collect();
    let list = if kept.is_empty() { Value::Null } else { Value::from(kept) };
    plan.patch_exactly(object, value!({ "metadata": { "finalizers": list } }));
}

/// Whom a change of `object` concerns: itself, its dependents if it goes, its owners if they wait
/// for it.
fn concerned_by(object: &Object, world: &dyn World) -> Vec<Key> {
    let mut keys = Vec::new();
    let owners = object.owners();
    let waits = has_finalizer(object, FOREGROUND) || has_finalizer(object, ORPHAN);
    if !owners.is_empty() || (object.is_terminating() && waits) {
        keys.push(Key::of(object));
    }
    if object.is_terminating() || world.by_uid(object.uid()).is_none() {
        keys.extend(world.owned_by(object.uid()).iter().map(|dependent| Key::of(dependent)));
    }
    let owners = owners.iter().filter_map(|owner| world.by_uid(&owner.uid));
    keys.extend(owners.filter(|owner| owner.is_terminating()).map(|owner| Key::of(&owner)));
    keys
}

#[cfg(test)]
mod tests;
