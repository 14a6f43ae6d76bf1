//! Forking a single-threaded process, and what its child needs right after.
//!
//! Way in: [`fork`].  Never: a fork with a second thread alive, whose locks the child could find taken for ever.

use nix::{
    errno::Errno,
    libc,
    sys::signal::{
        SaFlags, SigAction, SigHandler, SigSet, SigmaskHow, Signal, sigaction, sigprocmask,
    },
    unistd::{ForkResult, Pid},
};

/// Which side of a [`fork`] this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forked {
    /// The process that called, with its child's pid.
    Parent(Pid),
    /// The new process.
    Child,
}

/// Makes a copy of this process.
///
/// # Errors
/// `EBUSY` if a second thread is alive: what it holds (locks, half-written memory) would be stuck in the child.
/// Otherwise what fork(2) says.
pub fn fork() -> nix::Result<Forked> {
    let threads = std::fs::read_dir("/proc/self/task").map_err(|_| Errno::ENOENT)?.count();
    if threads != 1 {
        return Err(Errno::EBUSY);
    }
    // SAFETY: the process has one thread, this one, and nobody else can start another meanwhile; so the child is a
    // complete copy in which no lock is held by a thread that does not exist.
    match unsafe { nix::unistd::fork() }? {
        ForkResult::Parent { child } => Ok(Forked::Parent(child)),
        ForkResult::Child => Ok(Forked::Child),
    }
}

/// Ends the process at once: no destructors, no exit handlers, nothing flushed. For a forked child, whose copies
/// of the parent's buffers must not be written a second time.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: `_exit` takes a number, does not return, and touches no memory of ours.
    unsafe { libc::_exit(code) }
}

/// Gives every signal its default action and unblocks all of them.
///
/// A program started by exec(2) inherits ignored and blocked signals; a container must not see that its parent
/// ignores SIGPIPE and reads SIGCHLD from a file descriptor.
///
/// # Errors
/// What sigprocmask(2) says. Signals whose action cannot be changed (SIGKILL, SIGSTOP) are left alone.
pub fn reset_signals() -> nix::Result<()> {
    let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    for signal in Signal::iterator() {
        if !matches!(signal, Signal::SIGKILL | Signal::SIGSTOP) {
            // SAFETY: the default action runs no code of ours, so there is no handler that could be unsound.
            unsafe { sigaction(signal, &default) }?;
        }
    }
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)
}

/// Ignores SIGHUP, SIGINT, SIGTERM and SIGPIPE: a process that must outlive its starter and its terminal.
///
/// # Errors
/// What sigaction(2) says.
pub fn ignore_hangup() -> nix::Result<()> {
    for signal in [Signal::SIGHUP, Signal::SIGINT, Signal::SIGTERM, Signal::SIGPIPE] {
        ignore(signal)?;
    }
    Ok(())
}

fn ignore(signal: Signal) -> nix::Result<()> {
    let action = SigAction::new(SigHandler::SigIgn, SaFlags::empty(), SigSet::empty());
    // SAFETY: ignoring a signal runs no code of ours, so there is no handler that could be unsound.
    unsafe { sigaction(signal, &action) }.map(|_| ())
}

/// Turns this process into one that only exists: it holds its namespaces, reaps what is given to it, has no
/// capabilities and no open files, and ends by a signal alone.
pub fn become_pause() -> ! {
    let prepared = nix::sys::prctl::set_name(c"pause")
        .and_then(|()| reset_signals())
        // Explicitly ignored, so the kernel reaps adopted children at once when this is init of a pid namespace.
        .and_then(|()| ignore(Signal::SIGCHLD))
        .and_then(|()| crate::drop_all_capabilities());
    if prepared.is_err() {
        exit_now(1);
    }
    // SAFETY: closes every descriptor of the process. Owners of descriptors further up the stack are never reached
    // again, because this function does not return and does not unwind.
    unsafe { libc::syscall(libc::SYS_close_range, 0_u32, u32::MAX, 0_u32) };
    crate::forget_program_pages();
    loop {
        nix::unistd::pause();
    }
}

/// A child that has ended, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reaped {
    /// Which child.
    pub pid: Pid,
    /// Its exit code, or 128 and the signal's number, as a shell reports it.
    pub exit_code: i32,
    /// The signal that ended it, if one did; real-time signals too, which `nix` cannot name.
    pub signal: Option<i32>,
}

/// Takes one child that has ended, if there is one; never waits.
///
/// # Errors
/// `ECHILD` if there are no children at all.
pub fn reap() -> nix::Result<Option<Reaped>> {
    let mut status: libc::c_int = 0;
    // SAFETY: the kernel writes one integer, which lives here.
    let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) };
    let pid = Errno::result(pid)?;
    if pid == 0 {
        return Ok(None);
    }
    let signal = libc::WIFSIGNALED(status).then(|| libc::WTERMSIG(status));
    let exit_code = signal.map_or(libc::WEXITSTATUS(status), |signal| 128 + signal);
    Ok(Some(Reaped { pid: Pid::from_raw(pid), exit_code, signal }))
}
