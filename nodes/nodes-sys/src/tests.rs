//! The few calls that can be seen from one process. Forking is tested where a single-threaded process is at hand:
//! in `nodes-shim`.

use std::process::{Command, Stdio};

use nix::{errno::Errno, sys::signal::Signal, unistd::Pid};

use super::{PidFd, fork};

#[test]
fn a_process_with_threads_is_not_forked() {
    // The test harness runs this in a thread beside its main thread.
    assert_eq!(fork(), Err(Errno::EBUSY));
}

#[test]
fn a_pidfd_kills_its_process_and_tells_when_it_has_ended() {
    let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
    let process = PidFd::open(Pid::from_raw(child.id().try_into().unwrap())).unwrap();
    assert!(!process.wait_end(0).unwrap());
    process.kill(Signal::SIGKILL).unwrap();
    assert!(process.wait_end(5_000).unwrap());
    child.wait().unwrap();
    assert_eq!(process.kill(Signal::SIGKILL), Err(Errno::ESRCH));
}
