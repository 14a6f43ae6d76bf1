//! A world in memory that applies plans as the API would, in the small.
//!
//! Way in: [`MemoryWorld::apply`].  Keeps: uids, revisions, generations, finalizers, graceful
//! deletion of pods.
//! Never: defaulting, validation, or admission; objects are written as they would be stored.

use std::{collections::BTreeMap, sync::Arc};

use actors_core::Wall;
use actors_object::{Object, Value, patch::merge_patch, timefmt};

use crate::{Change, Item, Key, Kind, Propagation, Refusal, ServedKind, Target, Verdict, World};

/// All objects, and what has changed.
#[derive(Debug, Clone, Default)]
pub struct MemoryWorld {
    objects: BTreeMap<Key, Arc<Object>>,
    /// Kinds that are served though there is no object of them.
    served: Vec<ServedKind>,
    revision: u64,
    uids: u64,
    /// The stamp of what is written.
    pub now: Wall,
    /// What has changed since the world was made, oldest first; tests may drain it.
    pub changes: Vec<Change>,
}

impl MemoryWorld {
    /// Says that a kind is served, also without objects.
    pub fn serve(&mut self, kind: &Kind, namespaced: bool) {
        self.served.push(served(kind, namespaced));
    }

    /// Puts `object` as it is; a uid, revision and generation are added where they are missing.
    pub fn put(&mut self, mut object: Object) -> Key {
        if object.uid().is_empty() {
            self.uids += 1;
            object.set_uid(&format!("uid-{}", self.uids));
        }
        if object.creation_timestamp().is_empty() {
            object.set_creation_timestamp(&timefmt::seconds(self.now));
        }
        if object.generation() == 0 {
            object.set_generation(1);
        }
        let key = Key::of(&object);
        self.store(key.clone(), object);
        key
    }

    /// Changes an object by hand, as a user or an agent would; the generation rises if the spec
    /// changes.
    pub fn change(&mut self, key: &Key, edit: impl FnOnce(&mut Object)) {
        if let Some(current) = self.objects.get(key).cloned() {
            let mut object = (*current).clone();
            edit(&mut object);
            self.replace(key, &current, object);
        }
    }

    /// Takes an object away at once.
    pub fn remove(&mut self, key: &Key) {
        if let Some(object) = self.objects.remove(key) {
            self.revision += 1;
            let revision = self.revision;
            self.changes.push(Change { object, previous: None, deleted: true, revision });
        }
    }

