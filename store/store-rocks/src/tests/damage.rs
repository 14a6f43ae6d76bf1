//! Folders that must not be used: another cluster's, one that is open, one that lost what was
//! synced.

use actors_core::ports::{DiskError, LogStore};

use super::*;
use crate::{OpenError, RocksLogs, RocksState, error::classify};

#[test]
fn a_folder_of_another_cluster_is_refused_by_both_names() {
    let folder = folder();
    drop(RocksLogs::open(&folder.path().join("log"), CLUSTER).unwrap());
    drop(RocksState::open(&folder.path().join("state"), CLUSTER).unwrap());
    let other = ClusterUid([9; 16]);
    let expected = "belongs to cluster 07070707-0707-0707-0707-070707070707, \
                    not to cluster 09090909-0909-0909-0909-090909090909";
    let log = RocksLogs::open(&folder.path().join("log"), other).unwrap_err().to_string();
    let state = RocksState::open(&folder.path().join("state"), other).unwrap_err().to_string();
    assert!(log.ends_with(expected) && state.ends_with(expected), "{log}; {state}");
    assert_eq!(CLUSTER.to_string().parse(), Ok(CLUSTER));
    for text in
        ["", "07", "+7070707070707070707070707070707", "zz070707-0707-0707-0707-070707070707"]
    {
        assert_eq!(text.parse::<ClusterUid>(), Err(()), "{text}");
    }
}

#[test]
fn a_folder_that_is_open_is_in_use() {
    let folder = folder();
    let _open = RocksState::open(folder.path(), CLUSTER).unwrap();
    assert!(matches!(RocksState::open(folder.path(), CLUSTER), Err(OpenError::InUse { .. })));
}

#[test]
fn a_database_without_its_mark_is_damaged() {
    let folder = folder();
    drop(RocksState::open(folder.path(), CLUSTER).unwrap());
    fs::remove_file(folder.path().join("cluster")).unwrap();
    let refused = RocksState::open(folder.path(), CLUSTER);
    assert!(matches!(refused, Err(OpenError::Disk { source: DiskError::Damaged(_), .. })));
}

/// Writes ten synced records, kills the process, and breaks what it left.
fn broken(harm: impl FnOnce(&Path)) -> Result<Vec<String>, DiskError> {
    let folder = folder();
    let logs = RocksLogs::open(&folder.path().join("log"), CLUSTER).unwrap();
    let mut log = logs.group(0).unwrap();
    for index in 1..=10 {
        log.append(&[record(index, "some bytes of an entry")]).unwrap();
        log.sync().unwrap();
    }
    let copy = folder.path().join("copy");
    copy_as_after_a_kill(&folder.path().join("log"), &copy);
    harm(&copy);
    let log = RocksLogs::open(&copy, CLUSTER).unwrap().group(0)?;
    Ok(lines(&log.read_from(9, 9).unwrap()))
}

/// RocksDB's own write-ahead file, the one that holds something.
fn write_ahead_file(dir: &Path) -> PathBuf {
    let files = fs::read_dir(dir.join("db")).unwrap().map(|entry| entry.unwrap().path());
    let is_full = |path: &PathBuf| {
        path.extension().is_some_and(|name| name == "log") && path.metadata().unwrap().len() > 0
    };
    files.filter(is_full).max().unwrap()
}

#[test]
fn a_log_that_opens_shorter_than_it_was_synced_does_not_open() {
    assert_eq!(broken(|_| ()).unwrap(), ["9 some bytes of an entry", "10 some bytes of an entry"]);
    let shorter = broken(|dir| {
        let path = write_ahead_file(dir);
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(path.metadata().unwrap().len() - 100).unwrap();
    });
    let Err(DiskError::Damaged(cause)) = shorter else { panic!("opened: {shorter:?}") };
    assert!(cause.contains("but was synced up to 10"), "{cause}");
    let flipped = broken(|dir| {
        let path = write_ahead_file(dir);
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&path, bytes).unwrap();
    });
    assert!(matches!(flipped, Err(DiskError::Damaged(_))), "{flipped:?}");
    let gone = broken(|dir| fs::remove_dir_all(dir.join("db")).unwrap());
    assert!(matches!(gone, Err(DiskError::Damaged(_))), "{gone:?}");
}

#[test]
fn a_mark_that_a_power_failure_tore_is_passed_over() {
    let read = broken(|dir| fs::write(dir.join("synced"), [1; 40]).unwrap());
    assert_eq!(read.unwrap().len(), 2);
}

#[test]
fn records_that_were_replaced_are_not_missed() {
    let folder = folder();
    let logs = RocksLogs::open(&folder.path().join("log"), CLUSTER).unwrap();
    let mut log = logs.group(0).unwrap();
    let all: Vec<_> = (1..=10).map(|index| record(index, "old")).collect();
    log.append(&all).unwrap();
    log.sync().unwrap();
    log.append(&[record(4, "new")]).unwrap();
    copy_as_after_a_kill(&folder.path().join("log"), &folder.path().join("copy"));
    let log = RocksLogs::open(&folder.path().join("copy"), CLUSTER).unwrap().group(0).unwrap();
    assert_eq!(lines(&log.read_from(3, 9).unwrap()), ["3 old", "4 new"]);
}

#[test]
fn what_rocksdb_says_is_put_into_the_ports_words() {
    let check = |text: &str, expected: fn(String) -> DiskError| {
        assert_eq!(classify(text), expected(text.to_owned()))
    };
    check(
        "IO error: No space left on device: While appending to file: 000004.log",
        DiskError::Full,
    );
    check("IO error: Disk quota exceeded: While appending to file: 000004.log", DiskError::Full);
    check("Corruption: block checksum mismatch", DiskError::Damaged);
    check("IO error: Input/output error: While pread", DiskError::Other);
}
