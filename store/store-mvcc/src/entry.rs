//! The format of a log entry: what a writer proposes and every replica applies.
//!
//! Way in: [`Proposal::encode`], [`Proposal::decode`].
//! Invariants: 1. the first byte is the format's version. 2. an entry holds the canonical bytes
//! *and* the index columns, so that no follower parses. 3. golden samples of every version are
//! committed beside the tests.

use actors_core::Wall;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{Epoch, GroupId, Key, LeaseId, Revision, ShardId, Token};

/// The version byte that this build writes; it reads this one only.
pub const ENTRY_VERSION: u8 = 1;

/// Most bytes of one encoded entry: the largest value with its columns, or a batch of many objects;
/// and still one frame on the wire.
pub const ENTRY_BYTES_MAX: usize = 7 * 512 * 1024;

/// Most bytes of one value. Kubernetes documents a limit of 1.5 MiB for a request; the default
/// fields come on top.
pub const VALUE_BYTES_MAX: usize = 3 * 1024 * 1024;

/// One log entry: operations that one writer proposes together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// The group whose log this is for.
    pub group: GroupId,
    /// Who proposes, and under which epoch.
    pub writer: Writer,
    /// Names this proposal when it is repeated.
    pub token: Token,
    /// What the writer assumed that every replica can do; refused if that is more than was agreed
    /// on.
    pub feature_level: u16,
    /// When it was proposed, on the leader's clock. Replicas take the highest seen as the time of
    /// the state.
    pub at: Wall,
    /// Whether one operation that cannot be done undoes all others.
    pub atomic: bool,
    /// What is to be done, in this order.
    pub ops: Vec<Op>,
}

/// Who writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Writer {
    /// The shard that the writer acts for.
    pub shard: ShardId,
    /// The epoch under which the writer holds it.
    pub epoch: Epoch,
    /// A name for people: `controller/deployment`, `door`.
    pub name: String,
}

/// One operation. Those on keys get a revision of their own each; the others get none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Op {
    /// Sets a key to a whole value.
    Put {
        /// Which.
        key: Key,
        /// Canonical JSON without `resourceVersion` (or ciphertext, if sealed).
        value: Bytes,
        /// What was extracted from the value.
        columns: Columns,
        /// What must be there.
        expect: Expect,
        /// Ties the key to a lease: its end deletes the key. `None` unties it.
        lease: Option<LeaseId>,
    },
    /// Changes parts of a value; never for sealed values.
    Delta {
        /// Which.
        key: Key,
        /// The revision that the splices were computed against.
        expect: Revision,
        /// Replacements, with rising offsets into the value at `expect`, not overlapping.
        splices: Vec<Splice>,
        /// The columns of the whole value after the change.
        columns: Columns,
    },
    /// Deletes a key.
    Delete {
        /// Which.
        key: Key,
        /// What must be there.
        expect: Expect,
    },
    /// Gives a shard to a holder under a new epoch.
    GrantShard {
        /// Which; [`ShardId::ALL`] grants all.
        shard: ShardId,
        /// Must be above the present one.
        epoch: Epoch,
        /// Who holds it from now on.
        holder: String,
    },
    /// Begins a lease. Its renewals are in the leader's memory; its end is proposed as
    /// [`Op::LeaseRevoke`].
    LeaseGrant {
        /// A new number.
        id: LeaseId,
        /// How long it lives without a renewal, in milliseconds.
        ttl_ms: u64,
    },
    /// Ends a lease, and deletes the keys tied to it, each under a revision of its own.
    LeaseRevoke {
        /// Which.
        id: LeaseId,
    },
    /// Gives up history: what was before the state at this revision can no longer be read.
    Compact {
        /// The oldest revision that stays readable.
        below: Revision,
    },
    /// Agrees that every replica can do what this feature level means.
    RaiseLevel(u16),
    /// Changes nothing and gets no revision. What is not so refuses the other operations of an
    /// atomic entry: the writer may have decided on a replica that was behind. Since feature level
    /// 2.
    Check {
        /// What is looked at: a key, or what keys begin with.
        key: Key,
        /// What must be so.
        condition: Condition,
    },
}

/// What must be so for an entry to be done, besides what is found at the keys that it writes.
///
/// It is judged when the entry is applied, by what is there then, so every replica says the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Condition {
    /// At the key is what a writer would expect there.
    Is(Expect),
    /// Something is at the key, and its columns do not say this of this field. Other changes of it
    /// are none of the writer's business.
    Unless {
        /// A selectable field: `status.phase`.
        field: String,
        /// What it must not be.
        value: String,
    },
    /// Nothing that is there now, and whose key begins with this one, was created after this
    /// revision. The key ends with a `/`.
    NoneSince(Revision),
}

/// What a writer expects to find at a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Expect {
    /// Whatever is there.
    Any,
    /// Nothing: a creation.
    Absent,
    /// Something, whichever version.
    Present,
    /// Exactly this version.
    Revision(Revision),
}

