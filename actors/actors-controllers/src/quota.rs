//! Counts what is used of the quotas of a namespace.
//!
//! Way in: [`QuotaController`].  Writes: `ResourceQuota.status`.
//! Never: a figure that is too low. Who creates is charged at the door, in the write that creates;
//! so a count is written only at the revision of the quota that it was made at, and whoever was
//! charged since makes it be made again. What is too high is put right by what this wakes for:
//! deletions, pods that have ended or were resized, and a look from time to time.
//! Spec: Kubernetes documentation, "Resource Quotas".

use std::{sync::Arc, time::Duration};

use actors_controller::{
    Access, Controller, Key, Kind, Plan, Primary, Relations, ServedKind, World, WriteVerb,
};
use actors_core::{Now, Wall};
use actors_kinds::{
    amounts::{self, Amounts},
    quotas::{Quota, over_at},
};
use actors_object::{GroupResource, Map, Object, Quantity, Value};

use crate::{
    kinds::{EVENT, NAMESPACE, POD},
    pods,
};

/// See the module. All quotas of a namespace are counted in one go.
#[derive(Debug, Clone, Copy, Default)]
pub struct QuotaController;

const QUOTA: Kind = Kind::new("v1", "ResourceQuota");

/// After this time everything is counted again, whatever has been heard.
const LOOK_AGAIN: Duration = Duration::from_secs(300);

/// The same after a figure has changed: something may be on its way from a server that has not
/// heard of the quota yet, and charged nothing.
const LOOK_TWICE: Duration = Duration::from_secs(2);

impl Controller for QuotaController {
    fn name(&self) -> &'static str {
        "resourcequota"
    }

    fn primary(&self) -> Primary {
        Primary::Of(NAMESPACE)
    }

    fn relations(&self) -> Relations {
        Relations::default().watches(&QUOTA, home_of_unknown).watches_all(home_of_gone)
    }

    fn access(&self) -> Access {
        Access::reads_all().writes(&QUOTA, WriteVerb::Status, &["status"])
    }

    fn reconcile(&self, namespace: &Object, world: &dyn World, now: Now) -> Plan {
        let mut plan = Plan::default();
        let quotas = world.list(&QUOTA, Some(namespace.name()));
        if quotas.is_empty() {
            return plan;
        }
        let mut counts: Vec<Count> = quotas.into_iter().map(Count::new).collect();
        let mut wake = LOOK_AGAIN;
        for served in world.kinds().into_iter().filter(|served| served.namespaced) {
            let of = resource_of(&served);
            if !counts.iter().any(|count| count.quota.counts(&of)) {
                continue;
            }
            for object in world.list(&served.kind, Some(namespace.name())) {
                counts.iter_mut().for_each(|count| count.add((&of, &object), now.wall));
                wake = wake.min(ends_in(&object, now.wall).unwrap_or(LOOK_AGAIN));
            }
        }
        for count in &counts {
            plan.set_status_exactly(&count.stored, &count.status());
        }
        plan.requeue(if plan.items.is_empty() { wake } else { LOOK_TWICE });
        plan
    }
}

/// A quota, and what has been found of what it limits.
struct Count {
    stored: Arc<Object>,
    quota: Quota,
    used: Amounts,
}

impl Count {
    fn new(stored: Arc<Object>) -> Self {
        let quota = Quota::of(&stored);
        let used = quota.hard().keys().map(|name| (name.clone(), Quantity::ZERO)).collect();
        Self { stored, quota, used }
    }

    fn add(&mut self, (of, object): (&GroupResource, &Object), now: Wall) {
        amounts::add(&mut self.used, &self.quota.taken(of, object, now));
    }

    /// The status as it should be. An amount that is right stays as it is written.
    fn status(&self) -> Value {
        let known = self.stored.status().at("used");
        let written = |name: &str, amount: Quantity| {
            let own = known.get(name);
            let is_right = own.is_some_and(|own| Quantity::from_value(own) == Ok(amount));
            own.filter(|_| is_right).cloned().unwrap_or_else(|| Value::from(amount.to_string()))
        };
        let used: Map =
            self.used.iter().map(|(name, amount)| (name, written(name, *amount))).collect();
        let mut status = Map::new();
        status.insert("hard", self.stored.spec().at("hard").clone());
        status.insert("used", used);
        Value::Map(status)
    }
}

fn resource_of(served: &ServedKind) -> GroupResource {
    GroupResource::new(served.kind.group(), &served.plural)
}

/// In which time a pod that is being deleted no longer counts, whether it goes or not.
fn ends_in(object: &Object, now: Wall) -> Option<Duration> {
    let at = over_at(object).filter(|at| POD.is_kind_of(object) && *at >= now)?;
    Some(at.since(now) + Duration::from_secs(1))
}

/// The namespace of a quota that has not been counted, or not for what it limits now.
fn home_of_unknown(quota: &Object, _world: &dyn World) -> Vec<Key> {
    let is_known = |name: &str| quota.path(&["status", "used", name]).is_some();
    let hard = quota.spec().at("hard");
    let names = hard.as_map().into_iter().flat_map(Map::keys);
    let all_known = names.into_iter().all(|name| is_known(name.as_str()));
    match all_known && quota.status().at("hard") == hard {
        true => Vec::new(),
        false => home(quota),
    }
}

/// The namespace of what takes nothing any longer, if it has quotas.
fn home_of_gone(object: &Object, world: &dyn World) -> Vec<Key> {
    let namespace = object.namespace();
    if namespace.is_empty() || object.kind() == EVENT.kind() {
        return Vec::new();
    }
    if world.list(&QUOTA, Some(namespace)).is_empty() {
        return Vec::new();
    }
    let has_ended =
        POD.is_kind_of(object) && (pods::is_finished(object) || object.is_terminating());
    // A pod that was resized may have given something back, which its status tells.
    let was_resized = POD.is_kind_of(object) && object.generation() > 1;
    match has_ended || was_resized || world.by_uid(object.uid()).is_none() {
        true => home(object),
        false => Vec::new(),
    }
}

fn home(object: &Object) -> Vec<Key> {
    vec![Key::new(&NAMESPACE, "", object.namespace())]
}

#[cfg(test)]
mod tests;
