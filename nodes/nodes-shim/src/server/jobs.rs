//! Jobs: helper processes under way, and what is to be done with their outcomes.

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::{
    Closing, JOBS_MAX, Server,
    clients::ReplyTo,
    note,
    sessions::{Kind, SessionKey},
};
use crate::{
    helper::{Helper, Outcome},
    wire::{Refusal, Reply},
};

/// A helper process and its purpose.
#[derive(Debug)]
pub(super) struct Job {
    pub helper: Helper,
    work: Work,
}

/// What a helper does.
#[derive(Debug, Clone)]
pub(super) enum Work {
    Create { to: ReplyTo, id: String },
    Exec { key: SessionKey },
    Delete { to: ReplyTo, id: String },
    Shutdown { to: ReplyTo },
}

impl Server {
    /// Keeps a helper that was started; a failure to start is answered to `to`. Whether it runs.
    pub(super) fn add_job(
        &mut self,
        started: Result<Helper, String>,
        work: Work,
        to: ReplyTo,
    ) -> bool {
        let started = started.and_then(|helper| helper.set_nonblocking().map(|()| helper));
        match started {
            Ok(helper) => {
                self.jobs.insert(self.next_job, Job { helper, work });
                self.next_job += 1;
                true
            }
            Err(message) => {
                self.refuse(to, Refusal::Failed, message);
                false
            }
        }
    }

    /// Whether another helper may be started; if not, the request is refused.
    pub(super) fn has_room_for_job(&mut self, to: ReplyTo) -> bool {
        let has_room = self.jobs.len() < JOBS_MAX;
        if !has_room {
            self.refuse(to, Refusal::Busy, format!("{JOBS_MAX} requests are under way"));
        }
        has_room
    }

    pub(super) fn poll_job(&mut self, id: u64) {
        let outcome = self.jobs.get_mut(&id).and_then(|job| job.helper.poll());
        if let Some(outcome) = outcome
            && let Some(job) = self.jobs.remove(&id)
        {
            self.finish_job(job.work, outcome);
        }
    }

    /// A child has ended that may have been a helper. If so, and it has said nothing, it never will.
    pub(super) fn end_helper(&mut self, pid: Pid) -> bool {
        let found = self.jobs.iter().find(|(_, job)| job.helper.pid() == pid).map(|(id, _)| *id);
        let Some(mut job) = found.and_then(|id| self.jobs.remove(&id)) else { return false };
        let outcome = job.helper.poll();
        let silent = || Err("a helper process died before its work was done".to_owned());
        self.finish_job(job.work, outcome.unwrap_or_else(silent));
        true
    }

    fn finish_job(&mut self, work: Work, outcome: Outcome) {
        self.timers.plan_settling();
        match work {
            Work::Create { to, id } => self.finish_create(to, &id, outcome),
            Work::Exec { key } => self.finish_exec(key, outcome),
            Work::Delete { to, id } => self.finish_delete(to, &id, outcome),
            Work::Shutdown { to } => self.finish_shutdown(to, outcome),
        }
    }

    fn finish_exec(&mut self, key: SessionKey, outcome: Outcome) {
        let Some(session) = self.sessions.get_mut(&key) else {
            // The client has gone meanwhile.
            if let Ok(pid) = outcome {
                kill(Pid::from_raw(pid), Signal::SIGKILL).ok();
            }
            return;
        };
        let accepted = outcome.and_then(|raw| {
            if let Kind::Exec { pid, .. } = &mut session.kind {
                *pid = Some(Pid::from_raw(raw));
            }
            session.io.accept_terminal().map(|()| raw).map_err(|error| {
                session.kill();
                format!("the terminal did not come: {error}")
            })
        });
        match accepted {
            Ok(pid) => {
                if matches!(session.kind, Kind::Exec { is_timed_out: true, .. }) {
                    session.kill();
                }
                self.reply(key.reply_to(), Reply::Done);
                self.settle_stray(pid);
            }
            Err(message) => {
                self.sessions.remove(&key);
                self.refuse(key.reply_to(), Refusal::Failed, message);
            }
        }
    }

    pub(super) fn shut_down(&mut self, to: ReplyTo) {
        if self.closing != Closing::No {
            return self.refuse(to, Refusal::Busy, "the shim is shutting down already");
        }
        self.closing = Closing::Requested;
        self.signal_containers(Signal::SIGKILL);
        let runtime = &self.runtime;
        let started = Helper::start(|| runtime.remove_pod());
        if !self.add_job(started, Work::Shutdown { to }, to) {
            self.closing = Closing::No;
        }
    }

    fn finish_shutdown(&mut self, to: ReplyTo, outcome: Outcome) {
        match outcome {
            Ok(_) => {
                for path in [self.paths.socket(), self.paths.state(), self.paths.spec()] {
                    // The agent removes the directory; these go now so that nobody looks for this shim.
                    std::fs::remove_file(path).ok();
                }
                self.closing = Closing::Done(to.client);
                self.reply(to, Reply::Done);
            }
            Err(message) => {
                note(&format!("cannot shut down: {message}"));
                self.closing = Closing::No;
                self.refuse(to, Refusal::Failed, message);
            }
        }
    }
}
