//! How a member's log records, its head and its frames are encoded.
//!
//! Way in: [`encode_entry`], [`Head`], [`open_frame`].
//! Invariant: every encoding begins with a version byte; what a newer version wrote is refused,
//! never guessed.

use std::collections::BTreeSet;

use actors_core::ports::LogRecord;
use prost::Message as _;
use raft::eraftpb::{Entry, EntryType, Message, MessageType};
use serde::{Deserialize, Serialize};

use crate::{Members, NodeId, RaftConfig};

/// The only version of each encoding so far, but for the head's.
const VERSION: u8 = 1;
/// The head's version. The first one knew neither contexts nor images that are ahead of the log.
const HEAD_VERSION: u8 = 2;
/// The first byte of a frame that holds no message of raft but a [`Farewell`].
const FAREWELL: u8 = 2;
/// Most bytes of a record before its entry: the version, the kind, a term and a length.
const RECORD_HEAD_LEN: usize = 1 + 1 + 10 + 10;
/// Version, cluster, group.
const FRAME_HEAD_LEN: usize = 1 + 16 + 2;

/// A place in the log together with the term of the entry there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Mark {
    /// The place.
    pub index: u64,
    /// The term.
    pub term: u64,
}

/// Who wrote something: which member of which group of which cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sender {
    /// The cluster's uid.
    pub cluster: [u8; 16],
    /// The group.
    pub group: u16,
    /// The member.
    pub node: NodeId,
}

/// The small record beside the log: what must not be forgotten besides the entries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    /// Whose log this is.
    pub(crate) owner: Sender,
    /// The newest term that was seen.
    pub(crate) term: u64,
    /// Who got this member's vote in that term; zero if nobody.
    pub(crate) vote: u64,
    /// The last index known to be committed; may lag.
    pub(crate) commit: u64,
    /// The members as of `members_at`.
    pub(crate) members: Members,
    /// All changes of members up to this index are in `members`, none behind it.
    pub(crate) members_at: u64,
    /// A snapshot that is being installed: its last entry and its members. Its image is the state
    /// if, and only if, the state has applied at least this index.
    pub(crate) incoming: Option<(Mark, Members)>,
    /// The applied index of the last image that was installed: the state may be up to here although
    /// the log is not yet.
    pub(crate) image: u64,
}

/// The head as its first version had it.
#[derive(Deserialize)]
struct FirstHead {
    owner: Sender,
    term: u64,
    vote: u64,
    commit: u64,
    members: FirstMembers,
    members_at: u64,
    incoming: Option<(Mark, FirstMembers)>,
}

#[derive(Deserialize)]
struct FirstMembers {
    voters: BTreeSet<NodeId>,
    learners: BTreeSet<NodeId>,
    voters_outgoing: BTreeSet<NodeId>,
    learners_next: BTreeSet<NodeId>,
    auto_leave: bool,
}

impl From<FirstMembers> for Members {
    fn from(first: FirstMembers) -> Self {
        let FirstMembers { voters, learners, voters_outgoing, learners_next, auto_leave } = first;
        let (contexts, joining) = Default::default();
        Self { voters, learners, voters_outgoing, learners_next, auto_leave, contexts, joining }
    }
}

impl From<FirstHead> for Head {
    fn from(first: FirstHead) -> Self {
        let FirstHead { owner, term, vote, commit, members, members_at, incoming } = first;
        let incoming = incoming.map(|(mark, members)| (mark, members.into()));
        Self { owner, term, vote, commit, members: members.into(), members_at, incoming, image: 0 }
    }
}

impl Head {
    pub(crate) fn encode(&self) -> Vec<u8> {
        encode_as(HEAD_VERSION, self)
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        decode_as(HEAD_VERSION, bytes).or_else(|| decode::<FirstHead>(bytes).map(Self::from))
    }
}

impl RaftConfig {
    pub(crate) fn sender(&self) -> Sender {
        Sender { cluster: self.cluster, group: self.group, node: self.node }
    }
}

/// What sort of entry a record holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum RecordKind {
    /// Of the state machine, or raft's own empty one.
    Normal,
    /// A change of members in raft's encoding.
    Members,
    /// Not an entry: the log begins behind it, and it only tells its term.
    Mark,
}

#[derive(Serialize, Deserialize)]
struct Record<'a> {
    kind: RecordKind,
    term: u64,
    #[serde(borrow, with = "serde_bytes")]
    data: &'a [u8],
}

/// What a log record turned out to be.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Decoded {
    Entry(Entry),
    Mark(Mark),
}

impl Decoded {
    pub(crate) fn mark(&self) -> Mark {
        match self {
            Self::Entry(entry) => Mark { index: entry.index, term: entry.term },
            Self::Mark(mark) => *mark,
        }
    }
}

