//! One Deployment with its sets, as this run sees and changes them.
//!
//! Way in: [`Rollout::new`]; [`Rollout::finish`] turns what was decided into a plan.
//! Invariant: `replicas` of a [`Set`] is what the set will have after this plan; its status is what
//! the world says.

use std::{sync::Arc, time::Duration};

use actors_controller::{EventType, Key, Plan, World};
use actors_core::Now;
use actors_object::{IntOrPercent, Object, Round, Value, value};

use super::{DESIRED_REPLICAS, MAX_REPLICAS, REVISION};
use crate::{
    claims::selector_of,
    conditions::Conditions,
    kinds::{DEPLOYMENT, REPLICA_SET},
    pods, replica_set,
};

/// How a Deployment replaces its pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strategy {
    Recreate,
    RollingUpdate,
}

/// One ReplicaSet.
#[derive(Debug, Clone)]
pub(super) struct Set {
    pub(super) object: Arc<Object>,
    /// What it will have after this plan.
    pub(super) replicas: i64,
    /// What changes of it; `null` if nothing does.
    pub(super) patch: Value,
    pub(super) fate: Fate,
}

/// Whether a set exists, comes, or goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Exists,
    IsMade,
    IsDeleted,
}

impl Set {
    pub(super) fn new(object: Arc<Object>, fate: Fate) -> Self {
        let replicas = replica_set::replicas(&object);
        Self { object, replicas, patch: Value::Null, fate }
    }

    /// A count in its status.
    pub(super) fn count(&self, field: &str) -> i64 {
        self.object.status().at(field).as_i64().unwrap_or(0)
    }

    pub(super) fn available(&self) -> i64 {
        self.count("availableReplicas")
    }

    /// The number of its template; 0 if it has none.
    pub(super) fn revision(&self) -> i64 {
        self.number(REVISION).unwrap_or(0)
    }

    /// A whole number in an annotation.
    pub(super) fn number(&self, annotation: &str) -> Option<i64> {
        self.object.annotation(annotation).and_then(|text| text.parse().ok())
    }

    /// Sets an annotation, if it differs.
    pub(super) fn annotate(&mut self, key: &str, text: &str) {
        if self.object.annotation(key) != Some(text) {
            self.patch.set_path(&["metadata", "annotations", key], text);
        }
    }
}

/// See the module.
pub(super) struct Rollout<'a> {
    pub(super) deployment: &'a Object,
    pub(super) world: &'a dyn World,
    pub(super) now: Now,
    /// `spec.replicas`.
    pub(super) replicas: i64,
    /// Most pods above `replicas`; rounded up.
    pub(super) surge: i64,
    /// Most pods that may be missing; rounded down, and 1 if both would be 0.
    pub(super) unavailable: i64,
    /// Every set but the one of the current template, oldest first.
    pub(super) old: Vec<Set>,
    /// The set of the current template.
    pub(super) new: Option<Set>,
    pub(super) conditions: Conditions,
    /// Set when the name of a new set was taken by another one.
    pub(super) collisions: Option<i64>,
    pub(super) events: Vec<String>,
    pub(super) requeue: Option<Duration>,
}

impl<'a> Rollout<'a> {
    pub(super) fn new(
        deployment: &'a Object,
        sets: &[Arc<Object>],
        world: &'a dyn World,
        now: Now,
    ) -> Self {
        let replicas = replica_set::replicas(deployment);
        let (surge, unavailable) = bounds(deployment, replicas);
        let mut old: Vec<Set> =
            sets.iter().map(|set| Set::new(Arc::clone(set), Fate::Exists)).collect();
        old.sort_by_cached_key(|set| {
            (set.object.creation_timestamp().to_owned(), set.object.name().to_owned())
        });
        let template = deployment.spec().at("template");
        let current =
            old.iter().position(|set| super::new_set::is_same_template(&set.object, template));
        let new = current.map(|index| old.remove(index));
        Self {
            deployment,
            world,
            now,
            replicas,
            surge,
            unavailable,
            old,
            new,
            conditions: Conditions::of(deployment, now.wall),
            collisions: deployment.status().at("collisionCount").as_i64(),
            events: Vec::new(),
            requeue: None,
        }
    }

    pub(super) fn strategy(&self) -> Strategy {
        match self.deployment.str_at(&["spec", "strategy", "type"]) {
            Some("Recreate") => Strategy::Recreate,
            _ => Strategy::RollingUpdate,
        }
    }

    pub(super) fn is_paused(&self) -> bool {
        self.deployment.bool_at(&["spec", "paused"]) == Some(true)
    }

    /// Every set, the new one last.
    pub(super) fn sets(&self) -> impl Iterator<Item = &Set> {
        self.old.iter().chain(&self.new)
    }

