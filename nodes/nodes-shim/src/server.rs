//! The shim's loop: one thread, one poll, every wait in it.
//!
//! Way in: [`Server::run`].  Owns: clients, containers, sessions (streams of a client), jobs (helpers), events.
//! Never: a call that waits for anything but the poll.
//! Bounds: [`CLIENTS_MAX`], [`CONTAINERS_MAX`], [`SESSIONS_MAX`], [`JOBS_MAX`]; beyond them requests are
//! refused and connections closed. Slow readers: see [`crate::wire`].

mod children;
mod clients;
mod containers;
mod events;
mod jobs;
mod requests;
mod sessions;
mod streams;
mod timers;

use std::{
    collections::BTreeMap,
    fs::File,
    io::Write,
    os::{
        fd::{AsFd, BorrowedFd},
        unix::net::UnixListener,
    },
};

use nix::{
    errno::Errno,
    fcntl::Flock,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        signal::{SigSet, Signal},
        signalfd::{SfdFlags, SignalFd},
    },
};
use nodes_oci::paths::PodPaths;

use self::{
    children::Strays,
    clients::{Client, ReplyTo},
    containers::Container,
    events::Events,
    jobs::Job,
    sessions::{Session, SessionKey},
    timers::Timers,
};
use crate::{
    clock,
    runtime::Runtime,
    state::{self, PodState},
    wire::{OutputStream, PodStatus, ShimInfo},
};

/// Connections at a time: an agent, its streams, and some to look.
const CLIENTS_MAX: usize = 64;
/// Containers at a time, ended ones included until they are deleted.
const CONTAINERS_MAX: usize = 128;
/// Open streams at a time.
const SESSIONS_MAX: usize = 128;
/// Helper processes at a time.
const JOBS_MAX: usize = 32;

/// One pod's shim.
pub(crate) struct Server {
    paths: PodPaths,
    info: ShimInfo,
    runtime: Box<dyn Runtime>,
    listener: UnixListener,
    _lock: Flock<File>,
    signals: SignalFd,
    timers: Timers,
    clients: BTreeMap<u32, Client>,
    next_client: u32,
    containers: BTreeMap<String, Container>,
    sessions: BTreeMap<SessionKey, Session>,
    jobs: BTreeMap<u64, Job>,
    next_job: u64,
    strays: Strays,
    events: Events,
    /// Those who wait until no container runs.
    stopping: Vec<ReplyTo>,
    closing: Closing,
    /// Why nothing may be created or started any more: the pod was killed and must be rebuilt by its agent.
    doom: Option<&'static str>,
}

/// How far the shim's own end has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Closing {
    No,
    /// [`crate::wire::Request::Shutdown`] is being carried out.
    Requested,
    /// All is removed; the loop ends when the answer to this client is written.
    Done(u32),
}

/// What a descriptor in the poll belongs to.
#[derive(Debug, Clone)]
enum Token {
    Listener,
    Signals,
    Timer,
    Client(u32),
    Job(u64),
    Output(Owner, OutputStream),
    Input(Owner),
}

/// Whose streams.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Owner {
    Container(String),
    Session(SessionKey),
}

impl Server {
    /// Takes over what the start has made; from here on SIGCHLD is read, not delivered.
    pub(crate) fn open(
        paths: PodPaths,
        info: ShimInfo,
        runtime: Box<dyn Runtime>,
        (listener, lock): (UnixListener, Flock<File>),
    ) -> Result<Self, String> {
        let failed = |errno: nix::Error| format!("cannot watch children and timers: {errno}");
        let mut mask = SigSet::empty();
        mask.add(Signal::SIGCHLD);
        mask.thread_block().map_err(failed)?;
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        let signals = SignalFd::with_flags(&mask, flags).map_err(failed)?;
        let server = Self {
            paths,
            info,
            runtime,
            listener,
            _lock: lock,
            signals,
            timers: Timers::open().map_err(failed)?,
            clients: BTreeMap::new(),
            next_client: 0,
            containers: BTreeMap::new(),
            sessions: BTreeMap::new(),
            jobs: BTreeMap::new(),
            next_job: 0,
            strays: Strays::default(),
            events: Events::default(),
            stopping: Vec::new(),
            closing: Closing::No,
            doom: None,
        };
        server.save_state();
        Ok(server)
    }

