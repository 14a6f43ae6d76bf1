//! What a judge found.
//!
//! Way in: [`Verdict`].  Invariant: it stays small, however wrong a history is.

use serde::{Deserialize, Serialize};

/// What a judge found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Verdict {
    /// What was judged: operations, or events of a watch.
    pub judged: usize,
    /// Reads of revisions that the log no longer shows: nothing can be said of them.
    pub unjudged: usize,
    /// What is wrong; the first [`Verdict::KEPT`] of all.
    pub violations: Vec<Violation>,
    /// How much is wrong.
    pub count: usize,
}

/// A promise that was broken. `operation` is a position in the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Violation {
    /// The final log is none.
    #[error("the final log has revision {found} where {expected} belongs")]
    BrokenLog {
        /// The revision that belongs there.
        expected: u64,
        /// The revision that is there.
        found: u64,
    },
    /// An acknowledged write is not in the final log.
    #[error(
        "operation {operation} was acknowledged at revision {revision}, where the log lacks it"
    )]
    LostWrite {
        /// The write.
        operation: usize,
        /// The revision that its client was told.
        revision: u64,
    },
    /// Two clients were told that the same change is theirs.
    #[error("operations {first} and {second} were both acknowledged at revision {revision}")]
    SharedRevision {
        /// The write that is earlier in the history.
        first: usize,
        /// The other one.
        second: usize,
        /// The revision.
        revision: u64,
    },
    /// The log has a change that nobody asked for, or one that was refused, or a write a second
    /// time.
    #[error("the change of {key} at revision {revision} is nobody's")]
    Phantom {
        /// The change.
        revision: u64,
        /// Its key.
        key: String,
    },
    /// A write happened though its condition was not met.
    #[error(
        "operation {operation} was done at revision {revision}, where its condition was not met"
    )]
    UnmetCondition {
        /// The write.
        operation: usize,
        /// The revision it got.
        revision: u64,
    },
    /// A write was refused for a version that the key never had, or no longer had when it was asked
    /// for.
    #[error("operation {operation} was refused for a version of {key} that it cannot have met")]
    FalseConflict {
        /// The write.
        operation: usize,
        /// Its key.
        key: String,
    },
    /// An operation took effect before one that had ended when it began.
    #[error(
        "operation {operation} took effect at revision {revision}, but began when {floor} was known"
    )]
    BackInTime {
        /// The operation.
        operation: usize,
        /// Where it took effect.
        revision: u64,
        /// The highest revision in any answer that had come before.
        floor: u64,
    },
    /// A read shows what was not there at its revision.
    #[error("operation {operation} read {key} at revision {revision}, but it held something else")]
    WrongRead {
        /// The read.
        operation: usize,
        /// The revision of the state that it claims to show.
        revision: u64,
        /// The first key that differs.
        key: String,
    },
    /// A read shows a state that the final log does not reach.
    #[error("operation {operation} read at revision {revision}; the log ends at {last}")]
    FutureRead {
        /// The read.
        operation: usize,
        /// The revision of the state that it claims to show.
        revision: u64,
        /// The last revision of the log.
        last: u64,
    },
    /// An answer does not belong to its call.
    #[error("operation {operation} got an answer to another question")]
    Nonsense {
        /// The operation.
        operation: usize,
    },
    /// A watch did not show a change.
    #[error("the change of {key} at revision {revision} was not seen before what follows it")]
    WatchGap {
        /// The change.
        revision: u64,
        /// Its key.
        key: String,
    },
    /// A watch showed a change twice, or one that is not behind where it started.
    #[error("revision {revision} was seen again after {after}")]
    WatchRepeat {
        /// What was seen.
        revision: u64,
        /// What had been seen before.
        after: u64,
    },
    /// A watch showed what did not happen.
    #[error("revision {revision} of {key} was seen, but is not in the log so")]
    WatchPhantom {
        /// What was seen.
        revision: u64,
        /// The key that was seen.
        key: String,
    },
}

impl Verdict {
    /// How many violations are kept.
    pub const KEPT: usize = 64;

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.count == 0
    }

    /// Adds what another judge found.
    pub fn merge(&mut self, other: Self) {
        self.judged += other.judged;
        self.unjudged += other.unjudged;
        let dropped = other.count - other.violations.len();
        other.violations.into_iter().for_each(|violation| self.add(violation));
        self.count += dropped;
    }

    pub(crate) fn add(&mut self, violation: Violation) {
        self.count += 1;
        if self.violations.len() < Self::KEPT {
            self.violations.push(violation);
        }
    }
}