    /// Every object, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, &Arc<Object>)> {
        self.objects.iter()
    }

    /// Does what `item` says, or refuses it as the API would. Events are always done.
    pub fn apply(&mut self, item: &Item) -> Verdict {
        let result = match item {
            Item::Create(object) => self.create(object),
            Item::Patch { target, patch } => self.edit(target, |object| {
                let status = object.status().clone();
                merge_patch(&mut object.0, patch.clone());
                if !status.is_null() {
                    object.set_status(status);
                }
            }),
            Item::Status { target, patch } | Item::Approve { target, patch } => {
                self.edit(target, |object| {
                    let status =
                        Value::Map([("status", patch.at("status").clone())].into_iter().collect());
                    merge_patch(&mut object.0, status);
                })
            }
            Item::Delete { target, propagation, grace_seconds } => {
                self.delete(target, *propagation, *grace_seconds)
            }
            Item::Finalize { target } => self.edit(target, |object| {
                object.remove_path(&["spec", "finalizers"]);
            }),
            Item::Bind { target, node } => {
                self.edit(target, |pod| pod.set_path(&["spec", "nodeName"], node.as_str()))
            }
            Item::Event(_) => Ok(()),
        };
        match result {
            Ok(()) => Verdict::Done { revision: self.revision },
            Err(refusal) => Verdict::Refused(Refusal { item: item.to_string(), ..refusal }),
        }
    }

    fn create(&mut self, object: &Object) -> Result<(), Refusal> {
        let key = Key::of(object);
        if self.objects.contains_key(&key) {
            return Err(refusal(409, "AlreadyExists", format!("{key} already exists")));
        }
        let namespace = Kind::new("v1", "Namespace");
        let home = self.get(&namespace, "", object.namespace());
        if home.is_some_and(|home| home.is_terminating()) {
            let cause = "NamespaceTerminating".to_owned();
            let told = format!("namespace {} is being terminated", object.namespace());
            return Err(Refusal { cause, ..refusal(403, "Forbidden", told) });
        }
        self.put(object.clone());
        Ok(())
    }

    fn edit(&mut self, target: &Target, edit: impl FnOnce(&mut Object)) -> Result<(), Refusal> {
        let current = self.meet(target)?;
        let mut object = (*current).clone();
        edit(&mut object);
        self.replace(&target.key, &current, object);
        Ok(())
    }

    fn delete(
        &mut self,
        target: &Target,
        propagation: Propagation,
        grace_seconds: Option<u32>,
    ) -> Result<(), Refusal> {
        let current = self.meet(target)?;
        let mut object = (*current).clone();
        let own = match propagation {
            Propagation::Background => None,
            Propagation::Foreground => Some("foregroundDeletion"),
            Propagation::Orphan => Some("orphan"),
        };
        if let Some(own) = own
            && !current.finalizers().any(|finalizer| finalizer == own)
        {
            object.set_finalizers(current.finalizers().chain([own]));
        }
        if !object.is_terminating() {
            object.set_deletion_timestamp(&timefmt::seconds(self.now));
            object.set_generation(current.generation() + 1);
        }
        let seconds = grace_seconds.map_or(30, i64::from);
        object.set_path(&["metadata", "deletionGracePeriodSeconds"], seconds);
        self.replace(&target.key, &current, object);
        Ok(())
    }

    /// The object that `target` means, if it is still as the target says.
    fn meet(&self, target: &Target) -> Result<Arc<Object>, Refusal> {
        let key = &target.key;
        let current = self.objects.get(key);
        let current =
            current.ok_or_else(|| refusal(404, "NotFound", format!("{key} not found")))?;
        let expected = target.resource_version.as_deref().unwrap_or(current.resource_version());
        if current.uid() != target.uid || current.resource_version() != expected {
            return Err(refusal(409, "Conflict", format!("{key} has been modified")));
        }
        Ok(Arc::clone(current))
    }

    /// Stores the next state of an object, or takes it away if nothing holds it any longer.
    fn replace(&mut self, key: &Key, current: &Object, mut object: Object) {
        if object == *current {
            return;
        }
        if object.spec() != current.spec() && object.generation() == current.generation() {
            object.set_generation(current.generation() + 1);
        }
        let held = object.finalizers().next().is_some()
            || !object.list_at(&["spec", "finalizers"]).is_empty()
            || is_ending_pod(&object);
        if object.is_terminating() && !held {
            self.remove(key);
        } else {
            self.store(key.clone(), object);
        }
    }

    fn store(&mut self, key: Key, mut object: Object) {
        self.revision += 1;
        object.set_resource_version(&self.revision.to_string());
        let object = Arc::new(object);
        let previous = self.objects.insert(key, Arc::clone(&object));
        let revision = self.revision;
        self.changes.push(Change { object, previous, deleted: false, revision });
    }
}

/// A kind as it is served; its plural is that of most kinds.
fn served(kind: &Kind, namespaced: bool) -> ServedKind {
    let plural = format!("{}s", kind.kind().to_lowercase());
    ServedKind { kind: kind.clone(), plural, namespaced }
}

/// A pod on a node stays until its agent says that it has ended.
fn is_ending_pod(object: &Object) -> bool {
    let ended = matches!(object.str_at(&["status", "phase"]), Some("Succeeded" | "Failed"));
    object.kind() == "Pod"
        && object.str_at(&["spec", "nodeName"]).is_some_and(|node| !node.is_empty())
        && object.i64_at(&["metadata", "deletionGracePeriodSeconds"]) != Some(0)
        && !ended
}

fn refusal(code: u16, reason: &str, message: String) -> Refusal {
    let (item, cause) = (String::new(), String::new());
    Refusal { item, code, reason: reason.to_owned(), message, cause }
}

impl World for MemoryWorld {
    fn revision(&self) -> u64 {
        self.revision
    }

    fn get(&self, kind: &Kind, namespace: &str, name: &str) -> Option<Arc<Object>> {
        self.objects.get(&Key::new(kind, namespace, name)).cloned()
    }

    fn list(&self, kind: &Kind, namespace: Option<&str>) -> Vec<Arc<Object>> {
        let start = Key::new(kind, namespace.unwrap_or_default(), "");
        let from = self.objects.range(start..).take_while(|(key, _)| {
            key.kind == *kind && namespace.is_none_or(|namespace| key.namespace == namespace)
        });
        from.map(|(_, object)| Arc::clone(object)).collect()
    }

    fn by_uid(&self, uid: &str) -> Option<Arc<Object>> {
        self.objects.values().find(|object| object.uid() == uid).cloned()
    }

    fn owned_by(&self, uid: &str) -> Vec<Arc<Object>> {
        let owned = |object: &&Arc<Object>| object.owners().iter().any(|owner| owner.uid == uid);
        self.objects.values().filter(owned).cloned().collect()
    }

    fn kinds(&self) -> Vec<ServedKind> {
        let mut kinds = self.served.clone();
        for (key, object) in &self.objects {
            if !kinds.iter().any(|served| served.kind == key.kind) {
                let namespaced = !object.namespace().is_empty();
                kinds.push(served(&key.kind, namespaced));
            }
        }
        kinds
    }
}
