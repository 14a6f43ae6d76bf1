//! What a controller wants done: plain data, checked and applied by its host.
//!
//! Way in: [`Plan`].  Never: a whole-object replacement, or a write without a precondition.
//! Invariants: 1. items are independent, each with its own verdict. 2. every write but a creation carries the uid of the object it was planned for; a creation needs
//! the name to be free.

mod diff;
mod text;

use std::time::Duration;

use actors_object::{Object, Value};
use serde::{Deserialize, Serialize};

pub use self::diff::{changes_nothing, merge_diff};
use crate::{Cause, Kind, Read, Target, World, WriteVerb};

/// Changes that one run of a controller asks for. Empty means: nothing to do.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// What to do. Each item stands for itself; they do not wait for each other.
    pub items: Vec<Item>,
    /// When to look at the same key again although nothing has changed.
    pub requeue_after: Option<Duration>,
    /// Why the object cannot be worked on as it is. Nothing is retried until it changes.
    pub rejection: Option<Rejection>,
    /// What was read; filled in by the host.
    pub reads: Vec<Read>,
    /// The revision at which it was read; filled in by the host.
    pub revision: u64,
    /// Why it was made, the oldest reason first; filled in by the host.
    pub causes: Vec<Cause>,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Item {
    /// Makes an object; refused if the name is taken. A `generateName` is completed by the host.
    Create(Object),
    /// Merges a patch (RFC 7396) into metadata and spec.
    Patch {
        /// Of what.
        target: Target,
        /// The patch, from the root of the object.
        patch: Value,
    },
    /// Merges a patch (RFC 7396) through the `status` subresource.
    Status {
        /// Of what.
        target: Target,
        /// The patch, from the root of the object: `{"status": …}`.
        patch: Value,
    },
    /// Deletes an object of this uid.
    Delete {
        /// What.
        target: Target,
        /// What becomes of its dependents.
        propagation: Propagation,
        /// Seconds to end in; `None` leaves it to the object.
        grace_seconds: Option<u32>,
    },
    /// Empties `spec.finalizers` of a namespace through its `finalize` subresource.
    Finalize {
        /// Which namespace.
        target: Target,
    },
    /// Gives a pod its node through its `binding` subresource.
    Bind {
        /// Which pod.
        target: Target,
        /// The node's name.
        node: String,
    },
    /// Merges a patch (RFC 7396) through the `approval` subresource of a certificate signing request.
    Approve {
        /// Of which request.
        target: Target,
        /// The patch, from the root of the object: `{"status": {"conditions": …}}`.
        patch: Value,
    },
    /// Tells people; never retried, repeated ones are counted in one Event object.
    Event(Happening),
}

/// Something people should know about an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Happening {
    /// About which object.
    pub regarding: Target,
    /// How grave.
    pub kind: EventType,
    /// One CamelCase word for machines: `ScalingReplicaSet`.
    pub reason: String,
    /// A sentence for people.
    pub message: String,
}

/// The two types of events that Kubernetes knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventType {
    /// All is well.
    Normal,
    /// Something may need attention.
    Warning,
}

impl EventType {
    /// As the `type` of an Event object.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Warning => "Warning",
        }
    }
}

/// What becomes of an object's dependents when it is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Propagation {
    /// They go after it.
    #[default]
    Background,
    /// They go before it.
    Foreground,
    /// They stay, without it as an owner.
    Orphan,
}

impl Propagation {
    /// As the `propagationPolicy` of DeleteOptions.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Background => "Background",
            Self::Foreground => "Foreground",
            Self::Orphan => "Orphan",
        }
    }
}

/// Why an object was refused by its controller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejection {
    /// The offending field: `spec.selector`.
    pub path: String,
    /// What is wrong with it: `must not be empty`.
    pub why: String,
}

impl Plan {
    /// Most items of one plan. A controller that wants more does the rest in its next run.
    pub const ITEMS_MAX: usize = 2_000;

    /// A plan that only says why the object cannot be worked on. It becomes an event, and nothing
    /// is retried until the object changes.
    #[must_use]
    pub fn reject(path: impl Into<String>, why: impl Into<String>) -> Self {
        let rejection = Some(Rejection { path: path.into(), why: why.into() });
        Self { rejection, ..Self::default() }
    }

