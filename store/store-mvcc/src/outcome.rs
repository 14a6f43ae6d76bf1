//! What became of a proposal.
//!
//! Way in: [`Outcome`].  Invariant: an outcome has one result for each operation, in their order.

use serde::{Deserialize, Serialize};

use crate::{Epoch, Revision};

/// What became of a proposal. The same token gives the same outcome again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The log index at which it was first applied.
    pub index: u64,
    /// One for each operation.
    pub results: Vec<OpResult>,
}

/// What became of one operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum OpResult {
    /// It was done.
    Done {
        /// The revision it got; for an operation that gets none, the newest revision at that time.
        revision: Revision,
        /// Whether the key did not exist before.
        created: bool,
    },
    /// There was nothing to do: what was to be removed was not there, and nothing else was
    /// expected; or what was checked is so.
    Nothing,
    /// The key did not hold what was expected. The writer reads again and decides anew.
    Conflict {
        /// The revision it has, or `None` if there is nothing.
        current: Option<Revision>,
    },
    /// The writer does not hold its shard under the present epoch. It stops acting.
    OldEpoch {
        /// The shard's epoch.
        current: Epoch,
    },
    /// It could have been done, but another operation of the same atomic proposal could not.
    Aborted,
    /// The writer assumed more than all replicas agreed on.
    LevelTooLow {
        /// The level that is agreed on.
        level: u16,
    },
    /// It can never be done. The writer has a bug or a hostile client.
    Invalid(Flaw),
}

/// Why an operation can never be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Flaw {
    /// Offsets of splices fall, overlap, or lie behind the value's end.
    #[error("splices do not fit the value")]
    Splices,
    /// A delta of ciphertext.
    #[error("a sealed value cannot be changed in part")]
    Sealed,
    /// `rv_at` lies behind the value's end.
    #[error("index columns do not fit the value")]
    Columns,
    /// The value or the key is too long.
    #[error("key or value is too long")]
    TooLarge,
    /// There is no such lease.
    #[error("unknown lease")]
    UnknownLease,
    /// The lease exists already.
    #[error("lease exists already")]
    LeaseExists,
    /// The revision has not happened yet.
    #[error("revision is in the future")]
    FutureRevision,
    /// There is no such shard.
    #[error("unknown shard")]
    UnknownShard,
}

impl OpResult {
    /// Whether the operation stands: it was done, or there was nothing to do.
    #[must_use]
    pub const fn is_ok(&self) -> bool {
        matches!(self, Self::Done { .. } | Self::Nothing)
    }

    /// The revision that it got, if it was done.
    #[must_use]
    pub const fn revision(&self) -> Option<Revision> {
        match self {
            Self::Done { revision, .. } => Some(*revision),
            _ => None,
        }
    }
}

impl Outcome {
    /// Whether every operation stands.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.results.iter().all(OpResult::is_ok)
    }

    /// The highest revision that it got.
    #[must_use]
    pub fn last_revision(&self) -> Option<Revision> {
        self.results.iter().filter_map(OpResult::revision).max()
    }
}
