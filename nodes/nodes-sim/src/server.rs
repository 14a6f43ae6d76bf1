//! One server: a voter's replica of the store, the door in front of it, watches, and what runs
//! while it leads.
//!
//! Way in: [`Server::open`], [`Server::handle`].
//! Owns: the Raft machine, the state, the catalog; requests and watches that are open; the control
//! loops.
//! Time and order: a client is answered when its entry is applied here; the parts of a server tell
//! each other through one queue ([`Inner`]), so that the effects of the Raft machine keep their
//! order.

mod control;
mod founding;
mod gate;
mod grant;
mod images;
mod loops;
mod replica;
mod streams;
mod watching;

use std::collections::VecDeque;

use actors_controller::HostEvent;
use actors_core::{Correlation, Effects, Mono, Now, Rng};
use actors_sim::{NodeId, SimDisk};
use nodes_door::Request;
use store_mvcc::{Outcome, Token};
use store_raft::{RaftEvent, Refusal, RoleView};

use self::{
    control::{Control, News},
    gate::Gate,
    grant::Grant,
    loops::LoopEvent,
    streams::Streams,
    watching::Watching,
};
pub(crate) use self::{
    founding::foundation,
    replica::{OpenError, Replica},
};
use crate::{
    config::Shared,
    event::{Effect, Local, Message},
    hollow::Hollow,
    mesh::Mesh,
    record::Record,
};

/// What a node's machines are lent for one event.
pub(crate) struct Ctx<'a> {
    pub(crate) now: Now,
    /// The true time, for the record only.
    pub(crate) time: Mono,
    pub(crate) rng: &'a mut Rng,
    pub(crate) shared: &'a Shared,
    pub(crate) record: &'a mut Record,
    /// What runs on the machine, if pods do.
    pub(crate) hollow: &'a mut Hollow,
    pub(crate) out: &'a mut Effects<Effect>,
}

impl Ctx<'_> {
    pub(crate) fn send(&mut self, to: NodeId, message: Message) {
        self.out.push(Effect::Send { to, message });
    }

    pub(crate) fn at(&mut self, at: Mono, local: Local) {
        self.out.push(Effect::At { at, local });
    }
}

/// A server that is up.
pub(crate) struct Server {
    me: NodeId,
    replica: Replica,
    gate: Gate,
    streams: Streams,
    grant: Grant,
    control: Option<Control>,
    mesh: Mesh,
    watching: Watching,
    inbox: VecDeque<Inner>,
}

/// What the parts of a server tell each other.
enum Inner {
    Raft(RaftEvent),
    ReadReady {
        id: Correlation,
        index: u64,
    },
    Refused {
        id: Correlation,
        refusal: Refusal,
    },
    Role(RoleView),
    /// Entries were applied and published.
    Published {
        outcomes: Vec<(Token, Outcome)>,
    },
    /// The state was replaced as a whole.
    Reloaded,
    Ask {
        origin: Origin,
        request: Box<Request>,
    },
    Host {
        epoch: u64,
        host: usize,
        event: Box<LoopEvent>,
    },
    /// For all control loops that hear of it.
    Hosts {
        epoch: u64,
        news: News,
    },
}

/// Who waits for an answer of the door.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Origin {
    /// A node.
    Remote { node: NodeId, id: u64 },
    /// An item of a controller's plan.
    Plan { epoch: u64, host: usize, plan: Correlation, item: usize, revision: u64 },
    /// The objects that every cluster has.
    Bootstrap { epoch: u64 },
}

impl Server {
    /// How often late requests and quiet watches are looked for.
    const SWEEP_MS: u64 = 100;
    /// How often the state is made durable.
    const FLUSH_MS: u64 = 700;

    /// A server that continues from its disk.
    ///
    /// # Errors
    /// Why the disk cannot be used; a text that begins with `damaged` is a violation.
    pub(crate) fn open(
        me: NodeId,
        disk: &SimDisk,
        shared: &Shared,
        mesh: Mesh,
    ) -> Result<Self, OpenError> {
        Ok(Self {
            me,
            mesh,
            replica: Replica::open(me, disk, shared)?,
            gate: Gate::default(),
            streams: Streams::default(),
            grant: Grant::default(),
            control: None,
            watching: Watching::default(),
            inbox: VecDeque::new(),
        })
    }

    /// The timers of a new life.
    pub(crate) fn begin(now: Now, rng: &mut Rng) -> Vec<(Mono, Local)> {
        let soon = |ms| now.mono.after(std::time::Duration::from_millis(ms));
        vec![
            (soon(rng.below(50)), Local::RaftTick),
            (soon(rng.below(Self::SWEEP_MS)), Local::Sweep),
            (soon(Self::FLUSH_MS), Local::Flush),
            (soon(rng.below(500)), Local::LinkLook),
        ]
    }

