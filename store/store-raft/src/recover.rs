//! From what lies on disk to a member that may take part again.
//!
//! Way in: [`RaftMachine::recover`]; [`Bootstrap`] for what lies on disk the first time.
//! Never: guesses. A log that contradicts its head or the state is refused with the reason.

use actors_core::ports::LogRecord;
use raft::eraftpb::{Entry, HardState};

use crate::{
    Mark, Members, NodeId, RaftConfig, RaftMachine, Sender,
    cache::LogCache,
    members::Extra,
    record::{Decoded, Head, decode_record, encode_mark},
};

/// Everything that a member finds on its disk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stored {
    /// The log's head, if one was ever written.
    pub head: Option<Vec<u8>>,
    /// All records of the log, oldest first.
    pub records: Vec<LogRecord>,
    /// The last index that the state has applied; zero for an empty state.
    pub applied: u64,
}

/// What to write into an empty log before the first member of a new group starts, then to sync.
///
/// Every first voter writes the same; a member that joins later writes nothing and is sent a
/// snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bootstrap {
    /// The head.
    pub head: Vec<u8>,
    /// The records.
    pub records: Vec<LogRecord>,
}

/// Why a member cannot start from its disk. None of these is mended by trying again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecoverError {
    /// The head cannot be read.
    #[error("the log's head is damaged, or of a newer version")]
    Head,
    /// A record cannot be read.
    #[error("log record {index} is damaged, or of a newer version")]
    Record {
        /// Which.
        index: u64,
    },
    /// There are records without a head.
    #[error("the log has records but no head")]
    NoHead,
    /// A record is missing.
    #[error("the log has a gap before record {index}")]
    Gap {
        /// The first record behind the gap.
        index: u64,
    },
    /// The log is of another member, group or cluster.
    #[error("the log belongs to {found:?}, not to {expected:?}")]
    Foreign {
        /// Who wrote it.
        found: Sender,
        /// Who reads it.
        expected: Sender,
    },
    /// The state has applied entries that the log never had: part of the log is lost.
    #[error("the log ends at {last}, but the state has applied {applied}")]
    LogBehindState {
        /// The log's last record.
        last: u64,
        /// The state's last entry.
        applied: u64,
    },
    /// Entries that the state needs are not in the log any more: part of the state is lost.
    #[error("the log begins behind {base}, but the state has applied only {applied}")]
    StateBehindLog {
        /// The last entry that is not in the log.
        base: u64,
        /// The state's last entry.
        applied: u64,
    },
    /// Raft itself refuses.
    #[error("raft refuses the log: {0}")]
    Raft(String),
}

impl Bootstrap {
    /// Index and term from which every new group begins. Not zero, so that a member with an empty
    /// log, which cannot know the first voters, is sent a snapshot that names them.
    pub const BEGIN: Mark = Mark { index: 1, term: 1 };

    /// The first contents of the log of `config.node`, one of the first `voters`.
    #[must_use]
    pub fn new(config: &RaftConfig, voters: &[NodeId]) -> Self {
        Self::with(config, Members::voters(voters.iter().copied()))
    }

    /// The same with more said of the members, which are all voters.
    #[must_use]
    pub fn with(config: &RaftConfig, members: Members) -> Self {
        let head = Head {
            owner: config.sender(),
            term: Self::BEGIN.term,
            vote: 0,
            commit: Self::BEGIN.index,
            members,
            members_at: Self::BEGIN.index,
            incoming: None,
            image: 0,
        };
        Self { head: head.encode(), records: vec![encode_mark(Self::BEGIN)] }
    }
}

/// What was made of the disk's contents.
pub(crate) struct Recovered {
    pub(crate) cache: LogCache,
    pub(crate) members_at: u64,
    pub(crate) applied: u64,
    pub(crate) extra: Extra,
    /// See [`Head::image`].
    pub(crate) image: u64,
    /// The snapshot whose image was installed, but whose mark the log does not have yet.
    pub(crate) unfinished: Option<(Mark, Members)>,
    /// The snapshot whose image was to replace the state, and did not: neither is there now.
    pub(crate) owed: Option<(Mark, Members)>,
}

impl Recovered {
    fn nothing(cache: LogCache) -> Self {
        let (members_at, applied, image) = (0, 0, 0);
        let extra = Extra::default();
        Self { cache, members_at, applied, extra, image, unfinished: None, owed: None }
    }
}

