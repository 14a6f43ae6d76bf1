//! Sessions: streams that a client has opened: an exec, an attachment, a subscription.

use actors_core::Mono;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use nodes_oci::ExecSpec;

use super::{
    SESSIONS_MAX, Server,
    clients::ReplyTo,
    jobs::Work,
    streams::{Found, Io},
};
use crate::{
    clock,
    helper::Helper,
    wire::{OUTPUT_LEN_MAX, OutputStream, Phase, Refusal, Reply},
};

/// A stream's name: the connection and the number of the request that opened it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SessionKey {
    pub client: u32,
    pub id: u64,
}

impl SessionKey {
    pub(super) fn reply_to(self) -> ReplyTo {
        ReplyTo { client: self.client, id: self.id }
    }
}

impl From<ReplyTo> for SessionKey {
    fn from(to: ReplyTo) -> Self {
        Self { client: to.client, id: to.id }
    }
}

/// One open stream.
#[derive(Debug)]
pub(super) struct Session {
    pub kind: Kind,
    /// The process's streams; an attachment uses its container's.
    pub io: Io,
}

/// What a stream is for.
#[derive(Debug)]
pub(super) enum Kind {
    Exec {
        /// None until the process runs.
        pid: Option<Pid>,
        deadline: Option<Mono>,
        is_timed_out: bool,
    },
    Attachment {
        container: String,
    },
    Subscription,
}

impl Session {
    pub(super) fn attached_to(&self) -> Option<&str> {
        match &self.kind {
            Kind::Attachment { container } => Some(container),
            _ => None,
        }
    }

    pub(super) fn deadline(&self) -> Option<Mono> {
        match &self.kind {
            Kind::Exec { deadline, is_timed_out: false, .. } => *deadline,
            _ => None,
        }
    }

    /// Whether its client has been told that it is open.
    pub(super) fn has_begun(&self) -> bool {
        !matches!(&self.kind, Kind::Exec { pid: None, .. })
    }

    /// Kills the process; its end then ends the session.
    pub(super) fn time_out(&mut self) {
        if let Kind::Exec { is_timed_out, .. } = &mut self.kind {
            *is_timed_out = true;
        }
        self.kill();
    }

    pub(super) fn kill(&self) {
        if let Kind::Exec { pid: Some(pid), .. } = &self.kind {
            // Not reaped yet, so the number is still its own.
            kill(*pid, Signal::SIGKILL).ok();
        }
    }
}

impl Server {
    pub(super) fn open_exec(&mut self, to: ReplyTo, spec: ExecSpec) {
        let running = self.containers.get(&spec.container).map(|c| c.status.phase);
        match running {
            None => return self.refuse_unknown(to, &spec.container),
            Some(Phase::Running) => {}
            Some(phase) => return self.refuse_phase(to, &spec.container, phase),
        }
        let number = self.next_job;
        let streams = if spec.terminal {
            Io::terminal(&self.console_path(number))
        } else {
            Io::pipes(spec.stdin)
        };
        let (io, stdio) = match streams {
            Ok(streams) => streams,
            Err(error) => {
                return self.refuse(to, Refusal::Failed, format!("cannot make streams: {error}"));
            }
        };
        let now = clock::mono();
        let deadline = spec.timeout_ns.map(std::time::Duration::from_nanos).map(|t| now.after(t));
        let kind = Kind::Exec { pid: None, deadline, is_timed_out: false };
        if self.insert_session(to, Session { kind, io }) {
            let keep = stdio.descriptors();
            let runtime = &self.runtime;
            let work = || runtime.exec(&spec, number, stdio);
            let started = Helper::start_closed(keep, work);
            if !self.add_job(started, Work::Exec { key: to.into() }, to) {
                self.sessions.remove(&to.into());
            }
        }
    }

    pub(super) fn attach(&mut self, to: ReplyTo, container: String) {
        match self.containers.get(&container).map(|c| c.status.phase) {
            None => self.refuse_unknown(to, &container),
            Some(Phase::Running | Phase::Created) => {
                let kind = Kind::Attachment { container };
                if self.insert_session(to, Session { kind, io: Io::default() }) {
                    self.reply(to, Reply::Done);
                }
            }
            Some(phase) => self.refuse_phase(to, &container, phase),
        }
    }

    pub(super) fn subscribe(&mut self, to: ReplyTo, after: u64) {
        let session = Session { kind: Kind::Subscription, io: Io::default() };
        if self.insert_session(to, session) {
            self.reply(to, Reply::Status(self.status()));
            for event in self.events.after(after) {
                self.reply(to, Reply::Event(event));
            }
        }
    }

    fn insert_session(&mut self, to: ReplyTo, session: Session) -> bool {
        if self.sessions.len() >= SESSIONS_MAX {
            self.refuse(to, Refusal::Busy, format!("{SESSIONS_MAX} streams are open"));
            return false;
        }
        if self.sessions.contains_key(&to.into()) {
            self.refuse(to, Refusal::Invalid, format!("stream {} is open already", to.id));
            return false;
        }
        self.sessions.insert(to.into(), session);
        true
    }

    /// Forgets a stream; its process is killed, or, if it is still being made, killed as soon as it is there.
    pub(super) fn cancel_session(&mut self, key: SessionKey) {
        if let Some(session) = self.sessions.remove(&key) {
            session.kill();
            if let Some(id) = session.attached_to() {
                self.detach(id);
            }
        }
    }

    /// Where input for a stream goes: its own process, or the container that it is attached to.
    pub(super) fn stream_io(&mut self, key: SessionKey) -> Option<&mut Io> {
        let session = self.sessions.get_mut(&key)?;
        match session.attached_to().map(str::to_owned) {
            Some(id) => self.containers.get_mut(&id).map(|container| &mut container.io),
            None => self.sessions.get_mut(&key).map(|session| &mut session.io),
        }
    }

    /// The process of a session has ended: what it still had to say, then its exit code.
    pub(super) fn end_exec(&mut self, key: SessionKey, exit_code: i32) {
        let streams = self.sessions.get(&key).map(|s| s.io.open_outputs()).unwrap_or_default();
        for stream in streams {
            while self.forward_output(key, stream) {}
        }
        if let Some(Session { kind: Kind::Exec { is_timed_out: timed_out, .. }, .. }) =
            self.sessions.remove(&key)
        {
            self.reply(key.reply_to(), Reply::Exited { exit_code, timed_out });
        }
    }

    /// Passes on what one output of a session has; whether there may be more.
    pub(super) fn forward_output(&mut self, key: SessionKey, stream: OutputStream) -> bool {
        let mut buffer = [0_u8; OUTPUT_LEN_MAX];
        let Some(session) = self.sessions.get_mut(&key) else { return false };
        match session.io.read(stream, &mut buffer) {
            Found::Bytes(count) => {
                let bytes = buffer.get(..count).unwrap_or_default().to_vec();
                self.reply(key.reply_to(), Reply::Output { stream, bytes });
                true
            }
            Found::NothingNow | Found::End => false,
        }
    }
}
