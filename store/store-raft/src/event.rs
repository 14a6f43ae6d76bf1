//! What a member of a group can be told, and what it wants done: plain data, both.
//!
//! Way in: [`RaftEvent`], [`RaftEffect`].

use actors_core::{Correlation, ports::DiskError, ports::LogRecord};
use serde::{Deserialize, Serialize};

use crate::{Members, NodeId};

/// What can happen to a member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RaftEvent {
    /// Time has passed. Wanted when [`crate::RaftMachine::next_tick`] says so.
    Tick,
    /// A frame of [`RaftEffect::Send`] or [`RaftEffect::SendSnapshot`] arrived from another member.
    Message {
        /// Who sent it, as the transport knows.
        from: NodeId,
        /// The frame.
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
    },
    /// Somebody wants these entries in the log, in this order.
    Propose {
        /// What is proposed.
        items: Vec<Proposed>,
    },
    /// Somebody wants to read what is newest: ends in `ReadReady` or `Refused`.
    Read {
        /// Whose read.
        id: Correlation,
    },
    /// All writes up to this one, in order, are on disk and synced.
    Persisted {
        /// Of [`RaftEffect::Persist`].
        number: u64,
    },
    /// A write failed: nothing may be assumed of it. The member halts and must be recovered from
    /// disk.
    PersistFailed {
        /// Of [`RaftEffect::Persist`].
        number: u64,
        /// What the disk said.
        error: DiskError,
    },
    /// The state machine has applied all entries up to this index.
    Applied {
        /// The last of them.
        index: u64,
    },
    /// The state machine's state up to this index would survive a power cut.
    Flushed {
        /// The last entry of that state.
        index: u64,
    },
    /// Somebody wants other members: ends in `MembersChanged` or `Refused`.
    ConfChange {
        /// Whose change.
        id: Correlation,
        /// What changes, at once.
        changes: Vec<MemberChange>,
    },
    /// The leader should make this voter its successor. Others ignore it.
    Transfer {
        /// The successor.
        to: NodeId,
    },
    /// The transport could not deliver to this member.
    Unreachable {
        /// Which.
        peer: NodeId,
    },
    /// This member's process has ended, for certain: a leader that is gone need not be waited for.
    Gone {
        /// Which.
        peer: NodeId,
    },
    /// This member must not take part any more: its state is not what it should be.
    Retire,
    /// The end of [`RaftEffect::SendSnapshot`].
    SnapshotSent {
        /// To whom it went.
        to: NodeId,
        /// How it went.
        delivery: SnapshotDelivery,
    },
    /// The end of [`RaftEffect::InstallSnapshot`]: the image is the state now, durably.
    SnapshotInstalled {
        /// Of [`RaftEffect::InstallSnapshot`].
        number: u64,
        /// The applied index of the installed image; at least the one asked for.
        applied: u64,
    },
}

/// One entry that somebody proposes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposed {
    /// Whose; comes back with the committed entry, or in `Refused`.
    pub id: Correlation,
    /// The payload. Never empty: empty entries are Raft's own.
    #[serde(with = "serde_bytes")]
    pub data: Vec<u8>,
}

/// One change of the members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum MemberChange {
    /// Adds a member that receives the log and does not vote; demotes a voter.
    AddLearner(NodeId),
    /// Adds a voter, or promotes a learner.
    AddVoter(NodeId),
    /// Removes a member. Its number is never used again.
    Remove(NodeId),
    /// Adds a learner that the leader makes a voter as soon as it has caught up. A voter stays one,
    /// and gets the context.
    Join {
        /// A new number.
        node: NodeId,
        /// What [`Members::contexts`] says of it.
        context: Vec<u8>,
    },
}

/// How the delivery of a snapshot ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SnapshotDelivery {
    /// The follower has the image and the message.
    Delivered,
    /// It has not; the leader tries again.
    Failed,
}

