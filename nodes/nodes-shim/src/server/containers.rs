//! Containers: their phases, their output on its way to log and listeners, their end.

use actors_core::Wall;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use nodes_oci::ContainerSpec;
use nodes_sys::Reaped;

use super::{
    CONTAINERS_MAX, Owner, Server,
    clients::ReplyTo,
    jobs::Work,
    note,
    sessions::SessionKey,
    streams::{Found, Io},
};
use crate::{
    clock,
    helper::Helper,
    logs::{LOG_SIZE_MAX, LogWriter},
    state,
    wire::{
        ContainerStatus, EventKind, KillScope, OUTPUT_LEN_MAX, OutputStream, Phase, Refusal, Reply,
    },
};

/// One container, from the request to create it until it is deleted.
#[derive(Debug)]
pub(super) struct Container {
    pub status: ContainerStatus,
    pub io: Io,
    log: Option<LogWriter>,
    ends_input_on_detach: bool,
}

impl Container {
    fn pid(&self) -> Option<Pid> {
        self.status.pid.map(Pid::from_raw)
    }
}

impl Server {
    pub(super) fn create_container(&mut self, to: ReplyTo, spec: ContainerSpec) {
        if let Err(error) = spec.validate() {
            return self.refuse(to, Refusal::Invalid, error.to_string());
        }
        if self.containers.contains_key(&spec.id) {
            let message = format!("container {} exists already", spec.id);
            return self.refuse(to, Refusal::Invalid, message);
        }
        if let Some(reason) = self.doom {
            return self.refuse(to, Refusal::Failed, format!("{reason}: the pod was killed"));
        }
        if self.containers.len() >= CONTAINERS_MAX {
            return self.refuse(
                to,
                Refusal::Busy,
                format!("the pod has {CONTAINERS_MAX} containers"),
            );
        }
        let opened = spec.log_path.as_ref().map(|path| LogWriter::open(path, LOG_SIZE_MAX));
        let log = match opened.transpose() {
            Ok(log) => log,
            Err(error) => {
                let message = format!("cannot open the log of container {}: {error}", spec.id);
                return self.refuse(to, Refusal::Failed, message);
            }
        };
        let streams = if spec.terminal {
            Io::terminal(&self.console_path(self.next_job))
        } else {
            Io::pipes(spec.stdin)
        };
        let (io, stdio) = match streams {
            Ok(streams) => streams,
            Err(error) => {
                return self.refuse(to, Refusal::Failed, format!("cannot make streams: {error}"));
            }
        };
        let runtime = &self.runtime;
        let started = Helper::start_closed(stdio.descriptors(), || {
            runtime.create(&spec, stdio).inspect_err(|_| {
                // The reason of the failure is what counts; what is left is removed with the pod.
                runtime.remove(&spec.id).ok();
            })
        });
        if self.add_job(started, Work::Create { to, id: spec.id.clone() }, to) {
            let created_at = clock::now().wall;
            let status =
                ContainerStatus { id: spec.id.clone(), created_at, ..ContainerStatus::default() };
            let ends_input_on_detach = spec.stdin_once;
            self.containers.insert(spec.id, Container { status, io, log, ends_input_on_detach });
            self.save_state();
        }
    }

    /// The helper is done: the container waits for its start, or never came to be.
    pub(super) fn finish_create(&mut self, to: ReplyTo, id: &str, outcome: Result<i32, String>) {
        let Some(container) = self.containers.get_mut(id) else { return };
        let accepted = match (self.doom, container.io.accept_terminal()) {
            (Some(reason), _) => Err(format!("{reason}: the pod was killed")),
            (None, Err(error)) => {
                Err(format!("the terminal of container {id} did not come: {error}"))
            }
            (None, Ok(())) => Ok(()),
        };
        let outcome = outcome.and_then(|pid| {
            let is_kept = accepted.map(|()| pid);
            if is_kept.is_err() {
                kill(Pid::from_raw(pid), Signal::SIGKILL).ok();
            }
            is_kept
        });
        match outcome {
            Ok(pid) => {
                container.status.pid = Some(pid);
                container.status.phase = Phase::Created;
                self.save_state();
                self.reply(to, Reply::Done);
                self.settle_stray(pid);
            }
            Err(message) => {
                note(&format!("container {id}: {message}"));
                self.containers.remove(id);
                self.save_state();
                self.refuse(to, Refusal::Failed, message);
            }
        }
    }

