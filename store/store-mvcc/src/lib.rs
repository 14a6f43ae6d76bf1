//! What a log entry does to the state: revisions, transactions, leases, epochs, compaction.
//!
//! Way in: [`Proposal`] (what is logged), [`Mvcc::apply`] (what it does), [`Reader`] (what there is
//! and was).
//! Owns: the rows of one group in a `StateStore`.  Never: a clock, a disk of its own, a decision
//! about Kubernetes. Every replica that applies the same entries holds equal rows and an equal
//! [`StateHash`].

mod change;
mod entry;
mod guards;
mod ids;
mod key;
mod mvcc;
mod outcome;
mod reader;
mod rows;
mod staging;
mod sweep;
mod tokens;
mod transfer;
mod txn;

pub use change::{Change, ChangeKind, Residents, Stored};
pub use entry::{
    Columns, Condition, ENTRY_BYTES_MAX, ENTRY_VERSION, EntryError, Expect, Op, Proposal, Splice,
    VALUE_BYTES_MAX, Writer,
};
pub use ids::{Epoch, GroupId, LeaseId, Revision, ShardId, StateHash, Token};
pub use key::Key;
pub use mvcc::{Applied, ApplyError, LEVEL_MAX, Mvcc};
pub use outcome::{Flaw, OpResult, Outcome};
pub use reader::{Lease, Position, ReadError, Reader};
pub use sweep::Swept;
pub use tokens::{TOKEN_AGE_MAX, TOKENS_MAX};
pub use transfer::export;

#[cfg(test)]
mod tests;