    pub(crate) fn handle_message(&mut self, ctx: &mut Ctx<'_>, from: NodeId, message: Message) {
        match message {
            Message::Raft(bytes) => {
                let from = replica::raft_id(from);
                self.inbox.push_back(Inner::Raft(RaftEvent::Message { from, bytes: bytes.0 }));
            }
            Message::Image { image, frame } => self.take_image(ctx, from, image, frame.0),
            Message::ImageTaken => self.image_taken(from),
            Message::Propose { token, data } => self.propose_for(from, token, data.0),
            Message::NotProposed { token } => self.gate.retry_soon(token, ctx.now.mono),
            Message::Ask { id, request } => {
                let (origin, request) = (Origin::Remote { node: from, id }, request.0);
                self.inbox.push_back(Inner::Ask { origin, request });
            }
            Message::Unwatch { id } => self.streams.close(from, id),
            Message::Mesh { life, word } => {
                self.mesh.handle_word(ctx, from, (life, *word));
                self.hear_mesh(ctx);
            }
            Message::Answer { .. } | Message::Watched { .. } => {}
        }
        self.work(ctx);
    }

    pub(crate) fn handle_local(&mut self, ctx: &mut Ctx<'_>, local: Local) {
        match local {
            Local::RaftTick => {
                ctx.at(ctx.now.mono.after(store_raft::RaftConfig::TICK), Local::RaftTick);
                self.inbox.push_back(Inner::Raft(RaftEvent::Tick));
            }
            Local::Synced { number } => {
                self.inbox.push_back(Inner::Raft(RaftEvent::Persisted { number }));
            }
            Local::LogFailed { number, error } => {
                self.inbox.push_back(Inner::Raft(RaftEvent::PersistFailed { number, error }));
            }
            Local::Apply => self.apply_next(ctx),
            Local::Install { number, index } => self.install(ctx, number, index),
            Local::ImageLost { to } => self.image_lost(to),
            Local::Flush => self.flush(ctx),
            Local::Flushed { index } => {
                self.inbox.push_back(Inner::Raft(RaftEvent::Flushed { index }));
            }
            Local::Sweep => {
                let wait = std::time::Duration::from_millis(Self::SWEEP_MS);
                ctx.at(ctx.now.mono.after(wait), Local::Sweep);
                self.sweep_asks(ctx);
                self.sweep_streams(ctx);
                self.sweep_control(ctx);
            }
            Local::MemberTick | Local::CarrierTick | Local::LinkLook => {
                self.mesh.handle_local(ctx, &local);
                self.hear_mesh(ctx);
            }
            Local::LoopTimer { epoch, host } => {
                let event = Box::new(LoopEvent::Common(HostEvent::Timer));
                self.inbox.push_back(Inner::Host { epoch, host, event });
            }
            Local::Boot
            | Local::Nothing
            | Local::Beat
            | Local::FenceWake
            | Local::PodWake { .. }
            | Local::NextOperation => {}
        }
        self.work(ctx);
    }

    /// Goes on until no part has anything to tell another.
    fn work(&mut self, ctx: &mut Ctx<'_>) {
        while let Some(inner) = self.inbox.pop_front() {
            match inner {
                Inner::Raft(event) => self.handle_raft(ctx, event),
                Inner::ReadReady { id, index } => self.read_ready(ctx, id, index),
                Inner::Refused { id, refusal } => self.refused(ctx, id, refusal),
                Inner::Role(role) => self.take_role(ctx, role),
                Inner::Published { outcomes } => {
                    for (token, outcome) in outcomes {
                        self.take_grant(ctx, token, &outcome);
                        self.settle(ctx, token, &outcome);
                    }
                    self.go_on_reading(ctx);
                    self.feed_control();
                    self.feed_watching(ctx);
                    self.feed_streams(ctx);
                }
                Inner::Reloaded => {
                    self.go_on_reading(ctx);
                    self.feed_watching(ctx);
                    self.feed_streams(ctx);
                }
                Inner::Ask { origin, request } => self.submit(ctx, origin, *request),
                Inner::Host { epoch, host, event } => self.handle_host(ctx, (epoch, host), *event),
                Inner::Hosts { epoch, news } => self.handle_hosts(ctx, epoch, &news),
            }
        }
    }

    pub(crate) fn replica(&self) -> &Replica {
        &self.replica
    }

    pub(crate) fn replica_mut(&mut self) -> &mut Replica {
        &mut self.replica
    }

    /// What this server's control loops last did.
    pub(crate) fn recent(&self) -> Vec<String> {
        self.control.as_ref().map(Control::recent).unwrap_or_default()
    }

    /// Whether this server leads and its control loops have nothing to do.
    pub(crate) fn is_control_quiet(&self) -> Option<bool> {
        self.control.as_ref().map(Control::is_quiet)
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("me", &self.me).finish_non_exhaustive()
    }
}
