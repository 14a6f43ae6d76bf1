//! Requests: each to its handler.

use std::time::Duration;

use nix::sys::signal::Signal;

use super::{Server, clients::ReplyTo, streams::Io};
use crate::{
    clock,
    wire::{Refusal, Reply, Request},
};

impl Server {
    pub(super) fn handle_request(&mut self, to: ReplyTo, request: Request) {
        match request {
            Request::Info => self.reply(to, Reply::Info(self.info.clone())),
            Request::Status => self.reply(to, Reply::Status(self.status())),
            Request::Create(spec) => {
                if self.has_room_for_job(to) {
                    self.create_container(to, *spec);
                }
            }
            Request::Start { container } => self.start_container(to, &container),
            Request::Kill { container, signal, scope } => {
                self.kill_container(to, &container, (signal, scope));
            }
            Request::Delete { container } => {
                if self.has_room_for_job(to) {
                    self.delete_container(to, container);
                }
            }
            Request::Exec(spec) => {
                if self.has_room_for_job(to) {
                    self.open_exec(to, *spec);
                }
            }
            Request::Attach { container } => self.attach(to, container),
            Request::Input(bytes) => self.with_stream(to, |io| io.push_input(&bytes)),
            Request::EndInput => self.with_stream(to, Io::end_input),
            Request::Resize { rows, columns } => self.with_stream(to, |io| {
                // A stream without a terminal has no size to set.
                io.resize(rows, columns).ok();
            }),
            Request::Cancel => self.cancel_session(to.into()),
            Request::Subscribe { after } => self.subscribe(to, after),
            Request::SetDeadline { at } => {
                // What was killed is not killed again.
                self.timers.deadline = at.filter(|_| self.doom.is_none());
                self.reply(to, Reply::Done);
            }
            Request::StopPod { grace_ns } => self.stop_pod(to, Duration::from_nanos(grace_ns)),
            Request::Shutdown => self.shut_down(to),
        }
    }

    /// Input for a stream that has just ended is no fault, and has no answer.
    fn with_stream(&mut self, to: ReplyTo, act: impl FnOnce(&mut Io)) {
        if let Some(io) = self.stream_io(to.into()) {
            act(io);
        }
    }

    fn stop_pod(&mut self, to: ReplyTo, grace: Duration) {
        if self.stopping.len() >= super::CLIENTS_MAX {
            return self.refuse(to, Refusal::Busy, "the pod is being stopped already");
        }
        self.signal_containers(Signal::SIGTERM);
        if !self.is_any_running() {
            return self.reply(to, Reply::Done);
        }
        let at = clock::mono().after(grace);
        self.timers.stop_at = Some(self.timers.stop_at.map_or(at, |earlier| earlier.min(at)));
        self.stopping.push(to);
    }
}
