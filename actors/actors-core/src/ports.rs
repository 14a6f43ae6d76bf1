//! The doors to the outside that drivers use. Each has a real and a simulated implementation, and one suite.
//!
//! Way in: [`LogStore`], [`StateStore`].  Never: a decision. Network, clock and processes are reached by effects.

use serde::{Deserialize, Serialize};

/// A key and the value it gets, or `None` if it is deleted.
pub type Write = (Vec<u8>, Option<Vec<u8>>);

/// A key and its value.
pub type Pair = (Vec<u8>, Vec<u8>);

/// Why a disk operation failed. The driver tells its machine, which stops serving rather than guess.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum DiskError {
    /// No room: writes are refused until there is; nothing is damaged.
    #[error("no space left on the device: {0}")]
    Full(String),
    /// What is on disk is not what was written.
    #[error("damaged: {0}")]
    Damaged(String),
    /// Anything else that the operating system said.
    #[error("disk: {0}")]
    Other(String),
}

/// One record of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogRecord {
    /// Its place, rising by one.
    pub index: u64,
    /// Its bytes.
    #[serde(with = "serde_bytes")]
    pub data: Vec<u8>,
}

/// An append-only log of one group, with a small record beside it that is replaced as a whole.
///
/// Order: [`LogStore::append`] makes nothing durable; [`LogStore::sync`] makes all before it durable, at once.
pub trait LogStore: Send {
    /// Writes records at their indexes; an index that exists, and all behind it, are replaced.
    ///
    /// # Errors
    /// The disk's; nothing may be assumed of what was written.
    fn append(&mut self, records: &[LogRecord]) -> Result<(), DiskError>;

    /// Replaces the small record (a hard state).
    ///
    /// # Errors
    /// The disk's.
    fn set_head(&mut self, head: &[u8]) -> Result<(), DiskError>;

    /// Makes everything before this call durable.
    ///
    /// # Errors
    /// The disk's; what was not durable may be lost, and the log must be opened again.
    fn sync(&mut self) -> Result<(), DiskError>;

    /// Forgets all records below `first`. Need not be durable.
    ///
    /// # Errors
    /// The disk's.
    fn truncate_below(&mut self, first: u64) -> Result<(), DiskError>;

    /// The small record, if one was ever set.
    ///
    /// # Errors
    /// The disk's.
    fn head(&self) -> Result<Option<Vec<u8>>, DiskError>;

    /// All records from `first` on, at most `limit` of them.
    ///
    /// # Errors
    /// The disk's.
    fn read_from(&self, first: u64, limit: usize) -> Result<Vec<LogRecord>, DiskError>;
}

/// An ordered map on disk whose batches are atomic. Durable at [`StateStore::flush`], or whenever it likes before.
pub trait StateStore: Send + Sync {
    /// Applies all writes or none.
    ///
    /// # Errors
    /// The disk's; the store must be opened again.
    fn batch(&self, writes: Vec<Write>) -> Result<(), DiskError>;

    /// The value of one key.
    ///
    /// # Errors
    /// The disk's.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, DiskError>;

    /// Pairs with `start <= key < end`, in order (or from the end, if `reverse`), at most `limit`.
    ///
    /// # Errors
    /// The disk's.
    fn range(&self, range: KeyRange<'_>) -> Result<Vec<Pair>, DiskError>;

    /// Reads the pairs of a range in order as they all were at one time, while others write: page
    /// by page, each of at most `limit` pairs, until `page` answers false.
    ///
    /// A store that is larger than memory does better than this, which reads everything first.
    ///
    /// # Errors
    /// The disk's.
    fn scan(
        &self,
        range: KeyRange<'_>,
        page: &mut dyn FnMut(Vec<Pair>) -> bool,
    ) -> Result<(), DiskError> {
        let all = self.range(KeyRange { limit: usize::MAX, ..range })?;
        for part in all.chunks(range.limit.max(1)) {
            if !page(part.to_vec()) {
                break;
            }
        }
        Ok(())
    }

    /// Makes everything before this call durable.
    ///
    /// # Errors
    /// The disk's.
    fn flush(&self) -> Result<(), DiskError>;
}

/// Which pairs of a [`StateStore`] are read.
#[derive(Debug, Clone, Copy)]
pub struct KeyRange<'a> {
    /// The first key.
    pub start: &'a [u8],
    /// The first key that is not read; `None` reads to the end.
    pub end: Option<&'a [u8]>,
    /// At most this many.
    pub limit: usize,
    /// From the end backwards.
    pub reverse: bool,
}