    /// Whether there is nothing to do or say, now or later.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty() && self.requeue_after.is_none() && self.rejection.is_none()
    }

    /// Makes `object`.
    pub fn create(&mut self, object: Object) {
        self.items.push(Item::Create(object));
    }

    /// Merges `patch` into metadata and spec of this life of `object`.
    pub fn patch(&mut self, object: &Object, patch: Value) {
        self.items.push(Item::Patch { target: Target::of(object), patch });
    }

    /// Merges `patch` into `object` if it is still exactly as it was seen: for patches that replace
    /// lists.
    pub fn patch_exactly(&mut self, object: &Object, patch: Value) {
        self.items.push(Item::Patch { target: Target::exactly(object), patch });
    }

    /// Makes the status of `object` equal `status`; does nothing if it is already.
    pub fn set_status(&mut self, object: &Object, status: &Value) {
        if let Some(patch) = merge_diff(object.status(), status) {
            let patch = [("status", patch)].into_iter().collect();
            self.items.push(Item::Status { target: Target::of(object), patch: Value::Map(patch) });
        }
    }

    /// As [`Plan::set_status`], if the object is still exactly as it was seen: where others write
    /// the status too.
    pub fn set_status_exactly(&mut self, object: &Object, status: &Value) {
        if let Some(patch) = merge_diff(object.status(), status) {
            let patch = [("status", patch)].into_iter().collect();
            let target = Target::exactly(object);
            self.items.push(Item::Status { target, patch: Value::Map(patch) });
        }
    }

    /// Deletes this life of `object`, its dependents after it.
    pub fn delete(&mut self, object: &Object) {
        self.delete_as(Target::of(object), Propagation::Background, None);
    }

    /// Deletes what `target` names, in a given way.
    pub fn delete_as(
        &mut self,
        target: Target,
        propagation: Propagation,
        grace_seconds: Option<u32>,
    ) {
        self.items.push(Item::Delete { target, propagation, grace_seconds });
    }

    /// Tells people about `object`.
    pub fn event(
        &mut self,
        object: &Object,
        kind: EventType,
        reason: &str,
        message: impl Into<String>,
    ) {
        let regarding = Target::of(object);
        let (reason, message) = (reason.to_owned(), message.into());
        self.items.push(Item::Event(Happening { regarding, kind, reason, message }));
    }

    /// Looks again after `wait`, or earlier if an earlier look was asked for.
    pub fn requeue(&mut self, wait: Duration) {
        self.requeue_after = Some(self.requeue_after.map_or(wait, |own| own.min(wait)));
    }

    /// Adds what another plan wants.
    pub fn absorb(&mut self, other: Self) {
        self.items.extend(other.items);
        if let Some(wait) = other.requeue_after {
            self.requeue(wait);
        }
        self.rejection = self.rejection.take().or(other.rejection);
    }
}

impl Item {
    /// What it does, or `None` for an event, which everybody may record.
    #[must_use]
    pub fn verb(&self) -> Option<WriteVerb> {
        match self {
            Self::Create(_) => Some(WriteVerb::Create),
            Self::Patch { .. } => Some(WriteVerb::Patch),
            Self::Status { .. } => Some(WriteVerb::Status),
            Self::Delete { .. } => Some(WriteVerb::Delete),
            Self::Finalize { .. } => Some(WriteVerb::Finalize),
            Self::Bind { .. } => Some(WriteVerb::Bind),
            Self::Approve { .. } => Some(WriteVerb::Approve),
            Self::Event(_) => None,
        }
    }

    /// The kind of the object that it writes.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Create(object) => Kind::of(object),
            Self::Patch { target, .. }
            | Self::Status { target, .. }
            | Self::Delete { target, .. }
            | Self::Finalize { target }
            | Self::Bind { target, .. }
            | Self::Approve { target, .. } => target.key.kind.clone(),
            Self::Event(happening) => happening.regarding.key.kind.clone(),
        }
    }

    /// Whether `world` already is as this item wants it.
    #[must_use]
    pub fn is_idle(&self, world: &dyn World) -> bool {
        let (Self::Patch { target, patch } | Self::Status { target, patch }) = self else {
            return false;
        };
        world
            .get(&target.key.kind, &target.key.namespace, &target.key.name)
            .is_some_and(|current| current.uid() == target.uid && changes_nothing(&current, patch))
    }
}
