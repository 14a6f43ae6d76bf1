//! The log: places, groups, what a kill leaves.

use actors_core::ports::LogStore;

use super::*;
use crate::RocksLogs;

#[test]
fn records_are_appended_replaced_and_forgotten() {
    let folder = folder();
    let mut log = RocksLogs::open(folder.path(), CLUSTER).unwrap().group(0).unwrap();
    assert_eq!((log.head(), log.read_from(0, 9)), (Ok(None), Ok(vec![])));
    log.append(&[record(1, "a"), record(2, "b"), record(3, "c")]).unwrap();
    log.set_head(b"term 1").unwrap();
    log.sync().unwrap();
    log.append(&[record(2, "B")]).unwrap();
    assert_eq!(lines(&log.read_from(0, 9).unwrap()), ["1 a", "2 B"]);
    log.append(&[record(3, "C"), record(4, "D")]).unwrap();
    log.truncate_below(3).unwrap();
    assert_eq!(lines(&log.read_from(0, 9).unwrap()), ["3 C", "4 D"]);
    assert_eq!(lines(&log.read_from(4, 9).unwrap()), ["4 D"]);
    assert_eq!(lines(&log.read_from(0, 1).unwrap()), ["3 C"]);
    assert_eq!(log.head(), Ok(Some(b"term 1".to_vec())));
    log.append(&[]).unwrap();
    log.sync().unwrap();
}

#[test]
fn a_gap_is_refused_unless_a_copy_of_the_state_bridges_it() {
    let folder = folder();
    let mut log = RocksLogs::open(folder.path(), CLUSTER).unwrap().group(0).unwrap();
    log.append(&[record(1, "a")]).unwrap();
    assert!(log.append(&[record(3, "c")]).is_err());
    assert!(log.append(&[record(2, "b"), record(4, "d")]).is_err());
    log.truncate_below(50).unwrap();
    assert_eq!(log.read_from(0, 9), Ok(vec![]));
    assert!(log.append(&[record(49, "x")]).is_err());
    log.append(&[record(50, "y")]).unwrap();
    log.sync().unwrap();
    assert_eq!(lines(&log.read_from(0, 9).unwrap()), ["50 y"]);
}

#[test]
fn what_was_synced_is_there_after_a_kill() {
    let folder = folder();
    let logs = RocksLogs::open(&folder.path().join("log"), CLUSTER).unwrap();
    let mut log = logs.group(0).unwrap();
    log.append(&[record(1, "a"), record(2, "b"), record(3, "c")]).unwrap();
    log.sync().unwrap();
    log.append(&[record(2, "B")]).unwrap();
    log.truncate_below(2).unwrap();
    log.set_head(b"head").unwrap();
    log.sync().unwrap();
    copy_as_after_a_kill(&folder.path().join("log"), &folder.path().join("copy"));
    let mut log = RocksLogs::open(&folder.path().join("copy"), CLUSTER).unwrap().group(0).unwrap();
    assert_eq!(lines(&log.read_from(0, 9).unwrap()), ["2 B"]);
    assert_eq!(log.head(), Ok(Some(b"head".to_vec())));
    log.append(&[record(3, "C")]).unwrap();
    assert_eq!(lines(&log.read_from(0, 9).unwrap()), ["2 B", "3 C"]);
}

#[test]
fn groups_share_a_database_but_nothing_else() {
    let folder = folder();
    let logs = RocksLogs::open(folder.path(), CLUSTER).unwrap();
    let (mut first, mut second) = (logs.group(1).unwrap(), logs.group(2).unwrap());
    first.append(&[record(1, "one"), record(2, "one")]).unwrap();
    second.append(&[record(7, "two")]).unwrap();
    second.set_head(b"two").unwrap();
    second.sync().unwrap();
    first.sync().unwrap();
    first.append(&[record(1, "ONE")]).unwrap();
    assert_eq!(lines(&first.read_from(0, 9).unwrap()), ["1 ONE"]);
    assert_eq!(lines(&second.read_from(0, 9).unwrap()), ["7 two"]);
    assert_eq!((first.head(), second.head()), (Ok(None), Ok(Some(b"two".to_vec()))));
}

#[test]
fn many_records_outlive_flushes_and_recycled_files() {
    let folder = folder();
    let text = "x".repeat(20_000);
    let mut log = RocksLogs::open(folder.path(), CLUSTER).unwrap().group(0).unwrap();
    for index in 1..=2_000 {
        log.append(&[record(index, &text)]).unwrap();
        if index % 100 == 0 {
            log.sync().unwrap();
            log.truncate_below(index.saturating_sub(150)).unwrap();
        }
    }
    drop(log);
    let log = RocksLogs::open(folder.path(), CLUSTER).unwrap().group(0).unwrap();
    let left: Vec<_> = log.read_from(0, 9_999).unwrap().iter().map(|record| record.index).collect();
    assert_eq!(left, (1_850..=2_000).collect::<Vec<_>>());
}
