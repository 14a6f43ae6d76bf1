//! A snapshot of the catalog as a controller's world.
//!
//! Way in: [`SnapshotWorld`].

use std::sync::Arc;

use actors_controller::{Kind, ServedKind, World};
use actors_kinds::{KindFacts, Registry};
use actors_object::{Gvk, Object};
use store_catalog::Snapshot;
use store_mvcc::Key;

/// Everything at one revision, by kinds as controllers name them.
#[derive(Debug, Clone)]
pub struct SnapshotWorld {
    snapshot: Snapshot,
    registry: Arc<Registry>,
}

impl SnapshotWorld {
    /// The world of this snapshot.
    #[must_use]
    pub fn new(snapshot: Snapshot, registry: Arc<Registry>) -> Self {
        Self { snapshot, registry }
    }

    fn facts(&self, kind: &Kind) -> Option<&KindFacts> {
        self.registry.kind(&Gvk::from_api_version(kind.api_version(), kind.kind()))
    }
}

impl World for SnapshotWorld {
    fn revision(&self) -> u64 {
        self.snapshot.revision().0
    }

    fn get(&self, kind: &Kind, namespace: &str, name: &str) -> Option<Arc<Object>> {
        let storage = &self.facts(kind)?.storage;
        let namespace = (!namespace.is_empty()).then_some(namespace);
        let key = Key::object(&storage.group, &storage.resource, namespace, name);
        self.snapshot.get(&key).map(|item| item.object())
    }

    fn list(&self, kind: &Kind, namespace: Option<&str>) -> Vec<Arc<Object>> {
        let Some(facts) = self.facts(kind) else { return Vec::new() };
        let namespace = namespace.filter(|_| facts.namespaced);
        let prefix = Key::prefix(&facts.storage.group, &facts.storage.resource, namespace);
        self.snapshot.list(&prefix, None, usize::MAX).map(|item| item.object()).collect()
    }

    fn by_uid(&self, uid: &str) -> Option<Arc<Object>> {
        self.snapshot.by_uid(uid).map(|item| item.object())
    }

    fn owned_by(&self, uid: &str) -> Vec<Arc<Object>> {
        self.snapshot.by_owner(uid).map(|item| item.object()).collect()
    }

    fn kinds(&self) -> Vec<ServedKind> {
        let stored = self.registry.kinds().filter(|kind| kind.is_stored());
        let served = stored.map(|kind| ServedKind {
            kind: Kind::owned(kind.gvk.api_version(), kind.gvk.kind.clone()),
            namespaced: kind.namespaced,
        });
        served.collect()
    }
}
