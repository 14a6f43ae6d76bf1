//! What members ask each other besides Raft's own messages, and how it is encoded.
//!
//! Way in: [`Request`], [`Answer`].
//! Invariant: the first byte is the format's version; what a newer version wrote is refused.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_bytes::ByteBuf;
use store_mvcc::{Outcome, StateHash};
use store_raft::{MemberChange, Members, NodeId};

/// The only version so far.
const VERSION: u8 = 1;

/// What one member asks another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Request {
    /// Log this proposal, as the leader.
    Propose(#[serde(with = "serde_bytes")] Vec<u8>),
    /// Change the members, as the leader.
    ChangeMembers(Vec<MemberChange>),
    /// Make this voter the leader, as the leader.
    Transfer(NodeId),
    /// Tell the hash of the state at these indices, where it is known.
    Hashes(Vec<u64>),
    /// Most members have another state than this one: look whether that is true, and stop.
    Differs {
        /// Where.
        index: u64,
        /// What the others have there.
        hash: StateHash,
    },
    /// Tell the highest feature level that your build can apply.
    Level,
    /// Log these proposals, as the leader; each is an entry of its own, and none waits for another.
    ProposeAll(Vec<ByteBuf>),
}

/// What it is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// The proposal was applied.
    Applied(Outcome),
    /// The members are these, from this index on.
    Members(u64, Members),
    /// It was taken note of.
    Noted,
    /// Those of the hashes that are known.
    Hashes(Vec<(u64, StateHash)>),
    /// Nothing was done: this member does not lead.
    NotLeader(Option<NodeId>),
    /// Nothing was done: too much is waiting.
    Busy,
    /// Nothing was done: the store does not run.
    Unavailable,
    /// It was not done and never will be.
    Superseded,
    /// Nobody knows whether it was done.
    Unknown,
    /// Nothing was done: the change of members makes no sense.
    BadChange,
    /// Nothing was done: the request cannot be read.
    Malformed,
    /// The highest feature level that this build can apply.
    Level(u16),
    /// What became of each of several proposals.
    All(Vec<Answer>),
}

pub(crate) fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    // Only a `Serialize` that fails by itself could fail here, and ours are derived. An empty
    // result would be refused when read, so it can never pass for something else.
    postcard::to_extend(value, vec![VERSION]).unwrap_or_default()
}

pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let (version, body) = bytes.split_first()?;
    if *version != VERSION {
        return None;
    }
    let (value, rest) = postcard::take_from_bytes(body).ok()?;
    rest.is_empty().then_some(value)
}
