//! What a controller is: a pure function from an object and a world to a plan, and data about
//! itself.
//!
//! Way in: [`Controller`].  Never: memory between runs, a client, a clock, or an answer to "what
//! changed?".

use std::sync::Arc;

use actors_core::Now;
use actors_object::Object;
use serde::{Deserialize, Serialize};

use crate::{Key, Kind, Plan, Refusal, World, kind::Named};

/// Decides what should change for one object. Stateless: all it knows is in its arguments.
///
/// The host runs it for one key at a time, as often as it likes, also when nothing has changed.
pub trait Controller: Send + Sync {
    /// Its name: the last part of its user name and of its actor's address, `deployment`.
    fn name(&self) -> &'static str;

    /// Whose objects it looks after.
    fn primary(&self) -> Primary;

    /// Whose changes wake it besides those of its primary kind.
    fn relations(&self) -> Relations {
        Relations::default()
    }

    /// What it may read and write; the host enforces both.
    fn access(&self) -> Access;

    /// What should change, given `object` and the world around it.
    fn reconcile(&self, object: &Object, world: &dyn World, now: Now) -> Plan;

    /// What should change now that there is no object of this name. By default nothing: what an
    /// object owned is collected by its owner references.
    fn reconcile_gone(&self, key: &Key, world: &dyn World, now: Now) -> Plan {
        let (_, _, _) = (key, world, now);
        Plan::default()
    }

    /// What should be said about writes that were refused: a condition, usually. By default
    /// nothing; the host records an event in any case.
    fn refused(&self, object: &Object, refusals: &[Refusal], world: &dyn World, now: Now) -> Plan {
        let (_, _, _, _) = (object, refusals, world, now);
        Plan::default()
    }
}

/// Whose objects a controller looks after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Primary {
    /// Those of one kind.
    Of(Kind),
    /// Those of every kind that is served: the garbage collector's. Its relations say which changes
    /// concern it.
    Any,
}

impl Primary {
    /// Whether `object` is looked after.
    #[must_use]
    pub fn includes(&self, object: &Object) -> bool {
        match self {
            Self::Of(kind) => kind.is_kind_of(object),
            Self::Any => true,
        }
    }
}

/// Names the keys that one changed object wakes. Pure; for a deleted object it gets the last state.
pub type MapKeys = fn(&Object, &dyn World) -> Vec<Key>;

/// Whose changes wake a controller besides its primary kind's.
#[derive(Debug, Clone, Default)]
pub struct Relations {
    pub(crate) owns: Vec<Kind>,
    pub(crate) watches: Vec<Watch>,
}

#[derive(Debug, Clone)]
pub(crate) struct Watch {
    /// `None`: every kind.
    pub(crate) kind: Option<Kind>,
    pub(crate) map: MapKeys,
}

impl Relations {
    /// A change of an object of `kind` wakes its controlling owner.
    #[must_use]
    pub fn owns(mut self, kind: &Kind) -> Self {
        self.owns.push(kind.clone());
        self
    }

    /// A change of an object of `kind` wakes the keys that `map` names, before and after the
    /// change.
    #[must_use]
    pub fn watches(mut self, kind: &Kind, map: MapKeys) -> Self {
        self.watches.push(Watch { kind: Some(kind.clone()), map });
        self
    }

    /// A change of any object wakes the keys that `map` names.
    #[must_use]
    pub fn watches_all(mut self, map: MapKeys) -> Self {
        self.watches.push(Watch { kind: None, map });
        self
    }

    /// The kinds whose changes can wake a controller of `primary`: of no other is there anything to tell it.
    #[must_use]
    pub fn heard(&self, primary: &Primary) -> Kinds {
        let Primary::Of(kind) = primary else { return Kinds::Any };
        let mut kinds = vec![kind.clone()];
        kinds.extend(self.owns.iter().cloned());
        for watch in &self.watches {
            match &watch.kind {
                Some(kind) => kinds.push(kind.clone()),
                None => return Kinds::Any,
            }
        }
        kinds.sort();
        kinds.dedup();
        Kinds::These(kinds)
    }

    /// The keys that `object` wakes, for a controller of `primary`.
    pub(crate) fn keys(&self, primary: &Primary, object: &Object, world: &dyn World) -> Vec<Key> {
        let mut keys = Vec::new();
        let named = Named::of(object);
        if let Primary::Of(kind) = primary
            && kind.is(&named)
        {
            keys.push(Key::of(object));
        }
        if let Primary::Of(kind) = primary
            && self.owns.iter().any(|owned| owned.is(&named))
            && let Some(owner) = object.controller_of()
            && Kind::owned(owner.api_version.clone(), owner.kind.clone()).is_same(kind)
        {
            keys.push(Key::new(kind, object.namespace(), owner.name));
        }
        for watch in &self.watches {
            if watch.kind.as_ref().is_none_or(|kind| kind.is(&named)) {
                keys.extend((watch.map)(object, world));
            }
        }
        keys
    }
}