    /// Serves until it is asked to end; the process's exit code.
    pub(crate) fn run(mut self) -> i32 {
        self.timers.plan_settling();
        // What ended before SIGCHLD was watched is not announced any more.
        self.reap_children();
        loop {
            if let Closing::Done(client) = self.closing
                && self.clients.get(&client).is_none_or(|client| client.backlog() == 0)
            {
                return 0;
            }
            self.arm_timer();
            match self.wait() {
                Ok(ready) => {
                    // Before anything else: this machine may have stood still until now.
                    self.enforce_deadline();
                    for (token, flags) in ready {
                        self.handle(&token, flags);
                    }
                }
                Err(Errno::EINTR) => {}
                Err(errno) => {
                    note(&format!("cannot poll: {errno}"));
                    return 1;
                }
            }
            self.close_broken_clients();
            self.strays.forget_unless(!self.jobs.is_empty());
        }
    }

    fn wait(&self) -> nix::Result<Vec<(Token, PollFlags)>> {
        let mut watched = Vec::new();
        self.watch(&mut |token, fd, flags| watched.push((token, PollFd::new(fd, flags))));
        let (tokens, mut fds): (Vec<Token>, Vec<PollFd<'_>>) = watched.into_iter().unzip();
        poll(&mut fds, PollTimeout::NONE)?;
        let flags = fds.iter().map(|fd| fd.revents().unwrap_or(PollFlags::empty()));
        Ok(tokens.into_iter().zip(flags).filter(|(_, flags)| !flags.is_empty()).collect())
    }

    /// Names every descriptor that the next poll is about.
    fn watch<'a>(&'a self, add: &mut dyn FnMut(Token, BorrowedFd<'a>, PollFlags)) {
        let input = PollFlags::POLLIN;
        if self.clients.len() < CLIENTS_MAX {
            add(Token::Listener, self.listener.as_fd(), input);
        }
        add(Token::Signals, self.signals.as_fd(), input);
        add(Token::Timer, self.timers.as_fd(), input);
        for (id, job) in &self.jobs {
            add(Token::Job(*id), job.helper.as_fd(), input);
        }
        for (id, client) in &self.clients {
            let mut flags = PollFlags::empty();
            flags.set(input, !self.is_input_full(*id));
            flags.set(PollFlags::POLLOUT, client.backlog() > 0);
            add(Token::Client(*id), client.as_fd(), flags);
        }
        for (id, container) in &self.containers {
            container.io.watch(true, &|| Owner::Container(id.clone()), add);
        }
        for (key, session) in &self.sessions {
            let has_room = self.clients.get(&key.client).is_some_and(Client::has_room);
            // Nothing is read before the command is known to run: what it says comes behind `Done`.
            let reads = has_room && session.has_begun();
            session.io.watch(reads, &|| Owner::Session(*key), add);
        }
    }

    fn handle(&mut self, token: &Token, flags: PollFlags) {
        match token {
            Token::Listener => self.accept(),
            Token::Signals => self.reap_children(),
            Token::Timer => self.handle_timer(),
            Token::Client(id) => self.handle_client(*id, flags),
            Token::Job(id) => self.poll_job(*id),
            Token::Output(owner, stream) => self.read_output(owner, *stream),
            Token::Input(owner) => {
                if let Some(io) = self.io(owner) {
                    io.flush_input();
                }
            }
        }
    }

    fn io(&mut self, owner: &Owner) -> Option<&mut streams::Io> {
        match owner {
            Owner::Container(id) => self.containers.get_mut(id).map(|container| &mut container.io),
            Owner::Session(key) => self.sessions.get_mut(key).map(|session| &mut session.io),
        }
    }

    /// Kills the containers for good: neither those that exist nor those under way live on.
    fn doom(&mut self, reason: &'static str) {
        note(&format!("{reason}: the pod is killed"));
        self.doom.get_or_insert(reason);
        self.signal_containers(Signal::SIGKILL);
    }

    fn status(&self) -> PodStatus {
        PodStatus {
            info: self.info.clone(),
            containers: self.containers.values().map(|c| c.status.clone()).collect(),
            deadline: self.timers.deadline,
            last_event: self.events.last(),
        }
    }

    /// Leaves an account for the agent, should this process be killed.
    fn save_state(&self) {
        let containers = self.containers.values().map(|c| c.status.clone()).collect();
        let state = PodState { shim: self.info.clone(), containers };
        if let Err(error) = state::write(&self.paths.state(), &state) {
            note(&format!("cannot write state.json: {error}"));
        }
    }
}

/// A line in the shim's own log, which is its standard error.
fn note(text: &str) {
    // The disk may be full; the shim goes on.
    writeln!(std::io::stderr(), "{} {text}", clock::stamp(clock::now().wall)).ok();
}
