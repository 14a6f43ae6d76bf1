//! What the real disks promise is what the simulated ones promise: one suite for both.

use actors_sim::suite;

use super::*;
use crate::{RocksLogs, RocksState};

#[test]
fn the_log_passes_the_suite_of_the_ports() {
    let folder = folder();
    let open = || RocksLogs::open(folder.path(), CLUSTER).unwrap().group(0).unwrap();
    assert_eq!(suite::check_log(open), Ok(()));
}

#[test]
fn the_state_passes_the_suite_of_the_ports() {
    let folder = folder();
    assert_eq!(suite::check_state(|| RocksState::open(folder.path(), CLUSTER).unwrap()), Ok(()));
}