impl Stored {
    pub(crate) fn interpret(&self, config: &RaftConfig) -> Result<Recovered, RecoverError> {
        let Some(head) = &self.head else { return self.interpret_empty() };
        let head = Head::decode(head).ok_or(RecoverError::Head)?;
        if head.owner != config.sender() {
            return Err(RecoverError::Foreign { found: head.owner, expected: config.sender() });
        }
        if let Some((mark, members)) = &head.incoming
            && self.applied >= mark.index
        {
            return Ok(self.finish_snapshot(&head, *mark, members));
        }
        let (base, entries) = self.read_entries()?;
        let last = entries.last().map_or(base.index, |entry| entry.index);
        // A new group's state is empty where its log begins.
        let fresh = self.applied == 0 && base == Bootstrap::BEGIN;
        let applied = if fresh { base.index } else { self.applied };
        if last < applied && applied > head.image {
            return Err(RecoverError::LogBehindState { last, applied });
        }
        if base.index > applied.min(head.members_at) {
            if let Some(owed) = &head.incoming {
                return Ok(Self::await_snapshot(&head, owed.clone()));
            }
            return Err(RecoverError::StateBehindLog { base: base.index, applied });
        }
        let commit = head.commit.max(applied).max(head.members_at).min(last);
        let hard = HardState { term: head.term, vote: head.vote, commit };
        let cache = LogCache::new(base, entries, hard, &head.members);
        let (members_at, extra, image) = (head.members_at, head.members.extra(), head.image);
        Ok(Recovered { cache, members_at, applied, extra, image, unfinished: None, owed: None })
    }

    fn interpret_empty(&self) -> Result<Recovered, RecoverError> {
        if !self.records.is_empty() {
            return Err(RecoverError::NoHead);
        }
        if self.applied > 0 {
            return Err(RecoverError::LogBehindState { last: 0, applied: self.applied });
        }
        let hard = HardState::default();
        let cache = LogCache::new(Mark::default(), Vec::new(), hard, &Members::default());
        Ok(Recovered::nothing(cache))
    }

    /// The image was installed and then the power went, before the log was begun anew behind it.
    fn finish_snapshot(&self, head: &Head, mark: Mark, members: &Members) -> Recovered {
        let hard = HardState { term: head.term, vote: head.vote, commit: mark.index };
        Recovered {
            cache: LogCache::new(mark, Vec::new(), hard, members),
            members_at: mark.index,
            applied: self.applied,
            extra: members.extra(),
            image: self.applied,
            unfinished: Some((mark, members.clone())),
            owed: None,
        }
    }

    /// The power went while the image replaced the state. What this member once acknowledged is
    /// covered by that snapshot, for its log did not reach or not match it; so it is nobody until
    /// it has one as new, and then sound.
    fn await_snapshot(head: &Head, owed: (Mark, Members)) -> Recovered {
        let hard = HardState { term: head.term, vote: head.vote, commit: 0 };
        let cache = LogCache::new(Mark::default(), Vec::new(), hard, &Members::default());
        Recovered { owed: Some(owed), ..Recovered::nothing(cache) }
    }

    /// The base and the entries behind it. The first record only lends its term, unless it is the
    /// first of all.
    fn read_entries(&self) -> Result<(Mark, Vec<Entry>), RecoverError> {
        let mut base = None;
        let mut entries: Vec<Entry> = Vec::with_capacity(self.records.len());
        for record in &self.records {
            let index = record.index;
            let decoded = decode_record(record).ok_or(RecoverError::Record { index })?;
            let Some(Mark { index: base_index, .. }) = base else {
                base = Some(decoded.mark());
                continue;
            };
            let Decoded::Entry(entry) = decoded else { return Err(RecoverError::Record { index }) };
            if index != entries.last().map_or(base_index, |last| last.index) + 1 {
                return Err(RecoverError::Gap { index });
            }
            entries.push(entry);
        }
        Ok((base.unwrap_or_default(), entries))
    }
}

impl RaftMachine {
    /// A member that continues from what is on its disk. It follows until it hears or learns
    /// better.
    ///
    /// # Errors
    /// Why the disk's contents cannot be trusted; see [`RecoverError`].
    pub fn recover(config: RaftConfig, stored: &Stored) -> Result<Self, RecoverError> {
        let recovered = stored.interpret(&config)?;
        Self::start(config, recovered)
    }
}
