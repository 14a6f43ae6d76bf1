//! The processes of clusters on this host, found by their pid files.
//!
//! Way in: [`find`].  A pid file whose process is gone, or is another program, counts as absent.

use std::{
    ffi::OsStr,
    fs,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::arguments::Part;

/// Pids of one machine's processes, where they live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Processes {
    /// The guardian.
    pub(crate) guardian: Option<i32>,
    /// The server or agent.
    pub(crate) server: Option<i32>,
}

/// The processes of a machine, or of the one machine of a cluster, whose sockets and pids are in this folder.
pub(crate) fn find(run_dir: &Path) -> Processes {
    find_part(run_dir, Part::Node)
}

/// A part's processes.
pub(crate) fn find_part(run_dir: &Path, part: Part) -> Processes {
    let of =
        |file: &str, verb: &str| read_pid(&run_dir.join(file)).filter(|pid| is_ours(*pid, verb));
    let files = part.pid_files();
    Processes { guardian: of(files.guardian, "guardian"), server: of(files.child, "run") }
}

/// The record of the process that lives in this folder, if it is of another data folder: two data folders that have
/// clusters and nodes of the same names would take each other's processes for their own.
pub(crate) fn stranger(run_dir: &Path, data_dir: &Path) -> Option<PathBuf> {
    let told = |part: Part| {
        let living = find_part(run_dir, part);
        let line =
            fs::read(format!("/proc/{}/cmdline", living.guardian.or(living.server)?)).ok()?;
        let mut words = line.split(|byte| *byte == 0);
        words.find(|word| *word == b"--record")?;
        words.next().map(|path| PathBuf::from(OsStr::from_bytes(path)))
    };
    let living = [Part::Node, Part::Forwarder].into_iter().filter_map(told);
    living.into_iter().find(|record| !record.starts_with(data_dir))
}

/// Sends a signal; false if the process is gone.
pub(crate) fn signal(pid: i32, signal: Signal) -> bool {
    kill(Pid::from_raw(pid), signal).is_ok()
}

fn read_pid(path: &Path) -> Option<i32> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// Whether the process is this binary under this verb: pids are used again.
fn is_ours(pid: i32, verb: &str) -> bool {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let mut words = line.split(|byte| *byte == 0);
    words.next();
    words.next() == Some(verb.as_bytes())
}
