//! Reaping: every child that ends is the pause process, a container, an exec, a helper, or an orphan.

use std::collections::BTreeMap;

use nix::{errno::Errno, unistd::Pid};
use nodes_sys::Reaped;

use super::{
    Closing, Server, note,
    sessions::{Kind, SessionKey},
};
use crate::wire::{EventKind, Reply};

/// Children that ended before their helper could say whose they are.
///
/// Invariant: at most [`STRAYS_MAX`]; empty while no helper runs.
#[derive(Debug, Default)]
pub(super) struct Strays(BTreeMap<Pid, Reaped>);

/// More unknown children than this cannot belong to the helpers that run at a time.
const STRAYS_MAX: usize = 1_024;

impl Strays {
    fn add(&mut self, reaped: Reaped) {
        if self.0.len() < STRAYS_MAX {
            self.0.insert(reaped.pid, reaped);
        }
    }

    pub(super) fn forget_unless(&mut self, is_expected: bool) {
        if !is_expected {
            self.0.clear();
        }
    }
}

impl Server {
    pub(super) fn reap_children(&mut self) {
        // One signal may stand for many children; what is read here says only that there are some.
        while let Ok(Some(_)) = self.signals.read_signal() {}
        loop {
            match nodes_sys::reap() {
                Ok(Some(reaped)) => self.handle_exit(reaped),
                Ok(None) | Err(Errno::ECHILD) => break,
                Err(errno) => {
                    note(&format!("cannot wait for children: {errno}"));
                    break;
                }
            }
        }
        if !self.is_any_running() {
            self.timers.stop_at = None;
            for to in std::mem::take(&mut self.stopping) {
                self.reply(to, Reply::Done);
            }
        }
    }

    fn handle_exit(&mut self, reaped: Reaped) {
        if self.info.pause_pid == Some(reaped.pid.as_raw()) {
            self.handle_pause_exit();
        } else if let Some(id) = self.container_of(reaped.pid) {
            self.end_container(&id, reaped);
        } else if let Some(key) = self.session_of(reaped.pid) {
            self.end_exec(key, reaped.exit_code);
        } else if !self.end_helper(reaped.pid) {
            self.strays.add(reaped);
        }
    }

    /// A process has just been given an owner; it may have ended before.
    pub(super) fn settle_stray(&mut self, pid: i32) {
        if let Some(reaped) = self.strays.0.remove(&Pid::from_raw(pid)) {
            self.handle_exit(reaped);
        }
    }

    /// Without it the namespaces cannot be joined any more: the pod is lost and must be rebuilt.
    fn handle_pause_exit(&mut self) {
        self.info.pause_pid = None;
        self.info.network = None;
        if self.closing == Closing::No {
            self.doom("the pause process has ended");
            self.publish(EventKind::PauseExited);
        }
    }

    fn container_of(&self, pid: Pid) -> Option<String> {
        let mut all = self.containers.iter();
        all.find(|(_, c)| c.status.pid == Some(pid.as_raw())).map(|(id, _)| id.clone())
    }

    fn session_of(&self, pid: Pid) -> Option<SessionKey> {
        let is_its =
            |kind: &Kind| matches!(kind, Kind::Exec { pid: Some(known), .. } if *known == pid);
        self.sessions.iter().find(|(_, session)| is_its(&session.kind)).map(|(key, _)| *key)
    }
}
