//! Membership of one process: its machine, its carrier, and the links that both believe to have.
//!
//! Way in: [`Mesh::handle_word`], [`Mesh::handle_local`].  Owns: what this process believes of
//! others. A link is up while something comes over it: who is silent for longer than a real link
//! would bear is down; who speaks from a later life than before has been restarted.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use actors_core::{Effects, Machine, Mono, Now, Turn, Wall};
use actors_sim::NodeId;
use mesh_member::{
    CarrierCommand, LinkChange, LinkEnd, MemberEffect, MemberEvent, MemberInfo, MemberMessage,
    MemberView, MembershipMachine, SeededCarrier, SeededEffect, SeededEvent, SeededMessage,
};
use mesh_wire::Role;
use serde::{Serialize, Serializer};

use crate::{
    config::ClusterConfig,
    event::{Local, Message},
    server::Ctx,
};

/// What members say to each other.
#[derive(Debug, Clone)]
pub(crate) enum Word {
    /// Machine to machine.
    Member(MemberMessage),
    /// Carrier to carrier.
    Carrier(SeededMessage),
}

/// As the trace sees it: of digests, which say the same nearly always, their sums.
impl Serialize for Word {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Member(message) => (b'm', message).serialize(serializer),
            Self::Carrier(SeededMessage::Digest { known }) => {
                (b'd', known.sum()).serialize(serializer)
            }
            Self::Carrier(SeededMessage::Reply { known, infos }) => {
                (b'r', known.sum(), infos).serialize(serializer)
            }
            Self::Carrier(SeededMessage::Infos(infos)) => (b'i', infos).serialize(serializer),
        }
    }
}

/// Membership as one process has it.
#[derive(Debug)]
pub(crate) struct Mesh {
    me: String,
    /// Of the process.
    life: u64,
    machine: MembershipMachine,
    carrier: SeededCarrier,
    links: BTreeMap<NodeId, Link>,
    /// The newest view, until somebody took it.
    news: Option<Vec<MemberView>>,
    queue: VecDeque<Input>,
    config: ClusterConfig,
}

#[derive(Debug)]
struct Link {
    peer: String,
    life: u64,
    is_up: bool,
    heard: Mono,
    /// When it was probed last.
    probed: Option<Mono>,
}

#[derive(Debug)]
enum Input {
    Member(MemberEvent),
    Carrier(SeededEvent),
}

impl Mesh {
    /// A link that is silent for so long is down.
    const IDLE: Duration = Duration::from_secs(3);
    /// How often silent links are looked for.
    pub(crate) const LOOK: Duration = Duration::from_millis(500);

    pub(crate) fn new(me: NodeId, life: u64, config: &ClusterConfig, now: Now) -> Self {
        let name = name_of(me, config);
        let servers: Vec<String> = config.server_ids().map(|id| name_of(id, config)).collect();
        let mut info = MemberInfo::new(name.clone(), role_of(me, config), now.wall);
        info.member = config.is_server(me).then(|| u64::from(me.0) + 1);
        let mut mesh = Self {
            carrier: SeededCarrier::new(name.clone(), servers.clone()),
            machine: MembershipMachine::new(info.clone()),
            me: name,
            life,
            links: BTreeMap::new(),
            news: None,
            queue: VecDeque::new(),
            config: config.clone(),
        };
        mesh.queue.push_back(Input::Member(MemberEvent::Tick));
        mesh.queue.push_back(Input::Carrier(SeededEvent::Tick));
        mesh.queue.push_back(Input::Carrier(SeededEvent::Command(CarrierCommand::Publish(info))));
        // As a process reads them from its disk.
        let members = config.server_ids().chain(config.agent_ids()).filter(|id| *id != me);
        let known = members
            .map(|id| MemberInfo::new(name_of(id, config), role_of(id, config), Wall(0)))
            .collect();
        mesh.queue.push_back(Input::Member(MemberEvent::Known(known)));
        if config.is_server(me) {
            mesh.queue.push_back(Input::Member(MemberEvent::Voters(servers)));
        }
        mesh
    }

    pub(crate) fn me(&self) -> &str {
        &self.me
    }

    /// The newest view, if there is one that was not taken yet.
    pub(crate) fn take_news(&mut self) -> Option<Vec<MemberView>> {
        self.news.take()
    }

    /// What is believed now.
    pub(crate) fn view(&self, now: Now) -> Vec<MemberView> {
        self.machine.view(now)
    }

    pub(crate) fn handle_local(&mut self, ctx: &mut Ctx<'_>, local: &Local) {
        match local {
            Local::MemberTick => self.queue.push_back(Input::Member(MemberEvent::Tick)),
            Local::CarrierTick => self.queue.push_back(Input::Carrier(SeededEvent::Tick)),
            Local::LinkLook => {
                ctx.at(ctx.now.mono.after(Self::LOOK), Local::LinkLook);
                self.look_for_silence(ctx.now.mono);
            }
            _ => return,
        }
        self.work(ctx);
    }