    pub(super) fn start_container(&mut self, to: ReplyTo, id: &str) {
        let Some(container) = self.containers.get_mut(id) else {
            return self.refuse_unknown(to, id);
        };
        let phase = container.status.phase;
        if phase != Phase::Created {
            return self.refuse_phase(to, id, phase);
        }
        if let Err(message) = self.runtime.start(id) {
            return self.refuse(to, Refusal::Failed, message);
        }
        container.status.phase = Phase::Running;
        container.status.started_at = Some(clock::now().wall);
        let status = container.status.clone();
        self.publish(EventKind::Started(status));
        self.reply(to, Reply::Done);
        self.timers.plan_settling();
    }

    pub(super) fn kill_container(
        &mut self,
        to: ReplyTo,
        id: &str,
        (signal, scope): (i32, KillScope),
    ) {
        let Ok(signal) = Signal::try_from(signal) else {
            return self.refuse(to, Refusal::Invalid, format!("there is no signal {signal}"));
        };
        let Some(container) = self.containers.get(id) else { return self.refuse_unknown(to, id) };
        let Some(pid) = container.pid() else {
            return self.refuse_phase(to, id, container.status.phase);
        };
        match scope {
            KillScope::All => self.runtime.signal_all(id, pid.as_raw(), signal),
            KillScope::First => {
                if let Err(errno) = kill(pid, signal) {
                    let message = format!("cannot send {signal} to container {id}: {errno}");
                    return self.refuse(to, Refusal::Failed, message);
                }
            }
        }
        self.reply(to, Reply::Done);
    }

    pub(super) fn delete_container(&mut self, to: ReplyTo, id: String) {
        let Some(container) = self.containers.get(&id) else { return self.refuse_unknown(to, &id) };
        match container.status.phase {
            Phase::Exited => {}
            Phase::Created => {
                if let Some(pid) = container.pid() {
                    kill(pid, Signal::SIGKILL).ok();
                }
            }
            phase @ (Phase::Creating | Phase::Running) => return self.refuse_phase(to, &id, phase),
        }
        let runtime = &self.runtime;
        let started = Helper::start(|| runtime.remove(&id));
        self.add_job(started, Work::Delete { to, id }, to);
    }

    pub(super) fn finish_delete(&mut self, to: ReplyTo, id: &str, outcome: Result<i32, String>) {
        match outcome {
            Ok(_) => {
                self.containers.remove(id);
                self.save_state();
                self.reply(to, Reply::Done);
            }
            Err(message) => self.refuse(to, Refusal::Failed, message),
        }
    }

    /// Sends a signal to all containers: to their first process, or with SIGKILL to all of them.
    pub(super) fn signal_containers(&self, signal: Signal) {
        for (id, container) in &self.containers {
            let Some(pid) = container.pid() else { continue };
            if signal == Signal::SIGKILL || container.status.phase == Phase::Created {
                self.runtime.signal_all(id, pid.as_raw(), Signal::SIGKILL);
            }
            kill(pid, signal).ok();
        }
    }

