//! Numbers that must not be mistaken for each other.
//!
//! Way in: [`Revision`], [`Epoch`], [`Token`].  Never: arithmetic beyond "the next one".

use std::fmt;

use serde::{Deserialize, Serialize};

/// The place of one change in the one order of all changes of a group; 0 is before the first.
///
/// It is what Kubernetes' clients see as `resourceVersion`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Revision(pub u64);

/// Which Raft group of the cluster.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct GroupId(pub u16);

/// Which of the shards that keyed actors of the control plane are spread over.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct ShardId(pub u16);

/// How often a shard was granted: a write under an older epoch is refused, so two holders can never
/// both act.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Epoch(pub u64);

/// Names one proposal wherever it is repeated: the same token again gives the same outcome.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Token(pub [u8; 16]);

/// Names a lease: a span of life that keys can be tied to.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct LeaseId(pub u64);

/// A rolling SHA-256 over everything that entries wrote; equal on replicas that applied the same
/// entries.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct StateHash(pub [u8; 32]);

impl GroupId {
    /// The group that serves everything until a measurement demands a second.
    pub const MAIN: Self = Self(0);
}

impl ShardId {
    /// How many shards there are.
    pub const COUNT: u16 = 4_096;
    /// All shards at once: a grant of it raises the epoch of every shard.
    pub const ALL: Self = Self(u16::MAX);
    /// No shard: a writer that is not a placed actor (a user's request), fenced by revisions only.
    pub const UNPLACED: Self = Self(u16::MAX - 1);
}

impl Token {
    /// No token: the proposal is not remembered.
    pub const NONE: Self = Self([0; 16]);
}

impl Revision {
    /// The revision of a new group, in which nothing happened yet. Not zero: Kubernetes' clients mean
    /// "any" by `resourceVersion=0`, and a list of an empty cluster must tell them where to go on.
    pub const EMPTY: Self = Self(1);

    /// The revision of the change after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for StateHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for StateHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StateHash({self})")
    }
}