    pub(crate) fn handle_word(
        &mut self,
        ctx: &mut Ctx<'_>,
        from: NodeId,
        (life, word): (u64, Word),
    ) {
        let peer = ctx.shared.name(from).to_owned();
        self.hear((from, &peer), life, ctx.now.mono);
        self.queue.push_back(match word {
            Word::Member(message) => Input::Member(MemberEvent::Message {
                from: peer,
                role: role_of(from, &self.config),
                message,
            }),
            Word::Carrier(message) => Input::Carrier(SeededEvent::Message { from: peer, message }),
        });
        self.work(ctx);
    }

    fn hear(&mut self, (from, peer): (NodeId, &str), life: u64, now: Mono) {
        let link = self.links.entry(from).or_insert_with(|| Link {
            peer: peer.to_owned(),
            life,
            is_up: false,
            heard: now,
            probed: None,
        });
        let mut changes = Vec::new();
        if link.is_up && life > link.life {
            changes.push(LinkChange::Down { why: LinkEnd::Reset });
            link.is_up = false;
        }
        if !link.is_up {
            changes.push(LinkChange::Up);
        }
        (link.life, link.is_up, link.heard) = (life.max(link.life), true, now);
        for change in changes {
            let peer = peer.to_owned();
            self.queue.push_back(Input::Member(MemberEvent::Link { peer, change }));
        }
    }

    fn look_for_silence(&mut self, now: Mono) {
        let is_silent = |link: &&mut Link| link.is_up && now.since(link.heard) >= Self::IDLE;
        let mut silent: Vec<&mut Link> = self.links.values_mut().filter(is_silent).collect();
        silent.sort_by(|one, other| one.peer.cmp(&other.peer));
        for link in silent {
            link.is_up = false;
            let (peer, change) = (link.peer.clone(), LinkChange::Down { why: LinkEnd::Idle });
            self.queue.push_back(Input::Member(MemberEvent::Link { peer, change }));
        }
    }

    fn work(&mut self, ctx: &mut Ctx<'_>) {
        while let Some(input) = self.queue.pop_front() {
            let turn = Turn { now: ctx.now, rng: &mut *ctx.rng, view: &() };
            match input {
                Input::Member(event) => {
                    let mut out = Effects::default();
                    self.machine.handle(turn, event, &mut out);
                    self.machine.assert_invariants();
                    out.drain().for_each(|effect| self.carry_out(ctx, effect));
                }
                Input::Carrier(event) => {
                    let mut out = Effects::default();
                    self.carrier.handle(turn, event, &mut out);
                    self.carrier.assert_invariants();
                    out.drain().for_each(|effect| self.carry_out_carrier(ctx, effect));
                }
            }
        }
    }

    fn carry_out(&mut self, ctx: &mut Ctx<'_>, effect: MemberEffect) {
        match effect {
            MemberEffect::Carrier(command) => {
                self.queue.push_back(Input::Carrier(SeededEvent::Command(command)));
            }
            MemberEffect::Send { to, message } => self.send(ctx, &to, Word::Member(message)),
            MemberEffect::Wake { at } => ctx.at(at, Local::MemberTick),
            MemberEffect::Probe { peer, begins } => {
                let link = id_of(&peer, &self.config).and_then(|id| self.links.get_mut(&id));
                let Some(link) = link else { return };
                let stirred = !begins && link.probed.is_some_and(|probed| link.heard > probed);
                link.probed = Some(ctx.now.mono);
                if stirred {
                    self.queue.push_back(Input::Member(MemberEvent::Stirred { peer }));
                }
            }
            MemberEffect::Publish(views) => self.news = Some(views),
            MemberEffect::Verdict(verdict) => {
                ctx.record.counts.verdicts +=
                    u64::from(verdict.by == self.me && verdict.state.is_dead());
            }
        }
    }

    fn carry_out_carrier(&mut self, ctx: &mut Ctx<'_>, effect: SeededEffect) {
        match effect {
            SeededEffect::Event(event) => {
                self.queue.push_back(Input::Member(MemberEvent::Carrier(event)));
            }
            SeededEffect::Send { to, message } => self.send(ctx, &to, Word::Carrier(message)),
            SeededEffect::Wake { at } => ctx.at(at, Local::CarrierTick),
        }
    }

    fn send(&self, ctx: &mut Ctx<'_>, to: &str, word: Word) {
        if let Some(to) = id_of(to, &self.config) {
            ctx.send(to, Message::Mesh { life: self.life, word: Box::new(word) });
        }
    }
}

/// The name of a node's machine: as its Node object, if it runs pods.
pub(crate) fn name_of(id: NodeId, config: &ClusterConfig) -> String {
    match role_of(id, config) {
        Role::Server => format!("server-{}", id.0),
        Role::Agent => format!("node-{}", id.0),
    }
}

fn id_of(name: &str, config: &ClusterConfig) -> Option<NodeId> {
    let (role, number) = name.split_once('-')?;
    let id = NodeId(number.parse().ok()?);
    let is_meant = match role_of(id, config) {
        Role::Server => role == "server",
        Role::Agent => role == "node",
    };
    is_meant.then_some(id)
}

fn role_of(id: NodeId, config: &ClusterConfig) -> Role {
    if config.is_server(id) { Role::Server } else { Role::Agent }
}
