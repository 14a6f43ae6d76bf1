//! The set of the current template: finding it, making it, numbering it.
//!
//! Way in: [`Rollout::sync_new_set`], [`Rollout::make_new_set`].
//! A rollback is nothing special: the user gives back an earlier template, and its set is found by
//! equality (never by hashing again, so that a set of another version of this program is found
//! too).

use std::sync::Arc;

use actors_object::{Object, OwnerRef, Value, hash, value};

use super::{
    DESIRED_REPLICAS, MAX_REPLICAS, REVISION, REVISION_HISTORY, TEMPLATE_HASH,
    rollout::{Fate, Rollout, Set, Strategy},
};
use crate::kinds::REPLICA_SET;

/// Annotations of a Deployment that its sets do not get.
const NOT_COPIED: [&str; 6] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    "deprecated.deployment.rollback.to",
    REVISION,
    REVISION_HISTORY,
    DESIRED_REPLICAS,
    MAX_REPLICAS,
];

/// Whether the template of `set` is `template`, but for the label that tells sets apart.
pub(super) fn is_same_template(set: &Object, template: &Value) -> bool {
    let mut own = set.spec().at("template").clone();
    let mut other = template.clone();
    own.remove_path(&["metadata", "labels", TEMPLATE_HASH]);
    other.remove_path(&["metadata", "labels", TEMPLATE_HASH]);
    is_same(&own, &other)
}

/// Equality in which what is absent, `null`, or an empty list or map is the same.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Map(one), Value::Map(other)) => {
            let all = |a: &actors_object::Map, b: &actors_object::Map| {
                a.iter().all(|(name, value)| is_same(value, b.get(name).unwrap_or(&Value::Null)))
            };
            all(one, other) && all(other, one)
        }
        (Value::List(one), Value::List(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(a, b)| is_same(a, b))
        }
        (one, other) => one == other || (is_hollow(one) && is_hollow(other)),
    }
}

fn is_hollow(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::List(items) => items.is_empty(),
        Value::Map(map) => map.values().all(is_hollow),
        _ => false,
    }
}

impl Rollout<'_> {
    /// Numbers the set of the current template behind all others, and copies what it takes from the
    /// Deployment.
    pub(super) fn sync_new_set(&mut self) {
        let revision = self.next_revision();
        let annotations = copied_annotations(self.deployment);
        let min_ready = self.deployment.spec().at("minReadySeconds").clone();
        let Some(set) = self.new.as_mut() else { return };
        for (key, text) in &annotations {
            set.annotate(key, text);
        }
        let own = set.revision();
        if own < revision {
            if own > 0 {
                let history = set.object.annotation(REVISION_HISTORY).unwrap_or_default();
                let history = match history {
                    "" => own.to_string(),
                    earlier => format!("{earlier},{own}"),
                };
                set.annotate(REVISION_HISTORY, &history);
            }
            set.annotate(REVISION, &revision.to_string());
        }
        let own = set.object.spec().at("minReadySeconds").as_i64().unwrap_or(0);
        if own != min_ready.as_i64().unwrap_or(0) {
            set.patch.set_path(&["spec", "minReadySeconds"], min_ready);
        }
        self.note_found_set();
    }

    /// Makes the set of the current template, if there is none. If its name is taken by a set of
    /// another template, only the collision is counted, and the next run tries another name.
    pub(super) fn make_new_set(&mut self) {
        if self.new.is_some() {
            return;
        }
        let template = self.deployment.spec().at("template");
        let hash = hash::object_hash(template, self.collisions);
        let name = format!("{}-{hash}", self.deployment.name());
        if self.world.get(&REPLICA_SET, self.deployment.namespace(), &name).is_some() {
            self.collisions = Some(self.collisions.unwrap_or(0) + 1);
            return;
        }
        let replicas = self.first_size();
        let object = self.set_object(&name, &hash, replicas);
        if replicas > 0 {
            self.events.push(format!("Replica set {name} goes from 0 to {replicas} pods"));
        }
        self.note_made_set(&name);
        self.new = Some(Set::new(Arc::new(object), Fate::IsMade));
    }

    fn set_object(&self, name: &str, hash: &str, replicas: i64) -> Object {
        let deployment = self.deployment;
        let mut template = deployment.spec().at("template").clone();
        template.set_path(&["metadata", "labels", TEMPLATE_HASH], hash);
        let labels = template.path(&["metadata", "labels"]).cloned().unwrap_or_default();
        let mut selector = deployment.spec().at("selector").clone();
        selector.set_path(&["matchLabels", TEMPLATE_HASH], hash);
        let mut object = Object(value!({
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": { "name": name, "namespace": deployment.namespace(), "labels": labels },
            "spec": {
                "replicas": replicas,
                "selector": selector,
                "template": template,
            },
        }));
        let min_ready = deployment.spec().at("minReadySeconds");
        if min_ready.as_i64().is_some_and(|seconds| seconds > 0) {
            object.set_path(&["spec", "minReadySeconds"], min_ready);
        }
        for (key, text) in copied_annotations(deployment) {
            object.set_annotation(&key, &text);
        }
        object.set_annotation(REVISION, &self.next_revision().to_string());
        object.set_annotation(DESIRED_REPLICAS, &self.replicas.to_string());
        object.set_annotation(MAX_REPLICAS, &self.most().to_string());
        object.set_owners(&[OwnerRef::controller(deployment)]);
        object
    }

    /// How many pods a set that is made now may have at once.
    fn first_size(&self) -> i64 {
        match self.strategy() {
            Strategy::Recreate => self.replicas,
            Strategy::RollingUpdate => (self.most() - self.total()).clamp(0, self.replicas),
        }
    }

    /// One more than the highest revision of the other sets.
    fn next_revision(&self) -> i64 {
        self.old.iter().map(Set::revision).max().unwrap_or(0) + 1
    }
}

fn copied_annotations(deployment: &Object) -> Vec<(String, String)> {
    let copied = deployment.annotations().filter(|(key, _)| !NOT_COPIED.contains(key));
    copied.map(|(key, text)| (key.to_owned(), text.to_owned())).collect()
}
