//! A forked child that does one piece of work and reports its result over a pipe.
//!
//! Way in: [`Helper::start`].  Why: libcontainer needs a process that it may change (mount namespace, oom score,
//! working directory); what it allocates should not stay with an idle shim; and a hanging mount must not stop the
//! shim's loop. What the child forks itself becomes the shim's child when the helper ends, for the shim is a
//! subreaper.

use std::{
    fs::File,
    io::{Read, Write},
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
    panic::{AssertUnwindSafe, catch_unwind},
};

use nix::{
    fcntl::{FcntlArg, OFlag, fcntl},
    sys::wait::{WaitPidFlag, waitpid},
    unistd::{Pid, pipe2},
};
use nodes_sys::Forked;

use crate::wire::{Decoder, encode};

/// A number (a pid, or nothing of interest), or why it failed, for people.
pub(crate) type Outcome = Result<i32, String>;

/// A piece of work under way.
#[derive(Debug)]
pub(crate) struct Helper {
    pid: Pid,
    pipe: File,
    decoder: Decoder,
}

impl Helper {
    /// Forks, and runs `work` in the child. Whatever `work` owns is dropped in this process.
    pub(crate) fn start(work: impl FnOnce() -> Outcome) -> Result<Self, String> {
        Self::start_then(|| Ok((work()?, ())), |()| 0)
    }

    /// As [`Helper::start`], but the child keeps only the descriptors `keep`. For work that leaves a process behind
    /// which runs no other program yet: it must not hold the shim's socket open, or a dead shim would seem alive.
    pub(crate) fn start_closed(
        keep: Vec<RawFd>,
        work: impl FnOnce() -> Outcome,
    ) -> Result<Self, String> {
        Self::fork(Some(keep), || Ok((work()?, ())), |()| 0)
    }

    /// As [`Helper::start`], but after a success the child goes on with `then`, whose result is its exit code.
    pub(crate) fn start_then<T>(
        work: impl FnOnce() -> Result<(i32, T), String>,
        then: impl FnOnce(T) -> i32,
    ) -> Result<Self, String> {
        Self::fork(None, work, then)
    }

    fn fork<T>(
        keep: Option<Vec<RawFd>>,
        work: impl FnOnce() -> Result<(i32, T), String>,
        then: impl FnOnce(T) -> i32,
    ) -> Result<Self, String> {
        let (reader, writer) =
            pipe2(OFlag::O_CLOEXEC).map_err(|errno| format!("cannot make a pipe: {errno}"))?;
        match nodes_sys::fork().map_err(|errno| format!("cannot fork: {errno}"))? {
            Forked::Child => {
                drop(reader);
                let is_closed = keep.is_none_or(|mut keep| {
                    keep.push(writer.as_raw_fd());
                    nodes_sys::close_other_fds(&keep).is_ok()
                });
                if !is_closed {
                    nodes_sys::exit_now(1);
                }
                report(writer, work, then)
            }
            Forked::Parent(pid) => {
                drop(work);
                drop(writer);
                Ok(Self { pid, pipe: File::from(reader), decoder: Decoder::default() })
            }
        }
    }

    /// The child.
    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    /// Lets [`Helper::poll`] return when nothing has come yet.
    pub(crate) fn set_nonblocking(&self) -> Result<(), String> {
        set_nonblocking(&self.pipe).map_err(|errno| format!("cannot use a pipe: {errno}"))
    }

    /// The outcome, if it has come. A child that ended without one has failed. The pipe may stay open longer
    /// than the child lives (a container that was not started has a copy), so its end is not waited for.
    pub(crate) fn poll(&mut self) -> Option<Outcome> {
        let mut buffer = [0_u8; 4096];
        loop {
            if let Some(outcome) = self.decoder.next_frame::<Outcome>().ok().flatten() {
                return Some(outcome);
            }
            match self.pipe.read(&mut buffer) {
                Ok(0) => {
                    return Some(Err("a helper process died before its work was done".to_owned()));
                }
                Ok(count) => self.decoder.push(buffer.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return None,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Some(Err(format!("cannot hear a helper process: {error}"))),
            }
        }
    }

    /// Waits for the outcome, not for the child's end.
    pub(crate) fn wait_outcome(mut self) -> Outcome {
        self.poll().unwrap_or_else(|| Err("a helper process said nothing".to_owned()))
    }

    /// Waits for the outcome and for the child's end.
    pub(crate) fn wait(mut self) -> Outcome {
        let outcome =
            self.poll().unwrap_or_else(|| Err("a helper process said nothing".to_owned()));
        waitpid(self.pid, Some(WaitPidFlag::empty()))
            .map_err(|errno| format!("cannot wait for a helper process: {errno}"))?;
        outcome
    }
}

impl AsFd for Helper {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}

/// The longest explanation that is passed on.
const MESSAGE_LEN_MAX: usize = 8 << 10;

fn report<T>(
    writer: OwnedFd,
    work: impl FnOnce() -> Result<(i32, T), String>,
    then: impl FnOnce(T) -> i32,
) -> ! {
    let result = match nodes_sys::reset_signals() {
        Err(errno) => Err(format!("cannot reset signals: {errno}")),
        // The parent's stack lies below: a panic must end here, not run the shim's loop a second time.
        Ok(()) => catch_unwind(AssertUnwindSafe(work))
            .unwrap_or_else(|_| Err("a helper process panicked; see the shim's log".to_owned())),
    };
    let outcome: Outcome = match &result {
        Ok((number, _)) => Ok(*number),
        Err(text) => Err(text.chars().take(MESSAGE_LEN_MAX).collect()),
    };
    let is_sent = encode(&outcome).is_ok_and(|bytes| File::from(writer).write_all(&bytes).is_ok());
    let code = match result {
        Ok((_, value)) if is_sent => {
            catch_unwind(AssertUnwindSafe(|| then(value))).unwrap_or(PANIC_EXIT_CODE)
        }
        _ => 1,
    };
    nodes_sys::exit_now(code)
}

/// What Rust's own start-up code exits with after a panic.
const PANIC_EXIT_CODE: i32 = 101;

/// Makes reads and writes of a descriptor return instead of waiting.
pub(crate) fn set_nonblocking(fd: impl AsFd) -> nix::Result<()> {
    let flags = OFlag::from_bits_retain(fcntl(&fd, FcntlArg::F_GETFL)?);
    fcntl(&fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK)).map(|_| ())
}