/// What a member wants done, in this order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RaftEffect {
    /// Append `records`, replace the head if there is one, sync, then say `Persisted(number)`.
    ///
    /// Writes are done in the order of their numbers; one sync may end many of them.
    Persist {
        /// Rises by one with every write.
        number: u64,
        /// What is appended; an index that exists is replaced with all behind it.
        records: Vec<LogRecord>,
        /// The new head, written behind the records.
        #[serde(with = "serde_bytes")]
        head: Option<Vec<u8>>,
    },
    /// Send this frame. It may be lost, delayed, doubled, or overtaken.
    Send {
        /// To whom.
        to: NodeId,
        /// The frame.
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
    },
    /// Apply these entries, in order, behind all earlier ones; then say `Applied`.
    Apply {
        /// Consecutive entries.
        entries: Vec<Committed>,
    },
    /// A read may be answered from a state that has applied at least `index`.
    ReadReady {
        /// Whose read.
        id: Correlation,
        /// The index.
        index: u64,
    },
    /// A proposal, read or change will not happen, or nobody can tell.
    Refused {
        /// Whose.
        id: Correlation,
        /// Why.
        refusal: Refusal,
    },
    /// This member's role, term or leader changed.
    RoleChanged(RoleView),
    /// The members changed, here, as of this index.
    MembersChanged {
        /// Who asked, if it was asked here.
        id: Option<Correlation>,
        /// The index of the change.
        index: u64,
        /// All members now.
        members: Members,
    },
    /// Bring an image of the state at or above `index` to a follower, then this frame; then say
    /// `SnapshotSent`.
    SendSnapshot {
        /// To whom.
        to: NodeId,
        /// The least applied index of the image.
        index: u64,
        /// The frame that follows the image.
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
    },
    /// Make the newest image that came the state, durably; then say `SnapshotInstalled`.
    ///
    /// A state that has applied `index` already, from an image that came for an earlier frame, is
    /// good enough.
    InstallSnapshot {
        /// Names this installation.
        number: u64,
        /// The least applied index that the image must have.
        index: u64,
    },
    /// Forget the log's records below `below`.
    Truncate {
        /// The first record that stays.
        below: u64,
    },
    /// This member was removed from its group: it is nobody from now on.
    Removed {
        /// The members without it are those as of this index.
        index: u64,
    },
    /// Something that people should know.
    Notice(RaftNotice),
    /// This member can go on only after it was recovered from disk: end it and start it again.
    Halt {
        /// Why.
        error: DiskError,
    },
}

/// A committed entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Committed {
    /// Its place.
    pub index: u64,
    /// The term in which it was proposed.
    pub term: u64,
    /// Who proposed it, if that was here and in this life.
    pub id: Option<Correlation>,
    /// Its payload. Empty for Raft's own entries: only the index advances.
    #[serde(with = "serde_bytes")]
    pub data: Vec<u8>,
}

/// Why something that was asked for is not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// This member does not lead. Nothing was done; ask the leader.
    #[error("not the leader")]
    NotLeader {
        /// The leader, if one is known.
        leader: Option<NodeId>,
    },
    /// Too much is waiting. Nothing was done; ask again later.
    #[error("too much is waiting")]
    Busy,
    /// The change of members makes no sense in the present ones. Nothing was done.
    #[error("the members cannot be changed in this way")]
    BadChange,
    /// Another leader's entry took its place. It was not done and never will be.
    #[error("superseded by another leader's entry")]
    Superseded,
    /// It may have been done or not; only the state can tell.
    #[error("the outcome is unknown")]
    Unknown,
}

/// What a member is in its term.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Role {
    /// Follows a leader, or waits for one.
    #[default]
    Follower,
    /// Asks whether it could win an election.
    PreCandidate,
    /// Stands for election.
    Candidate,
    /// Leads.
    Leader,
}

/// A member's role, and whom it takes for the leader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RoleView {
    /// Its role.
    pub role: Role,
    /// Its term.
    pub term: u64,
    /// The leader of that term, if known.
    pub leader: Option<NodeId>,
}

/// What people should know of a member's work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RaftNotice {
    /// It led, and its disk did not answer for [`crate::RaftConfig::STALL_MAX`]: it stepped down.
    DiskStalled,
    /// A frame was dropped: of another cluster or group, or not a frame at all.
    FrameDropped {
        /// Who sent it.
        from: NodeId,
        /// What was wrong with it.
        why: String,
    },
}