/// A replacement of some bytes of a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Splice {
    /// Offset into the old value.
    pub at: u32,
    /// How many bytes are left out there.
    pub remove: u32,
    /// What is put in their place.
    pub insert: Bytes,
}

/// What the index needs of a value, extracted once by the proposer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Columns {
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.labels`.
    pub labels: Vec<(String, String)>,
    /// The uids in `metadata.ownerReferences`.
    pub owners: Vec<String>,
    /// Selectable fields: path and value.
    pub fields: Vec<(String, String)>,
    /// Where `,"resourceVersion":"N"` is spliced into the value, in bytes from its start.
    pub rv_at: u32,
    /// Whether the value is ciphertext.
    pub sealed: bool,
    /// `metadata.generation`.
    pub generation: i64,
}

/// Why bytes are not an entry. A replica that finds such bytes in its log stops: it is damaged, or
/// too old.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// The entry is of a version that this build does not read.
    #[error("log entry of format {found}; this build reads {ENTRY_VERSION}")]
    Version {
        /// Its version byte.
        found: u8,
    },
    /// The bytes are none of this version's, or there are some left over.
    #[error("malformed log entry of {len} bytes: {cause}")]
    Malformed {
        /// How many bytes there are.
        len: usize,
        /// What the decoder said.
        cause: String,
    },
    /// The entry is too large to be proposed.
    #[error("log entry of {len} bytes; at most {ENTRY_BYTES_MAX} are allowed")]
    TooLarge {
        /// How many bytes there are.
        len: usize,
    },
}

impl Writer {
    /// A writer that is no placed actor: a request of a user, or the store itself.
    #[must_use]
    pub fn unplaced(name: impl Into<String>) -> Self {
        Self { shard: ShardId::UNPLACED, epoch: Epoch::default(), name: name.into() }
    }
}

impl Op {
    /// The feature level that every replica must have to understand it.
    #[must_use]
    pub const fn level(&self) -> u16 {
        match self {
            Self::Check { .. } => 2,
            _ => 1,
        }
    }

    /// About how many bytes it takes to write it down.
    fn len_hint(&self) -> usize {
        match self {
            Self::Put { key, value, columns, .. } => {
                key.as_bytes().len() + value.len() + columns.len_hint() + 64
            }
            Self::Delta { columns, splices, .. } => {
                let inserted = splices.iter().map(|splice| splice.insert.len() + 16);
                columns.len_hint() + inserted.sum::<usize>() + 128
            }
            _ => 128,
        }
    }
}

impl Columns {
    /// About how many bytes it takes to write them down.
    pub(crate) fn len_hint(&self) -> usize {
        let pairs = self.labels.iter().chain(&self.fields);
        let pairs = pairs.map(|(name, text)| name.len() + text.len() + 4);
        let owners = self.owners.iter().map(|uid| uid.len() + 2);
        self.uid.len() + pairs.sum::<usize>() + owners.sum::<usize>() + 24
    }
}

impl Proposal {
    /// The feature level that every replica must have to do what these say.
    #[must_use]
    pub fn level_of(ops: &[Op]) -> u16 {
        ops.iter().map(Op::level).max().unwrap_or(1)
    }

    /// The bytes that are logged.
    ///
    /// # Errors
    /// [`EntryError::TooLarge`] if it is above [`ENTRY_BYTES_MAX`]: the caller splits it or refuses
    /// its request.
    pub fn encode(&self) -> Result<Vec<u8>, EntryError> {
        let malformed =
            |cause: postcard::Error| EntryError::Malformed { len: 0, cause: cause.to_string() };
        // A text that grows is copied each time, and values are long.
        let mut bytes = Vec::with_capacity(self.ops.iter().map(Op::len_hint).sum::<usize>() + 128);
        bytes.push(ENTRY_VERSION);
        let bytes = postcard::to_extend(self, bytes).map_err(malformed)?;
        match bytes.len() {
            len if len > ENTRY_BYTES_MAX => Err(EntryError::TooLarge { len }),
            _ => Ok(bytes),
        }
    }

    /// Reads what [`Proposal::encode`] wrote.
    ///
    /// # Errors
    /// [`EntryError`] if these are not exactly the bytes of one entry.
    pub fn decode(bytes: &[u8]) -> Result<Self, EntryError> {
        let malformed = |cause: String| EntryError::Malformed { len: bytes.len(), cause };
        let Some((version, body)) = bytes.split_first() else {
            return Err(malformed("no bytes at all".to_owned()));
        };
        if *version != ENTRY_VERSION {
            return Err(EntryError::Version { found: *version });
        }
        match postcard::take_from_bytes(body) {
            Ok((proposal, [])) => Ok(proposal),
            Ok((_, rest)) => Err(malformed(format!("{} bytes left over", rest.len()))),
            Err(cause) => Err(malformed(cause.to_string())),
        }
    }
}