pub(crate) fn encode_entry(entry: &Entry) -> LogRecord {
    let kind = match entry.get_entry_type() {
        EntryType::EntryNormal => RecordKind::Normal,
        EntryType::EntryConfChange | EntryType::EntryConfChangeV2 => RecordKind::Members,
    };
    let record = Record { kind, term: entry.term, data: &entry.data };
    // One that grows is copied each time, and entries are long.
    let mut bytes = Vec::with_capacity(RECORD_HEAD_LEN + entry.data.len());
    bytes.push(VERSION);
    let data = postcard::to_extend(&record, bytes).unwrap_or_default();
    LogRecord { index: entry.index, data }
}

pub(crate) fn encode_mark(mark: Mark) -> LogRecord {
    let data = encode(&Record { kind: RecordKind::Mark, term: mark.term, data: &[] });
    LogRecord { index: mark.index, data }
}

pub(crate) fn decode_record(record: &LogRecord) -> Option<Decoded> {
    let Record { kind, term, data } = decode(&record.data)?;
    let index = record.index;
    let mut entry = Entry { index, term, data: data.to_vec(), ..Entry::default() };
    match kind {
        RecordKind::Normal => entry.set_entry_type(EntryType::EntryNormal),
        RecordKind::Members => entry.set_entry_type(EntryType::EntryConfChangeV2),
        RecordKind::Mark => return Some(Decoded::Mark(Mark { index, term })),
    }
    Some(Decoded::Entry(entry))
}

/// A leader tells a member that is none any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Farewell {
    pub(crate) to: NodeId,
    /// As of here, the members are without it.
    pub(crate) index: u64,
}

/// What a frame turned out to hold.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Framed {
    Message(Box<Message>),
    Farewell(Farewell),
}

/// Puts a message of raft into a frame that says where it belongs.
pub(crate) fn frame(config: &RaftConfig, message: &Message) -> Vec<u8> {
    let mut bytes = frame_head(VERSION, config, message.encoded_len());
    message.encode_raw(&mut bytes);
    bytes
}

/// Puts a farewell into a frame.
pub(crate) fn farewell_frame(config: &RaftConfig, farewell: &Farewell) -> Vec<u8> {
    let mut bytes = frame_head(FAREWELL, config, 0);
    bytes.extend_from_slice(&encode(farewell));
    bytes
}

fn frame_head(kind: u8, config: &RaftConfig, more: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(FRAME_HEAD_LEN + more);
    bytes.push(kind);
    bytes.extend_from_slice(&config.cluster);
    bytes.extend_from_slice(&config.group.to_be_bytes());
    bytes
}

/// Takes out what a frame holds.
///
/// # Errors
/// What is wrong with the frame; the transport's other end is to blame.
pub(crate) fn open_frame(
    config: &RaftConfig,
    from: NodeId,
    bytes: &[u8],
) -> Result<Framed, &'static str> {
    let (head, body) = bytes.split_at_checked(FRAME_HEAD_LEN).ok_or("shorter than its head")?;
    if head[0] != VERSION && head[0] != FAREWELL {
        return Err("of an unknown version");
    }
    if head[1..17] != config.cluster {
        return Err("of another cluster");
    }
    if head[17..] != config.group.to_be_bytes() {
        return Err("of another group");
    }
    if head[0] == FAREWELL {
        let farewell: Farewell = decode(body).ok_or("not a farewell")?;
        let ours = farewell.to == config.node;
        return if ours { Ok(Framed::Farewell(farewell)) } else { Err("misdirected") };
    }
    let message = Message::decode(body).map_err(|_| "not a message")?;
    if message.from != from.0 || message.to != config.node.0 {
        return Err("misdirected");
    }
    // Raft's own accessors panic on numbers that they do not know.
    let known = MessageType::from_i32(message.msg_type).is_some()
        && message.entries.iter().all(|entry| EntryType::from_i32(entry.entry_type).is_some());
    if known { Ok(Framed::Message(Box::new(message))) } else { Err("of an unknown kind") }
}

pub(crate) fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    encode_as(VERSION, value)
}

pub(crate) fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Option<T> {
    decode_as(VERSION, bytes)
}

fn encode_as<T: Serialize>(version: u8, value: &T) -> Vec<u8> {
    // Only a `Serialize` that fails by itself could fail here, and ours are derived. An empty
    // result would be refused when read, so it can never pass for something else.
    postcard::to_extend(value, vec![version]).unwrap_or_default()
}

fn decode_as<'a, T: Deserialize<'a>>(expected: u8, bytes: &'a [u8]) -> Option<T> {
    let (version, body) = bytes.split_first()?;
    if *version != expected {
        return None;
    }
    let (value, rest) = postcard::take_from_bytes(body).ok()?;
    rest.is_empty().then_some(value)
}

#[cfg(test)]
mod tests;
