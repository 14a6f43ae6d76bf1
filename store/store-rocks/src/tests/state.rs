//! The state: batches, ranges, what a kill leaves, checkpoints.

use std::sync::Arc;

use actors_core::ports::{DiskError, KeyRange, StateStore};

use super::*;
use crate::RocksState;

fn range(
    state: &RocksState,
    (start, end): (&str, Option<&str>),
    limit: usize,
    reverse: bool,
) -> String {
    let range = KeyRange { start: start.as_bytes(), end: end.map(str::as_bytes), limit, reverse };
    let rows = state.range(range).unwrap();
    rows.iter()
        .map(|(key, _)| String::from_utf8_lossy(key).into_owned())
        .collect::<Vec<_>>()
        .join(" ")
}

fn put(state: &RocksState, keys: &[&str]) {
    let write = |key: &&str| (key.as_bytes().to_vec(), Some(b"value".to_vec()));
    state.batch(keys.iter().map(write).collect()).unwrap();
}

#[test]
fn ranges_are_ordered_and_bounded() {
    let folder = folder();
    let state = RocksState::open(folder.path(), CLUSTER).unwrap();
    put(&state, &["b", "a", "d", "c"]);
    state.flush().unwrap();
    put(&state, &["e", "aa"]);
    assert_eq!(range(&state, ("", None), 99, false), "a aa b c d e");
    assert_eq!(range(&state, ("", None), 99, true), "e d c b aa a");
    assert_eq!(range(&state, ("aa", Some("d")), 99, false), "aa b c");
    assert_eq!(range(&state, ("aa", Some("d")), 2, true), "c b");
    assert_eq!(range(&state, ("d", Some("a")), 99, false), "");
    assert_eq!(range(&state, ("x", None), 99, false), "");
    assert_eq!(range(&state, ("", None), 0, false), "");
}

#[test]
fn the_last_write_of_a_batch_counts() {
    let folder = folder();
    let state = RocksState::open(folder.path(), CLUSTER).unwrap();
    let write = |value: Option<&[u8]>| (b"k".to_vec(), value.map(<[u8]>::to_vec));
    state.batch(vec![write(Some(b"1")), write(None), write(Some(b"2"))]).unwrap();
    assert_eq!(state.get(b"k"), Ok(Some(b"2".to_vec())));
    state.batch(vec![write(Some(b"3")), write(None)]).unwrap();
    assert_eq!(state.get(b"k"), Ok(None));
}

#[test]
fn a_kill_leaves_what_was_flushed() {
    let folder = folder();
    let state = RocksState::open(&folder.path().join("state"), CLUSTER).unwrap();
    put(&state, &["a", "b"]);
    state.flush().unwrap();
    put(&state, &["c"]);
    copy_as_after_a_kill(&folder.path().join("state"), &folder.path().join("copy"));
    let copy = RocksState::open(&folder.path().join("copy"), CLUSTER).unwrap();
    assert_eq!(range(&copy, ("", None), 9, false), "a b");
}

#[test]
fn a_checkpoint_is_the_state_of_its_moment() {
    let folder = folder();
    let state = Arc::new(RocksState::open(&folder.path().join("state"), CLUSTER).unwrap());
    put(&state, &["a", "b"]);
    state.checkpoint(&folder.path().join("checkpoint")).unwrap();
    assert!(matches!(
        state.checkpoint(&folder.path().join("checkpoint")),
        Err(DiskError::Other(_))
    ));
    put(&state, &["c"]);
    let taken = RocksState::open(&folder.path().join("checkpoint"), CLUSTER).unwrap();
    assert_eq!(range(&taken, ("", None), 9, false), "a b");
    drop(taken);
    RocksState::destroy(&folder.path().join("checkpoint")).unwrap();
    assert!(!folder.path().join("checkpoint").exists());
}
