//! One small process per machine that keeps its server or agent alive, with back-off, and stops it when asked; another
//! keeps a cluster's forwarder.
//!
//! Way in: [`run`].  Owns: the pid files of a cluster.  Never: a thread, an allocation that grows, or a socket.
//! What it starts again outlives nothing: containers belong to shims and live on while the server is away.

use std::{
    fs, io,
    os::fd::AsFd as _,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use actors_core::{Backoff, Rng};
use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        signal::{SigSet, Signal, kill},
        signalfd::{SfdFlags, SignalFd},
    },
    time::{ClockId, clock_gettime},
    unistd::{Pid, setsid},
};

use crate::arguments::Part;

/// A server that lived this long is healthy: its next failure is the first one again.
const HEALTHY: Duration = Duration::from_secs(60);

/// How long a server may take to stop before it is killed.
const STOP_WITHIN: Duration = Duration::from_secs(15);

/// The first restart comes at once: a crashed server should be back within a second.
const BACKOFF: Backoff = Backoff {
    initial: Duration::from_millis(50),
    max: Duration::from_secs(10),
    jitter_percent: 20,
};

/// The pid files of a part: its guardian's, and its own.
pub(crate) struct PidFiles {
    pub(crate) guardian: &'static str,
    pub(crate) child: &'static str,
}

impl Part {
    pub(crate) fn pid_files(self) -> PidFiles {
        match self {
            Self::Node => PidFiles { guardian: "guardian.pid", child: "server.pid" },
            Self::Forwarder => {
                PidFiles { guardian: "forwarder-guardian.pid", child: "forwarder.pid" }
            }
        }
    }
}

/// Runs until it is asked to stop by SIGTERM. Called by the binary before any thread exists.
///
/// # Errors
/// If the operating system refuses signals, processes or the pid files.
pub fn run(run_dir: &Path, part: Part, arguments: &[String]) -> io::Result<()> {
    let files = part.pid_files();
    // Fails only where this process leads its group already, and then it has the session that it needs.
    let _own_session = setsid();
    fs::create_dir_all(run_dir)?;
    let mut watched = SigSet::empty();
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGCHLD] {
        watched.add(signal);
    }
    watched.thread_block()?;
    let mut signals =
        SignalFd::with_flags(&watched, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
    fs::write(run_dir.join(files.guardian), std::process::id().to_string())?;
    // Asked once: after an upgrade this path leads to the new binary, while this process's own file is gone.
    let program = std::env::current_exe()?;
    let mut rng = Rng::from_number(u64::from(std::process::id()));
    let mut failures = 0;
    loop {
        let started = boot_time()?;
        let mut server = start(&run_dir.join(files.child), &program, arguments)?;
        if live(&mut signals, &mut server)? == Ended::Asked {
            break;
        }
        let lived = boot_time()?.saturating_sub(started);
        failures = if lived > HEALTHY { 1 } else { failures + 1 };
        let wait =
            if failures == 1 { Duration::ZERO } else { BACKOFF.wait(failures - 1, &mut rng) };
        note(&format!(
            "the process ended after {lived:?}; starting it again in {wait:?} (failure {failures})"
        ));
        if is_asked_within(&mut signals, wait)? {
            break;
        }
    }
    fs::remove_file(run_dir.join(files.guardian))
}

#[derive(Debug, PartialEq, Eq)]
enum Ended {
    Itself,
    Asked,
}

fn start(pid_file: &Path, program: &Path, arguments: &[String]) -> io::Result<Child> {
    let server = Command::new(program).args(arguments).stdin(Stdio::null()).spawn()?;
    fs::write(pid_file, server.id().to_string())?;
    // What follows is waiting, for weeks if all is well.
    nodes_sys::forget_program_pages();
    Ok(server)
}

/// Waits until the server ends, or until this process is asked to stop and has stopped it.
fn live(signals: &mut SignalFd, server: &mut Child) -> io::Result<Ended> {
    loop {
        if server.try_wait()?.is_some() {
            return Ok(Ended::Itself);
        }
        if is_asked_within(signals, Duration::from_secs(60))? {
            stop(signals, server)?;
            return Ok(Ended::Asked);
        }
    }
}

fn stop(signals: &mut SignalFd, server: &mut Child) -> io::Result<()> {
    let pid = Pid::from_raw(i32::try_from(server.id()).unwrap_or(i32::MAX));
    // The only failure is that it has ended already.
    let _ended = kill(pid, Signal::SIGTERM);
    let asked = boot_time()?;
    while server.try_wait()?.is_none() {
        let left = STOP_WITHIN.saturating_sub(boot_time()?.saturating_sub(asked));
        if left.is_zero() {
            note("the process did not stop in time; killing it");
            server.kill()?;
            server.wait()?;
            break;
        }
        is_asked_within(signals, left)?;
    }
    Ok(())
}

/// Waits for a signal, at most `limit`; true if it asks this process to stop.
fn is_asked_within(signals: &mut SignalFd, limit: Duration) -> io::Result<bool> {
    let millis = u16::try_from(limit.as_millis()).unwrap_or(u16::MAX);
    let fd = signals.as_fd();
    poll(&mut [PollFd::new(fd, PollFlags::POLLIN)], PollTimeout::from(millis))?;
    let mut asked = false;
    while let Some(signal) = signals.read_signal()? {
        asked |= signal.ssi_signo != Signal::SIGCHLD as u32;
    }
    Ok(asked)
}

fn boot_time() -> io::Result<Duration> {
    Ok(Duration::from(clock_gettime(ClockId::CLOCK_BOOTTIME)?))
}

/// One line on stderr, which `up` points to the guardian's log.
fn note(line: &str) {
    use io::Write as _;
    // A log that cannot be written must not stop the guardian.
    let _lost = writeln!(io::stderr(), "guardian: {line}");
}