    /// The first process of a container has ended.
    pub(super) fn end_container(&mut self, id: &str, reaped: Reaped) {
        let now = clock::now().wall;
        let streams = self.containers.get(id).map(|c| c.io.open_outputs()).unwrap_or_default();
        for stream in streams {
            while self.log_output(id, stream) {}
        }
        // In a shared pid namespace its children live on; with it they must go.
        self.runtime.signal_all(id, reaped.pid.as_raw(), Signal::SIGKILL);
        let oom_killed = self.runtime.is_oom_killed(id);
        let Some(container) = self.containers.get_mut(id) else { return };
        container.close_log(now);
        container.io = Io::default();
        let status = &mut container.status;
        status.phase = Phase::Exited;
        status.pid = None;
        status.finished_at = Some(now);
        status.exit_code = Some(reaped.exit_code);
        status.signal = reaped.signal;
        status.oom_killed = oom_killed;
        let status = status.clone();
        let path = self.paths.status(id);
        let parent = path.parent().unwrap_or(&path);
        let written = std::fs::create_dir_all(parent).and_then(|()| state::write(&path, &status));
        if let Err(error) = written {
            note(&format!("cannot keep the exit code of container {id}: {error}"));
        }
        self.publish(EventKind::Exited(status));
        for key in self.attachments(id) {
            self.sessions.remove(&key);
            let reply = Reply::Exited { exit_code: reaped.exit_code, timed_out: false };
            self.reply(key.reply_to(), reply);
        }
    }

    pub(super) fn read_output(&mut self, owner: &Owner, stream: OutputStream) {
        match owner {
            Owner::Container(id) => self.log_output(id, stream),
            Owner::Session(key) => self.forward_output(*key, stream),
        };
    }

    /// Takes what one output of a container has, to its log and to those attached; whether there may be more.
    fn log_output(&mut self, id: &str, stream: OutputStream) -> bool {
        let mut buffer = [0_u8; OUTPUT_LEN_MAX];
        let Some(container) = self.containers.get_mut(id) else { return false };
        let Found::Bytes(count) = container.io.read(stream, &mut buffer) else { return false };
        let bytes = buffer.get(..count).unwrap_or_default();
        if let Some(log) = &mut container.log {
            log.write(stream, bytes, clock::now().wall);
        }
        for key in self.attachments(id) {
            let has_room = self.clients.get(&key.client).is_some_and(|client| client.has_room());
            if has_room {
                self.reply(key.reply_to(), Reply::Output { stream, bytes: bytes.to_vec() });
            } else {
                // The container must not stand still for one who does not listen; the log has everything.
                self.sessions.remove(&key);
                self.refuse(key.reply_to(), Refusal::Busy, "attached, but too slow to listen");
            }
        }
        true
    }

    fn attachments(&self, id: &str) -> Vec<SessionKey> {
        let is_of = |key: &&SessionKey| {
            self.sessions.get(key).is_some_and(|session| session.attached_to() == Some(id))
        };
        self.sessions.keys().filter(is_of).copied().collect()
    }

    /// Somebody who was attached has gone.
    pub(super) fn detach(&mut self, id: &str) {
        if let Some(container) = self.containers.get_mut(id)
            && container.ends_input_on_detach
        {
            container.io.end_input();
        }
    }

    /// Where a terminal is sent to; `number` makes it unique.
    pub(super) fn console_path(&self, number: u64) -> std::path::PathBuf {
        self.paths.run().join(format!("tty{number}.sock"))
    }

    pub(super) fn is_any_running(&self) -> bool {
        self.containers.values().any(|container| container.status.pid.is_some())
    }

    pub(super) fn refuse_unknown(&mut self, to: ReplyTo, id: &str) {
        self.refuse(to, Refusal::NotFound, format!("there is no container {id}"));
    }

    pub(super) fn refuse_phase(&mut self, to: ReplyTo, id: &str, phase: Phase) {
        let phase = match phase {
            Phase::Creating => "being created",
            Phase::Created => "created but not started",
            Phase::Running => "running",
            Phase::Exited => "exited",
        };
        self.refuse(to, Refusal::WrongPhase, format!("container {id} is {phase}"));
    }
}

impl Container {
    fn close_log(&mut self, now: Wall) {
        if let Some(mut log) = self.log.take() {
            log.finish(now);
            if log.lost() > 0 {
                let (id, lost) = (&self.status.id, log.lost());
                note(&format!("container {id}: {lost} log records could not be written"));
            }
        }
    }
}
