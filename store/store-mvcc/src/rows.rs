//! Where each thing lies in the `StateStore`, and as which bytes.
//!
//! Way in: [`Rows`] (keys), [`encode`] and [`decode`] (values).  Every key begins with the group,
//! then a letter:
//! `m` the position, `k` versions (newest first), `h` history by revision, `g` grants, `l` leases,
//! `a` keys tied to leases, `t` tokens by index, `s` how far the sweep of compacted history got.
//! Invariant: the first byte of every value is the format's version.

use actors_core::{Wall, ports::DiskError};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{ChangeKind, Epoch, GroupId, Key, LeaseId, Outcome, Revision, ShardId, Stored, Token};

/// The version byte of every row.
const ROW_VERSION: u8 = 1;

/// Bytes of a revision at the end of a version's key.
const REVISION_LEN: usize = 8;

/// A version of a key; `None` is a deletion.
pub(crate) type VersionRow = Option<Stored>;

/// What happened under one revision. The values lie in the versions.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct HistoryRow {
    pub(crate) key: Key,
    pub(crate) kind: ChangeKind,
    /// The version before, if the key existed.
    pub(crate) prev: Option<Revision>,
}

/// Who holds a shard.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct GrantRow {
    pub(crate) epoch: Epoch,
    pub(crate) holder: String,
}

/// A lease.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct LeaseRow {
    pub(crate) ttl_ms: u64,
    pub(crate) granted_at: Wall,
}

/// A remembered proposal.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct TokenRow {
    pub(crate) token: Token,
    pub(crate) at: Wall,
    pub(crate) outcome: Outcome,
}

/// Makes the keys of one group's rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rows(pub(crate) GroupId);

/// A span of rows: from the first key, to before the second.
pub(crate) type Span = (Vec<u8>, Vec<u8>);

impl Rows {
    fn row(self, tag: u8, rest: &[u8]) -> Vec<u8> {
        let mut key = Vec::with_capacity(3 + rest.len());
        key.extend_from_slice(&self.0.0.to_be_bytes());
        key.push(tag);
        key.extend_from_slice(rest);
        key
    }

    /// All rows of a letter.
    fn all(self, tag: u8) -> Span {
        (self.row(tag, &[]), self.row(tag + 1, &[]))
    }

    pub(crate) fn position(self) -> Vec<u8> {
        self.row(b'm', &[])
    }

    /// Every row of the group.
    pub(crate) fn everything(self) -> Span {
        (self.row(0, &[]), self.row(u8::MAX, &[]))
    }

    pub(crate) fn sweep(self) -> Vec<u8> {
        self.row(b's', &[])
    }

    /// The version that a revision made; newer ones sort first.
    pub(crate) fn version(self, key: &Key, revision: Revision) -> Vec<u8> {
        let mut row = self.versions_start(key);
        row.extend_from_slice(&[0, 0]);
        row.extend_from_slice(&(!revision.0).to_be_bytes());
        row
    }

    /// Versions of `key` that are not newer than `at`, newest first.
    pub(crate) fn versions(self, key: &Key, at: Revision) -> Span {
        let mut end = self.versions_start(key);
        end.extend_from_slice(&[0, 1]);
        (self.version(key, at), end)
    }

    /// Versions of all keys from `start` on (to before `end`), key by key.
    pub(crate) fn versions_between(self, start: &Key, end: Option<&Key>) -> Span {
        let end = end.map_or_else(|| self.all(b'k').1, |end| self.versions_start(end));
        (self.versions_start(start), end)
    }

    /// Keys of any bytes keep their order: 0 is written as 0, 255, and the key's end as 0, 0.
    fn versions_start(self, key: &Key) -> Vec<u8> {
        let (mut row, key) = (self.row(b'k', &[]), key.as_bytes());
        // Room for what is put behind it, too.
        row.reserve_exact(key.len() + 2 + REVISION_LEN);
        let mut parts = key.split(|byte| *byte == 0);
        row.extend_from_slice(parts.next().unwrap_or_default());
        for part in parts {
            row.extend_from_slice(&[0, u8::MAX]);
            row.extend_from_slice(part);
        }
        row
    }

    /// Splits a version's row key into what names its key, and its revision.
    pub(crate) fn split_version(row: &[u8]) -> Option<(&[u8], Revision)> {
        let (name, revision) = row.split_at_checked(row.len().checked_sub(REVISION_LEN)?)?;
        Some((name, Revision(!u64::from_be_bytes(revision.try_into().ok()?))))
    }

    pub(crate) fn history(self, revision: Revision) -> Vec<u8> {
        self.row(b'h', &revision.0.to_be_bytes())
    }

    pub(crate) fn history_after(self, revision: Revision) -> Span {
        (self.history(revision.next()), self.all(b'h').1)
    }

    pub(crate) fn grant(self, shard: ShardId) -> Vec<u8> {
        self.row(b'g', &shard.0.to_be_bytes())
    }

    pub(crate) fn grants(self) -> Span {
        self.all(b'g')
    }

    pub(crate) fn lease(self, id: LeaseId) -> Vec<u8> {
        self.row(b'l', &id.0.to_be_bytes())
    }

    pub(crate) fn leases(self) -> Span {
        self.all(b'l')
    }

    pub(crate) fn attached(self, id: LeaseId, key: &Key) -> Vec<u8> {
        let mut row = self.attached_all(id).0;
        row.extend_from_slice(key.as_bytes());
        row
    }

    pub(crate) fn attached_all(self, id: LeaseId) -> Span {
        let end =
            id.0.checked_add(1)
                .map_or_else(|| self.all(b'a').1, |next| self.row(b'a', &next.to_be_bytes()));
        (self.row(b'a', &id.0.to_be_bytes()), end)
    }

    /// The key that is tied, from its row's key.
    pub(crate) fn split_attached(row: &[u8]) -> Key {
        Key::from_bytes(row.get(3 + REVISION_LEN..).unwrap_or_default())
    }

    pub(crate) fn token(self, index: u64) -> Vec<u8> {
        self.row(b't', &index.to_be_bytes())
    }

    pub(crate) fn tokens(self) -> Span {
        self.all(b't')
    }

    /// The number at the end of a row's key: a shard's, a lease's, an index.
    pub(crate) fn number(row: &[u8]) -> u64 {
        row.iter().skip(3).fold(0, |number, byte| (number << 8) | u64::from(*byte))
    }
}

/// The bytes of a row.
pub(crate) fn encode(row: &impl Serialize) -> Result<Vec<u8>, DiskError> {
    encode_with(row, 0)
}

/// The same for a row that is known to be about so long.
pub(crate) fn encode_with(row: &impl Serialize, len: usize) -> Result<Vec<u8>, DiskError> {
    let mut out = Vec::with_capacity(1 + len);
    out.push(ROW_VERSION);
    postcard::to_extend(row, out).map_err(|cause| DiskError::Other(cause.to_string()))
}

/// Reads what [`encode`] wrote.
pub(crate) fn decode<T: DeserializeOwned>(key: &[u8], bytes: &[u8]) -> Result<T, DiskError> {
    let damaged =
        |cause: String| DiskError::Damaged(format!("row {}: {cause}", key.escape_ascii()));
    match bytes.split_first() {
        Some((&ROW_VERSION, body)) => {
            postcard::from_bytes(body).map_err(|cause| damaged(cause.to_string()))
        }
        Some((version, _)) => {
            Err(damaged(format!("format {version}; this build reads {ROW_VERSION}")))
        }
        None => Err(damaged("empty".to_owned())),
    }
}
