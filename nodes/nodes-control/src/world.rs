//! A snapshot of the catalog as a controller's world.
//!
//! Way in: [`SnapshotWorld`].

use std::sync::Arc;

use actors_controller::{Kind, ServedKind, World};
use actors_kinds::{KindFacts, Registry, convert};
use actors_object::Object;
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
        self.registry.kind_named(kind.api_version(), kind.kind())
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
        // In the form in which it is stored: whoever goes through all kinds meets each object once.
        let stored =
            self.registry.kinds().filter(|kind| kind.is_stored() && !convert::is_converted(kind));
        let served = stored.map(|kind| ServedKind {
            kind: Kind::owned(kind.gvk.api_version(), kind.gvk.kind.clone()),
            plural: kind.plural.clone(),
            namespaced: kind.namespaced,
        });
        served.collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn what_is_served_in_two_forms_is_one_kind() {
        let registry = Arc::new(Registry::builtin().expect("the tables are good"));
        let world = SnapshotWorld::new(Snapshot::default(), Arc::clone(&registry));
        let kinds = world.kinds();
        let places: BTreeSet<_> = kinds
            .iter()
            .filter_map(|served| world.facts(&served.kind))
            .map(|it| &it.storage)
            .collect();
        assert_eq!(places.len(), kinds.len(), "an object would be met twice");
        let all: BTreeSet<_> =
            registry.kinds().filter(|kind| kind.is_stored()).map(|kind| &kind.storage).collect();
        assert_eq!(places, all);
        let shown: Vec<String> = kinds
            .iter()
            .map(|served| served.kind.to_string())
            .filter(|kind| kind.contains("Event") || kind.contains("Autoscaler"))
            .collect();
        assert_eq!(shown, ["Event", "HorizontalPodAutoscaler"]);
    }
}
