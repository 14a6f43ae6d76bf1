//! Tests of the two databases on a real disk.

mod damage;
mod log;
mod state;
mod suite;

use std::{
    fs,
    path::{Path, PathBuf},
};

use actors_core::ports::LogRecord;
use tempfile::TempDir;

use crate::ClusterUid;

const CLUSTER: ClusterUid = ClusterUid([7; 16]);

/// A folder that ends with the test.
fn folder() -> TempDir {
    tempfile::Builder::new().prefix("store-rocks-").tempdir().unwrap()
}

/// What a process finds that starts after the one that has `from` open was killed: its files as
/// they are now.
fn copy_as_after_a_kill(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy_as_after_a_kill(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

fn record(index: u64, text: &str) -> LogRecord {
    LogRecord { index, data: text.as_bytes().to_vec() }
}

fn lines(records: &[LogRecord]) -> Vec<String> {
    records
        .iter()
        .map(|record| format!("{} {}", record.index, String::from_utf8_lossy(&record.data)))
        .collect()
}
