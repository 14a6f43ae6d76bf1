//! The Raft group as a machine over tikv's `raft`: who leads, what is committed, what must be
//! durable first.
//!
//! Way in: [`RaftMachine`].  Owns: the log's tail in memory, the role, promises to other voters.
//! Never: a clock, a socket, a disk; they are effects ([`RaftEffect`]) whose ends are events
//! ([`RaftEvent`]).
//! Time and order: a vote or an acknowledgement leaves only after [`RaftEvent::Persisted`] says
//! that what it promises is on disk; an entry is handed out for application only when a quorum and
//! this node have it on disk.
//! Spec: Ongaro, "Consensus: Bridging Theory and Practice", sections 3.10, 4.3, 6.4, 9.6, 10.2.1.

mod cache;
mod config;
mod event;
mod machine;
mod members;
mod proposals;
mod reads;
mod record;
mod recover;
mod timeout;

pub use config::{NodeId, RaftConfig};
pub use event::{
    Committed, MemberChange, Proposed, RaftEffect, RaftEvent, RaftNotice, Refusal, Role, RoleView,
    SnapshotDelivery,
};
pub use machine::{RaftMachine, RaftStatus};
pub use members::Members;
pub use record::{Mark, Sender};
pub use recover::{Bootstrap, RecoverError, Stored};