    /// How many pods all sets will have.
    pub(super) fn total(&self) -> i64 {
        self.sets().map(|set| set.replicas).sum()
    }

    /// The most pods that may exist at once.
    pub(super) fn most(&self) -> i64 {
        self.replicas + if self.strategy() == Strategy::RollingUpdate { self.surge } else { 0 }
    }

    /// Gives a set another number of pods, and notes for which Deployment size that was right.
    pub(super) fn resize(&mut self, which: Which, replicas: i64) {
        let (desired, most) = (self.replicas.to_string(), self.most().to_string());
        let set = match which {
            Which::Old(index) => self.old.get_mut(index),
            Which::New => self.new.as_mut(),
        };
        let Some(set) = set else { return };
        set.annotate(DESIRED_REPLICAS, &desired);
        set.annotate(MAX_REPLICAS, &most);
        if set.replicas != replicas {
            let (name, before) = (set.object.name(), set.replicas);
            let message = format!("Replica set {name} goes from {before} to {replicas} pods");
            self.events.push(message);
            set.replicas = replicas;
            set.patch.set_path(&["spec", "replicas"], replicas);
        }
    }

    /// The plan that does what was decided, added to `plan`.
    pub(super) fn finish(mut self, mut plan: Plan) -> Plan {
        let status = self.status();
        for set in self.old.iter().chain(&self.new) {
            match set.fate {
                Fate::IsMade => plan.create((*set.object).clone()),
                Fate::IsDeleted => plan.delete(&set.object),
                Fate::Exists if set.patch.is_null() => {}
                Fate::Exists => plan.patch(&set.object, set.patch.clone()),
            }
        }
        for message in self.events {
            plan.event(self.deployment, EventType::Normal, "ScalingReplicaSet", message);
        }
        if let Some(revision) = self.new.as_ref().map(planned_revision)
            && self.deployment.annotation(REVISION) != Some(&*revision)
        {
            let annotations = [(REVISION, revision)].into_iter().collect();
            let patch = value!({ "metadata": { "annotations": Value::Map(annotations) } });
            plan.patch(self.deployment, patch);
        }
        plan.set_status(self.deployment, &status);
        if let Some(wait) = self.requeue {
            plan.requeue(wait);
        }
        plan
    }
}

/// Which of a rollout's sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    Old(usize),
    New,
}

/// The revision that a set will have after this plan.
fn planned_revision(set: &Set) -> String {
    let planned = set.patch.str_at(&["metadata", "annotations", REVISION]);
    planned.or_else(|| set.object.annotation(REVISION)).unwrap_or_default().to_owned()
}

/// `maxSurge` and `maxUnavailable` as counts; only a rolling update has them.
fn bounds(deployment: &Object, replicas: i64) -> (i64, i64) {
    let read = |field: &str, round: Round| {
        let given = deployment.path(&["spec", "strategy", "rollingUpdate", field]);
        let share = given.and_then(IntOrPercent::from_value);
        share.unwrap_or(IntOrPercent::Percent(25)).scaled(replicas, round).max(0)
    };
    if deployment.str_at(&["spec", "strategy", "type"]) == Some("Recreate") {
        return (0, 0);
    }
    let (surge, unavailable) = (read("maxSurge", Round::Up), read("maxUnavailable", Round::Down));
    let unavailable = if surge == 0 && unavailable == 0 { 1 } else { unavailable };
    (surge, unavailable.min(replicas))
}

/// The Deployments that would adopt a set without a controller.
pub(super) fn deployments_that_may_adopt(set: &Object, world: &dyn World) -> Vec<Key> {
    if set.controller_of().is_some() {
        return Vec::new();
    }
    let mut found = world.list(&DEPLOYMENT, Some(set.namespace()));
    found.retain(|one| selector_of(one).is_some_and(|selector| selector.matches(set)));
    found.iter().map(|one| Key::of(one)).collect()
}

/// A Deployment that recreates waits for the end of its old pods, which no set's status tells.
pub(super) fn recreating_deployment_of(pod: &Object, world: &dyn World) -> Vec<Key> {
    let set = pod.controller_of().filter(|owner| pods::is_owned_as(owner, &REPLICA_SET));
    let set = set.and_then(|owner| world.get(&REPLICA_SET, pod.namespace(), &owner.name));
    let owner = set.and_then(|set| set.controller_of());
    let owner = owner.filter(|owner| pods::is_owned_as(owner, &DEPLOYMENT));
    let found = owner.and_then(|owner| world.get(&DEPLOYMENT, pod.namespace(), &owner.name));
    let recreates =
        |one: &Arc<Object>| one.str_at(&["spec", "strategy", "type"]) == Some("Recreate");
    found.filter(recreates).map(|one| Key::of(&one)).into_iter().collect()
}
