//! The one timer, set to the nearest of all instants that matter.

use std::{
    os::fd::{AsFd, BorrowedFd},
    time::Duration,
};

use actors_core::Mono;
use nix::{
    errno::Errno,
    sys::{
        signal::Signal,
        timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags},
    },
};

use super::{Server, note};
use crate::{clock, wire::EventKind};

/// Instants on the boot clock, which goes on while the machine sleeps: a deadline means the world's time, not ours.
#[derive(Debug)]
pub(super) struct Timers {
    timer: TimerFd,
    armed: Option<Mono>,
    /// When the pod dies unless the agent takes it back.
    pub deadline: Option<Mono>,
    /// When those who were asked to stop are killed.
    pub stop_at: Option<Mono>,
    /// When memory that recent work needed is given back.
    settle_at: Option<Mono>,
}

/// Work often comes in bursts; what it needs is kept for so long.
const SETTLE_AFTER: Duration = Duration::from_secs(5);

impl Timers {
    pub(super) fn open() -> nix::Result<Self> {
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        let timer = TimerFd::new(ClockId::CLOCK_BOOTTIME, flags)?;
        Ok(Self { timer, armed: None, deadline: None, stop_at: None, settle_at: None })
    }

    /// There is one shim per pod, and most are idle: some time after work, what an idle one does not need goes.
    pub(super) fn plan_settling(&mut self) {
        self.settle_at.get_or_insert_with(|| clock::mono().after(SETTLE_AFTER));
    }

    fn arm(&mut self, at: Option<Mono>) -> nix::Result<()> {
        if self.armed == at {
            return Ok(());
        }
        self.armed = at;
        match at {
            // An instant of zero would disarm the timer; it has passed anyway.
            Some(at) => self.timer.set(
                Expiration::OneShot(clock::time_spec(at.max(Mono(1)))),
                TimerSetTimeFlags::TFD_TIMER_ABSTIME,
            ),
            None => self.timer.unset(),
        }
    }

    fn acknowledge(&mut self) {
        self.armed = None;
        match self.timer.wait() {
            Ok(()) | Err(Errno::EAGAIN) => {}
            Err(errno) => note(&format!("cannot read the timer: {errno}")),
        }
    }
}

impl AsFd for Timers {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.timer.as_fd()
    }
}

impl Server {
    pub(super) fn arm_timer(&mut self) {
        let sessions = self.sessions.values().filter_map(|session| session.deadline());
        let next = sessions
            .chain(self.timers.deadline)
            .chain(self.timers.stop_at)
            .chain(self.timers.settle_at)
            .min();
        if let Err(errno) = self.timers.arm(next) {
            note(&format!("cannot set the timer: {errno}"));
        }
    }

    /// Kills the pod if its deadline has passed: by its cgroup, so that nothing of it is left, its
    /// namespaces included.
    pub(super) fn enforce_deadline(&mut self) {
        if self.timers.deadline.is_none_or(|at| clock::mono() < at) {
            return;
        }
        self.timers.deadline = None;
        self.runtime.kill_pod();
        self.doom("the deadline has passed");
        self.publish(EventKind::DeadlinePassed);
    }

    pub(super) fn handle_timer(&mut self) {
        self.timers.acknowledge();
        let now = clock::mono();
        let has_passed = |at: Option<Mono>| at.is_some_and(|at| at <= now);
        if has_passed(self.timers.stop_at) {
            self.timers.stop_at = None;
            self.signal_containers(Signal::SIGKILL);
        }
        if has_passed(self.timers.settle_at) {
            self.timers.settle_at = None;
            nodes_sys::trim_heap();
            nodes_sys::forget_program_pages();
        }
        for session in self.sessions.values_mut() {
            if has_passed(session.deadline()) {
                session.time_out();
            }
        }
    }
}
