//! What a controller may see: every object at one revision, and nothing else.
//!
//! Way in: [`World`].  Never: a write, a wait, or two revisions in one view.
//! [`Recorded`] stands between a controller and the world: it hides undeclared kinds and notes what
//! was read.

use std::{cell::RefCell, fmt, sync::Arc};

use actors_object::{Object, selector::LabelSelector};
use serde::{Deserialize, Serialize};

use crate::{Access, Kind};

/// An immutable view of all objects at one revision of the store.
///
/// Lists are ordered by namespace and name. Namespaces of cluster-scoped kinds are the empty text.
pub trait World {
    /// The revision at which everything here was true.
    fn revision(&self) -> u64;

    /// One object by name.
    fn get(&self, kind: &Kind, namespace: &str, name: &str) -> Option<Arc<Object>>;

    /// All objects of a kind, in one namespace or (`None`) in all.
    fn list(&self, kind: &Kind, namespace: Option<&str>) -> Vec<Arc<Object>>;

    /// One object by its uid, of whichever kind.
    fn by_uid(&self, uid: &str) -> Option<Arc<Object>>;

    /// All objects that name `uid` in their owner references.
    fn owned_by(&self, uid: &str) -> Vec<Arc<Object>>;

    /// All kinds that are served, and whether their objects live in namespaces; each once, in the version in which its
    /// objects are read.
    fn kinds(&self) -> Vec<ServedKind>;

    /// Those of [`World::list`] whose labels match. A view with an index of labels overrides it.
    fn matching(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        selector: &LabelSelector,
    ) -> Vec<Arc<Object>> {
        let mut found = self.list(kind, namespace);
        found.retain(|object| selector.matches(&**object));
        found
    }

    /// All objects of a kind whose text at a dotted path (`spec.nodeName`) equals `value`.
    /// A view with an index of selectable fields overrides it.
    fn with_field(&self, kind: &Kind, field: &str, value: &str) -> Vec<Arc<Object>> {
        let path: Vec<&str> = field.split('.').collect();
        let mut found = self.list(kind, None);
        found.retain(|object| object.str_at(&path) == Some(value));
        found
    }
}

/// One kind that the cluster serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServedKind {
    /// Which.
    pub kind: Kind,
    /// Its name in paths: `deployments`.
    pub plural: String,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
}

/// One question that a controller asked, for the trace of its run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Read {
    /// The question: `Pod default/*`, `owned by 7f3c…`.
    pub query: String,
    /// How many objects answered it.
    pub found: u32,
}

impl fmt::Display for Read {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.query, self.found)
    }
}

/// A world behind a controller's declared reads.
pub struct Recorded<'a> {
    world: &'a dyn World,
    access: &'a Access,
    reads: RefCell<Vec<Read>>,
}

impl<'a> Recorded<'a> {
    /// Most reads that one run notes; later ones are answered and not noted.
    pub const READS_MAX: usize = 32;

    /// The part of `world` that `access` declares.
    #[must_use]
    pub fn new(world: &'a dyn World, access: &'a Access) -> Self {
        Self { world, access, reads: RefCell::default() }
    }

    /// What was read, oldest first.
    #[must_use]
    pub fn into_reads(self) -> Vec<Read> {
        self.reads.into_inner()
    }

    fn note(&self, found: usize, query: impl FnOnce() -> String) {
        let mut reads = self.reads.borrow_mut();
        if reads.len() < Self::READS_MAX {
            let found = u32::try_from(found).unwrap_or(u32::MAX);
            reads.push(Read { query: query(), found });
        }
    }

    fn visible(&self, object: &Object) -> bool {
        self.access.reads.includes_kind_of(object)
    }
}

impl fmt::Debug for Recorded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorded").field("reads", &self.reads).finish_non_exhaustive()
    }
}

impl World for Recorded<'_> {
    fn revision(&self) -> u64 {
        self.world.revision()
    }

    fn get(&self, kind: &Kind, namespace: &str, name: &str) -> Option<Arc<Object>> {
        let found = self.access.reads.includes(kind).then(|| self.world.get(kind, namespace, name));
        let found = found.flatten();
        self.note(usize::from(found.is_some()), || {
            [kind.kind(), " ", namespace, "/", name].concat()
        });
        found
    }

    fn list(&self, kind: &Kind, namespace: Option<&str>) -> Vec<Arc<Object>> {
        let allowed = self.access.reads.includes(kind);
        let found = if allowed { self.world.list(kind, namespace) } else { Vec::new() };
        self.note(found.len(), || [kind.kind(), " ", namespace.unwrap_or("*"), "/*"].concat());
        found
    }

    fn by_uid(&self, uid: &str) -> Option<Arc<Object>> {
        let found = self.world.by_uid(uid).filter(|object| self.visible(object));
        self.note(usize::from(found.is_some()), || ["uid ", uid].concat());
        found
    }

    fn owned_by(&self, uid: &str) -> Vec<Arc<Object>> {
        let mut found = self.world.owned_by(uid);
        found.retain(|object| self.visible(object));
        self.note(found.len(), || ["owned by ", uid].concat());
        found
    }

    fn kinds(&self) -> Vec<ServedKind> {
        self.world.kinds()
    }

    fn matching(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        selector: &LabelSelector,
    ) -> Vec<Arc<Object>> {
        let allowed = self.access.reads.includes(kind);
        let found =
            if allowed { self.world.matching(kind, namespace, selector) } else { Vec::new() };
        self.note(found.len(), || {
            [kind.kind(), " ", namespace.unwrap_or("*"), "/* by label"].concat()
        });
        found
    }

    fn with_field(&self, kind: &Kind, field: &str, value: &str) -> Vec<Arc<Object>> {
        let allowed = self.access.reads.includes(kind);
        let found = if allowed { self.world.with_field(kind, field, value) } else { Vec::new() };
        self.note(found.len(), || [kind.kind(), " ", field, "=", value].concat());
        found
    }
}
