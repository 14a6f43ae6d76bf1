//! Empties namespaces that are being deleted, then lets go of them.
//!
//! Way in: [`NamespaceController`].  Writes: deletions of whatever is in such a namespace,
//! `Namespace.status`, the end of `spec.finalizers`.  Never: a write in a namespace that is not
//! being deleted.
//! Order: pods go before everything else (KEP-5080); the namespace is let go only when a listing
//! finds nothing.
//! Spec: Kubernetes documentation, "Namespaces".

use std::{sync::Arc, time::Duration};

use actors_controller::{
    Access, Controller, Key, Kind, Plan, Primary, Relations, Target, World, WriteVerb,
};
use actors_core::Now;
use actors_object::{Object, value};

use crate::{
    conditions::{Conditions, Says},
    kinds::{NAMESPACE, POD},
};

/// See the module.
#[derive(Debug, Clone, Copy, Default)]
pub struct NamespaceController;

/// The finalizer in a namespace's spec that this controller removes.
const FINALIZER: &str = "kubernetes";
/// Most deletions of one plan.
const BATCH_MAX: usize = 500;
/// What is left is looked at again after this time, though changes wake the namespace too.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

impl Controller for NamespaceController {
    fn name(&self) -> &'static str {
        "namespace"
    }

    fn primary(&self) -> Primary {
        Primary::Of(NAMESPACE)
    }

    fn relations(&self) -> Relations {
        Relations::default().watches_all(terminating_home_of)
    }

    fn access(&self) -> Access {
        Access::reads_all()
            .writes_all(WriteVerb::Delete, &[])
            .writes(&NAMESPACE, WriteVerb::Status, &["status"])
            .writes(&NAMESPACE, WriteVerb::Finalize, &["spec.finalizers"])
    }

    fn reconcile(&self, namespace: &Object, world: &dyn World, now: Now) -> Plan {
        let mut plan = Plan::default();
        if !namespace.is_terminating() {
            if namespace.str_at(&["status", "phase"]).is_none() {
                plan.set_status(namespace, &value!({ "phase": "Active" }));
            }
            return plan;
        }
        let left = contents(namespace.name(), world);
        delete_next(&left, &mut plan);
        plan_status(namespace, &left, now, &mut plan);
        if !left.is_empty() {
            plan.requeue(LOOK_AGAIN);
        } else if namespace
            .list_at(&["spec", "finalizers"])
            .iter()
            .any(|one| one.as_str() == Some(FINALIZER))
        {
            let target = Target::of(namespace);
            plan.items.push(actors_controller::Item::Finalize { target });
        }
        plan
    }
}

/// Everything in a namespace, kind by kind; kinds without objects are left out.
fn contents(namespace: &str, world: &dyn World) -> Vec<(Kind, Vec<Arc<Object>>)> {
    let kinds = world.kinds().into_iter().filter(|served| served.namespaced);
    let mut found: Vec<_> = kinds
        .map(|served| {
            let objects = world.list(&served.kind, Some(namespace));
            (served.kind, objects)
        })
        .filter(|(_, objects)| !objects.is_empty())
        .collect();
    found.sort_by(|one, other| one.0.cmp(&other.0));
    found
}

fn delete_next(left: &[(Kind, Vec<Arc<Object>>)], plan: &mut Plan) {
    let pods_left = left.iter().any(|(kind, _)| kind.is_same(&POD));
    let turn = left.iter().filter(|(kind, _)| !pods_left || kind.is_same(&POD));
    let objects = turn.flat_map(|(_, objects)| objects).filter(|object| !object.is_terminating());
    for object in objects.take(BATCH_MAX) {
        plan.delete(object);
    }
}

fn plan_status(namespace: &Object, left: &[(Kind, Vec<Arc<Object>>)], now: Now, plan: &mut Plan) {
    let mut conditions = Conditions::of(namespace, now.wall);
    for (kind, reason, message) in [
        ("NamespaceDeletionDiscoveryFailure", "ResourcesDiscovered", "All kinds are known."),
        (
            "NamespaceDeletionGroupVersionParsingFailure",
            "ParsedGroupVersions",
            "All kinds are known.",
        ),
        ("NamespaceDeletionContentFailure", "ContentDeleted", "Everything was asked to go."),
    ] {
        conditions.set(kind, Says { status: "False", reason, message });
    }
    let remaining: Vec<String> =
        left.iter().map(|(kind, objects)| format!("{kind} {}", objects.len())).collect();
    say_remaining(
        &mut conditions,
        "NamespaceContentRemaining",
        remaining,
        ("SomeResourcesRemain", "ContentRemoved"),
    );
    let held = left.iter().flat_map(|(_, objects)| objects);
    let mut finalizers: Vec<String> = held
        .flat_map(|object| object.finalizers().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    finalizers.sort();
    finalizers.dedup();
    let reasons = ("SomeFinalizersRemain", "ContentHasNoFinalizers");
    say_remaining(&mut conditions, "NamespaceFinalizersRemaining", finalizers, reasons);
    let status = value!({ "phase": "Terminating", "conditions": conditions.into_value() });
    plan.set_status(namespace, &status);
}

fn say_remaining(
    conditions: &mut Conditions,
    kind: &str,
    remaining: Vec<String>,
    (some, none): (&str, &str),
) {
    if remaining.is_empty() {
        conditions.set(kind, Says { status: "False", reason: none, message: "Nothing remains." });
    } else {
        let message = format!("Remaining: {}.", remaining.join(", "));
        conditions.set(kind, Says { status: "True", reason: some, message: &message });
    }
}

/// The namespace of a changed object, if it is being deleted.
fn terminating_home_of(object: &Object, world: &dyn World) -> Vec<Key> {
    let home = Some(object.namespace()).filter(|name| !name.is_empty());
    let home = home.and_then(|name| world.get(&NAMESPACE, "", name));
    home.filter(|home| home.is_terminating()).map(|home| Key::of(&home)).into_iter().collect()
}

#[cfg(test)]
mod tests;
