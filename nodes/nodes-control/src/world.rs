//! A snapshot of the catalog as a controller's world.
//!
//! Way in: [`SnapshotWorld`].

use std::{cell::RefCell, sync::Arc};

use actors_controller::{Kind, ServedKind, World};
use actors_kinds::{KindFacts, Registry, convert};
use actors_object::Object;
use store_catalog::Snapshot;
use store_mvcc::Key;

/// The longest list that is kept.
const KEPT_MAX: usize = 64;

/// Everything at one revision, by kinds as controllers name them.
#[derive(Debug, Clone)]
pub struct SnapshotWorld {
    snapshot: Snapshot,
    registry: Arc<Registry>,
    /// The list that was asked for last: of many changes that are told at once, each asks for the same.
    last: RefCell<Option<Listed>>,
}

/// All objects of a kind, in one namespace or in all.
#[derive(Debug, Clone)]
struct Listed {
    kind: Kind,
    namespace: Option<String>,
    objects: Vec<Arc<Object>>,
}

impl SnapshotWorld {
    /// The world of this snapshot.
    #[must_use]
    pub fn new(snapshot: Snapshot, registry: Arc<Registry>) -> Self {
        Self { snapshot, registry, last: RefCell::default() }
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
        let is_same = |last: &&Listed| last.kind == *kind && last.namespace.as_deref() == namespace;
        if let Some(last) = self.last.borrow().as_ref().filter(is_same) {
            return last.objects.clone();
        }
        let Some(facts) = self.facts(kind) else { return Vec::new() };
        let asked = namespace.map(str::to_owned);
        let namespace = namespace.filter(|_| facts.namespaced);
        let prefix = Key::prefix(&facts.storage.group, &facts.storage.resource, namespace);
        let found = self.snapshot.list(&prefix, None, usize::MAX);
        let objects: Vec<Arc<Object>> = found.map(|item| item.object()).collect();
        // Long ones are lists of what is looked after, and those are asked for once.
        if objects.len() <= KEPT_MAX {
            let kept = Listed { kind: kind.clone(), namespace: asked, objects: objects.clone() };
            *self.last.borrow_mut() = Some(kept);
        }
        objects
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

    use store_catalog::{Catalog, RingLimits};
    use store_mvcc::{Change, ChangeKind, Columns, Revision, Stored};

    use super::*;

    const POD: Kind = Kind::new("v1", "Pod");
    const NODE: Kind = Kind::new("v1", "Node");

    fn made(key: &str, revision: u64) -> Arc<Change> {
        let revision = Revision(revision);
        let name = key.rsplit('/').next().unwrap_or(key);
        let value = format!(r#"{{"metadata":{{"name":"{name}"}}}}"#);
        let rv_at = u32::try_from(value.len() - 2).expect("it is short");
        let stored = Stored {
            key: key.into(),
            create_revision: revision,
            mod_revision: revision,
            version: 1,
            value: value.into_bytes().into(),
            columns: Columns { uid: key.to_owned(), rv_at, ..Columns::default() },
            lease: None,
        };
        let value = Some(Arc::new(stored));
        Arc::new(Change { revision, key: key.into(), kind: ChangeKind::Put, value, prev: None })
    }

    #[test]
    fn a_list_that_is_asked_for_again_is_the_same_and_that_of_nobody_else() {
        let many = (0..=KEPT_MAX).map(|number| format!("/registry/pods/many/{number:03}"));
        let few = ["/registry/nodes/n1", "/registry/pods/a/one", "/registry/pods/b/two"];
        let keys = few.into_iter().map(str::to_owned).chain(many);
        let changes: Vec<_> = (1..).zip(keys).map(|(at, key)| made(&key, at)).collect();
        let mut catalog = Catalog::new(RingLimits::default(), None);
        catalog.publish(&changes, changes.last().map_or(Revision(0), |last| last.revision));
        let registry = Arc::new(Registry::builtin().expect("the tables are good"));
        let world = SnapshotWorld::new(catalog.snapshot(), registry);
        let check = |kind: &Kind, namespace: Option<&str>, expected: &[&str]| {
            let found = world.list(kind, namespace);
            let names: Vec<&str> = found.iter().map(|object| object.name()).collect();
            assert_eq!(names, expected, "{kind} {namespace:?}");
        };
        for _ in 0..2 {
            check(&POD, Some("a"), &["one"]);
            check(&POD, Some("a"), &["one"]);
            check(&POD, Some("b"), &["two"]);
            check(&POD, Some("empty"), &[]);
            check(&POD, Some("empty"), &[]);
            check(&NODE, None, &["n1"]);
            check(&NODE, Some("a"), &["n1"]);
            assert_eq!(world.list(&POD, None).len(), KEPT_MAX + 3);
            assert_eq!(world.list(&POD, Some("many")).len(), KEPT_MAX + 1);
        }
    }

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
