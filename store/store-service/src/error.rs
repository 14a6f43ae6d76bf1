//! What can go wrong, for those who use a store.
//!
//! Way in: [`OpenError`], [`ProposeError`], [`ReadError`], [`WatchEnd`].

use store_mvcc::{ApplyError, EntryError, Revision};
use store_raft::{NodeId, RecoverError};

/// Any error of a disk's implementation.
pub type DiskFailure = Box<dyn std::error::Error + Send + Sync>;

/// Why a group cannot be started from its disks. None of these is mended by trying again.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The log cannot be opened or read.
    #[error("the log of group {group} cannot be opened")]
    Log {
        /// The group's name.
        group: String,
        /// What the disk said.
        source: DiskFailure,
    },
    /// The state cannot be opened.
    #[error("the state of group {group} cannot be opened")]
    State {
        /// The group's name.
        group: String,
        /// What the disk said.
        source: DiskFailure,
    },
    /// What the state holds cannot be used.
    #[error("the state of group {group} cannot be used")]
    Apply {
        /// The group's name.
        group: String,
        /// Why.
        source: ApplyError,
    },
    /// What the log holds cannot be used.
    #[error("the log of group {group} cannot be used")]
    Recover {
        /// The group's name.
        group: String,
        /// Why.
        source: RecoverError,
    },
}

/// Why a proposal has no outcome. The store repeats only what has a token, under that token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProposeError {
    /// Nobody leads who could be reached. Nothing was done; the caller tries later.
    #[error("the group has no leader that can be reached")]
    NotLeader {
        /// The leader, if one is known.
        leader: Option<NodeId>,
    },
    /// Too much is waiting. Nothing was done; the caller tries later.
    #[error("too many proposals are waiting")]
    Busy,
    /// The store is starting, stopping, or failed. Nothing was done; the caller tries later.
    #[error("the store is not running")]
    Unavailable,
    /// No space is left for the log or the state. Nothing was done; there must be room first.
    #[error("the disk of the store is full: no space is left in {place}")]
    DiskFull {
        /// The folder.
        place: String,
    },
    /// The proposal cannot be logged. Nothing was done; trying again does not help.
    #[error("the proposal cannot be logged")]
    Refused(#[source] EntryError),
    /// Another leader's entry took its place. It was not done and never will be; the caller may
    /// decide anew.
    #[error("the proposal was superseded by another leader's")]
    Superseded,
    /// Nobody knows whether it was or will be done. The caller looks at the state, or proposes
    /// again under the same token, which is applied at most once.
    #[error("the outcome of the proposal is unknown")]
    Unknown,
    /// The change of members makes no sense in the present ones. Nothing was done.
    #[error("the members cannot be changed in this way")]
    BadChange,
}

/// Why a read cannot be confirmed. Nothing was done; the caller tries later or elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// No leader confirmed it in time.
    #[error("no leader confirmed the read")]
    NoLeader {
        /// The leader, if one is known.
        leader: Option<NodeId>,
    },
    /// Too many reads are waiting.
    #[error("too many reads are waiting")]
    Busy,
    /// The store is starting, stopping, or failed.
    #[error("the store is not running")]
    Unavailable,
    /// This replica did not catch up in time.
    #[error("the read was not answered in time")]
    Late,
}

/// Why a watch ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WatchEnd {
    /// What comes next was compacted away: the watcher lists again and watches from there (`410
    /// Gone`).
    #[error("revision {after} was compacted; the oldest that can be read is {compacted}")]
    Expired {
        /// The watcher knew everything up to here.
        after: Revision,
        /// The oldest revision that can be read.
        compacted: Revision,
    },
    /// The store has ended, or its disk failed.
    #[error("the store is closed")]
    Closed,
}
