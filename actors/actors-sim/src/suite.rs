//! What every implementation of a disk port must do; run against the simulated and the real ones.
//!
//! Way in: [`check_log`], [`check_state`].  Spec: the documentation of `actors_core::ports`.

use std::fmt::Debug;

use actors_core::ports::{DiskError, KeyRange, LogRecord, LogStore, StateStore};

/// How an implementation breaks its port's contract. Whoever wrote it mends it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SuiteError {
    /// An operation failed that must not.
    #[error("an operation failed")]
    Disk(#[from] DiskError),
    /// An operation gave something else than it must.
    #[error("{rule}: got {got}, want {want}")]
    Broken {
        /// What it must do.
        rule: &'static str,
        /// What it gave.
        got: String,
        /// What it should have given.
        want: String,
    },
}

fn same<T: PartialEq + Debug>(rule: &'static str, got: T, want: T) -> Result<(), SuiteError> {
    if got == want {
        return Ok(());
    }
    Err(SuiteError::Broken { rule, got: format!("{got:?}"), want: format!("{want:?}") })
}

fn record(index: u64, text: &str) -> LogRecord {
    LogRecord { index, data: text.as_bytes().to_vec() }
}

/// Checks a log. `open` opens the same log again each time, after the last handle was dropped; at
/// first it is empty.
///
/// # Errors
/// The first rule that is broken.
pub fn check_log<L: LogStore>(mut open: impl FnMut() -> L) -> Result<(), SuiteError> {
    let mut log = open();
    same("a new log has no head", log.head()?, None)?;
    same("a new log has no records", log.read_from(0, 10)?, vec![])?;
    log.append(&[])?;
    log.append(&[record(1, "a"), record(2, "b"), record(3, "")])?;
    log.set_head(b"head 1")?;
    same("written records are read", log.read_from(1, 10)?.len(), 3)?;
    same("reading begins at first", log.read_from(2, 1)?, vec![record(2, "b")])?;
    same("a limit of zero reads nothing", log.read_from(1, 0)?, vec![])?;
    same("reading behind the end gives nothing", log.read_from(4, 10)?, vec![])?;
    log.sync()?;
    drop(log);
    let mut log = open();
    let all = vec![record(1, "a"), record(2, "b"), record(3, "")];
    same("synced records survive", log.read_from(0, 10)?, all)?;
    same("a synced head survives", log.head()?, Some(b"head 1".to_vec()))?;
    log.append(&[record(2, "B")])?;
    let replaced = vec![record(1, "a"), record(2, "B")];
    same("an append replaces all behind it", log.read_from(0, 10)?, replaced.clone())?;
    log.set_head(b"")?;
    log.sync()?;
    drop(log);
    let mut log = open();
    same("a replacement survives", log.read_from(0, 10)?, replaced)?;
    same("an empty head is a head", log.head()?, Some(Vec::new()))?;
    check_log_truncation(&mut log)?;
    drop(log);
    let log = open();
    let kept: Vec<u64> = log.read_from(90, 100)?.iter().map(|record| record.index).collect();
    same("what was not truncated survives", kept, (90..=100).collect())
}

fn check_log_truncation(log: &mut impl LogStore) -> Result<(), SuiteError> {
    let many: Vec<_> = (3..=100).map(|index| record(index, "x")).collect();
    log.append(&many)?;
    log.truncate_below(90)?;
    let first = log.read_from(0, 1)?.first().map(|record| record.index);
    same("truncated records are gone", first, Some(90))?;
    log.truncate_below(50)?;
    same("truncating again takes nothing more", log.read_from(0, 100)?.len(), 11)?;
    log.sync()?;
    Ok(())
}

fn put(key: &str, value: &str) -> (Vec<u8>, Option<Vec<u8>>) {
    (key.into(), Some(value.into()))
}

/// Checks an ordered map. `open` opens the same map again each time, after the last handle was
/// dropped; at first it is empty.
///
/// # Errors
/// The first rule that is broken.
pub fn check_state<S: StateStore>(mut open: impl FnMut() -> S) -> Result<(), SuiteError> {
    let state = open();
    same("a new map is empty", state.get(b"a")?, None)?;
    state.batch(vec![put("a", "1"), put("b", "2"), put("c", ""), put("d", "4")])?;
    state.batch(vec![put("b", "two"), ("d".into(), None), ("never".into(), None)])?;
    state.batch(vec![put("e", "old"), put("e", "new"), put("f", "6"), ("f".into(), None)])?;
    state.batch(vec![])?;
    same("a later write wins", state.get(b"b")?, Some(b"two".to_vec()))?;
    same("an empty value is a value", state.get(b"c")?, Some(Vec::new()))?;
    same("a deleted key is gone", state.get(b"d")?, None)?;
    same("the last write of a batch wins", state.get(b"e")?, Some(b"new".to_vec()))?;
    same("a deletion behind a write wins", state.get(b"f")?, None)?;
    check_ranges(&state)?;
    state.flush()?;
    drop(state);
    let state = open();
    same("flushed batches survive", state.get(b"b")?, Some(b"two".to_vec()))?;
    same("flushed deletions survive", state.get(b"d")?, None)?;
    check_ranges(&state)
}

/// The map holds a, b, c and e.
fn check_ranges(state: &impl StateStore) -> Result<(), SuiteError> {
    let keys = |start: &str, end: Option<&str>, limit, reverse| {
        let (start, end) = (start.as_bytes(), end.map(str::as_bytes));
        let pairs = state.range(KeyRange { start, end, limit, reverse })?;
        let keys: Vec<u8> = pairs.into_iter().flat_map(|(key, _)| key).collect();
        Ok::<_, DiskError>(String::from_utf8_lossy(&keys).into_owned())
    };
    same("a range without an end reads to the end", keys("", None, 9, false)?, "abce".into())?;
    same("the start is read, the end is not", keys("a", Some("c"), 9, false)?, "ab".into())?;
    same("an end that is no key", keys("b", Some("d"), 9, false)?, "bc".into())?;
    same("a limit stops", keys("a", None, 2, false)?, "ab".into())?;
    same("in reverse, from the end", keys("a", None, 2, true)?, "ec".into())?;
    same("in reverse, the end is not read", keys("a", Some("c"), 9, true)?, "ba".into())?;
    same("crossed bounds are empty", keys("c", Some("a"), 9, false)?, String::new())?;
    same("equal bounds are empty", keys("c", Some("c"), 9, true)?, String::new())?;
    same("a limit of zero reads nothing", keys("a", None, 0, false)?, String::new())
}