/// What a controller may read and write: data, enforced by the host and compared between
/// controllers by a test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// Kinds that its world shows.
    pub reads: Kinds,
    /// Writes that its plans may hold; events about anything are always allowed.
    pub writes: Vec<Write>,
}

impl Access {
    /// Reads of these kinds, no writes yet.
    #[must_use]
    pub fn reads(kinds: &[&Kind]) -> Self {
        let kinds = kinds.iter().map(|kind| (*kind).clone()).collect();
        Self { reads: Kinds::These(kinds), writes: Vec::new() }
    }

    /// Reads of every kind, no writes yet.
    #[must_use]
    pub fn reads_all() -> Self {
        Self { reads: Kinds::Any, writes: Vec::new() }
    }

    /// And may do `verb` to `kind`; `fields` are the only ones it sets.
    #[must_use]
    pub fn writes(mut self, kind: &Kind, verb: WriteVerb, fields: &[&str]) -> Self {
        let fields = fields.iter().map(|&field| field.to_owned()).collect();
        self.writes.push(Write { kind: Some(kind.clone()), verb, fields });
        self
    }

    /// And may do `verb` to every kind.
    #[must_use]
    pub fn writes_all(mut self, verb: WriteVerb, fields: &[&str]) -> Self {
        let fields = fields.iter().map(|&field| field.to_owned()).collect();
        self.writes.push(Write { kind: None, verb, fields });
        self
    }

    /// Whether it may do `verb` to `kind`.
    #[must_use]
    pub fn allows(&self, kind: &Kind, verb: WriteVerb) -> bool {
        let kind_fits = |write: &Write| write.kind.as_ref().is_none_or(|own| own.is_same(kind));
        self.writes.iter().any(|write| write.verb == verb && kind_fits(write))
    }
}

/// A set of kinds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kinds {
    /// Every kind that is served.
    Any,
    /// These.
    These(Vec<Kind>),
}

impl Kinds {
    /// Whether `kind` is one of them, in whichever version.
    #[must_use]
    pub fn includes(&self, kind: &Kind) -> bool {
        match self {
            Self::Any => true,
            Self::These(kinds) => kinds.iter().any(|own| own.is_same(kind)),
        }
    }

    pub(crate) fn includes_kind_of(&self, object: &Object) -> bool {
        match self {
            Self::Any => true,
            Self::These(kinds) => kinds.iter().any(|own| own.is_kind_of(object)),
        }
    }
}

/// One sort of write that a controller declares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Write {
    /// To which kind; `None` for every kind.
    pub kind: Option<Kind>,
    /// What it does.
    pub verb: WriteVerb,
    /// Which fields it sets, as dotted paths; empty where the verb concerns the whole object.
    pub fields: Vec<String>,
}

/// What a plan's item does to its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum WriteVerb {
    /// Makes it.
    Create,
    /// Changes metadata or spec.
    Patch,
    /// Changes its status.
    Status,
    /// Deletes it.
    Delete,
    /// Takes the cluster's finalizer off a namespace.
    Finalize,
    /// Gives a pod its node.
    Bind,
    /// Decides a certificate signing request.
    Approve,
}

/// A change of one object, as the store published it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The object after the change; for a deletion its last state.
    pub object: Arc<Object>,
    /// The object before it, if there was one; so that what it no longer matches is woken too.
    pub previous: Option<Arc<Object>>,
    /// Whether it is gone.
    pub deleted: bool,
    /// The change's own revision.
    pub revision: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Kind = Kind::new("v1", "One");
    const OWNED: Kind = Kind::new("apps/v1", "Owned");
    const SEEN: Kind = Kind::new("v1", "Seen");

    fn nobody(_: &Object, _: &dyn World) -> Vec<Key> {
        Vec::new()
    }

    #[test]
    fn a_controller_hears_of_what_can_wake_it() {
        let some = Relations::default().watches(&SEEN, nobody).owns(&OWNED).owns(&ONE);
        let these = Kinds::These(vec![OWNED, ONE, SEEN]);
        assert_eq!(some.heard(&Primary::Of(ONE)), these);
        assert_eq!(some.heard(&Primary::Any), Kinds::Any);
        assert_eq!(some.watches_all(nobody).heard(&Primary::Of(ONE)), Kinds::Any);
        assert_eq!(Relations::default().heard(&Primary::Of(ONE)), Kinds::These(vec![ONE]));
    }
}
