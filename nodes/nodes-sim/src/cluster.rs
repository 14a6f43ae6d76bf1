//! The whole cluster as one simulated world: which node is what, and the drivers of all machines.
//!
//! Way in: [`Cluster`], a [`World`].  Owns: nodes, and the record of what they did.
//! Never: a decision of a machine; drivers write, send and wait.

use std::time::Duration;

use actors_core::{
    Effects, Mono, Turn,
    ports::{DiskError, LogRecord, LogStore},
};
use actors_kinds::facts::TableError;
use actors_sim::{Host, NodeId, SimLog, SimTime, World, buggify};
use nodes_pods::PodEvent;

use crate::{
    agent::Agent,
    client::Client,
    config::{ClusterConfig, Planted, Shared},
    event::{Effect, Event, Guard, Local, Message},
    hollow::{Hollow, Site},
    knobs::Knobs,
    mesh::Mesh,
    record::Record,
    report::Invariant,
    server::{Ctx, OpenError, Server},
    sites::Point,
};

/// A simulated cluster.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) shared: Shared,
    pub(crate) record: Record,
    nodes: Nodes,
}

/// All nodes, by their numbers.
#[derive(Debug)]
struct Nodes(Vec<Node>);

impl Nodes {
    fn get(&self, id: NodeId) -> Option<&Node> {
        self.0.get(id.0 as usize)
    }

    fn get_mut(&mut self, id: NodeId) -> Option<&mut Node> {
        self.0.get_mut(id.0 as usize)
    }

    fn iter(&self) -> impl Iterator<Item = (NodeId, &Node)> {
        (0..).map(NodeId).zip(&self.0)
    }
}

#[derive(Debug, Default)]
struct Node {
    /// Rises with each start of the node's process; events of earlier lives are dropped.
    life: u64,
    role: Role,
    /// What runs here, whether an agent is there or not.
    hollow: Hollow,
    /// Until when the machine stands still, in true time.
    frozen: Option<Mono>,
}

#[derive(Debug, Default)]
enum Role {
    /// The process is not there.
    #[default]
    Down,
    Server(Box<Server>),
    Agent(Box<Agent>),
    Client(Box<Client>),
}

impl Cluster {
    /// A cluster of which no node is up yet.
    ///
    /// # Errors
    /// If the tables of kinds cannot be read.
    pub(crate) fn new(config: ClusterConfig, knobs: Knobs) -> Result<Self, TableError> {
        let nodes = Nodes((0..config.nodes()).map(|_| Node::default()).collect());
        Ok(Self { shared: Shared::new(config, knobs)?, record: Record::default(), nodes })
    }

    pub(crate) fn servers(&self) -> impl Iterator<Item = (NodeId, &Server)> {
        self.nodes.iter().filter_map(|(id, node)| match &node.role {
            Role::Server(server) => Some((id, server.as_ref())),
            _ => None,
        })
    }

    pub(crate) fn clients(&self) -> impl Iterator<Item = &Client> {
        self.nodes.iter().filter_map(|(_, node)| match &node.role {
            Role::Client(client) => Some(client.as_ref()),
            _ => None,
        })
    }

    /// Clients begin nothing new.
    pub(crate) fn rest(&mut self) {
        for node in &mut self.nodes.0 {
            if let Role::Client(client) = &mut node.role {
                client.rest();
            }
        }
    }

    /// The server that leads the newest term, if it is up.
    pub(crate) fn leader(&self) -> Option<NodeId> {
        let leading = self.servers().filter(|(_, server)| server.replica().is_leader());
        leading.max_by_key(|(_, server)| server.replica().role().term).map(|(id, _)| id)
    }

    /// Starts the process of a node.
    fn boot(&mut self, id: NodeId, host: &mut Host<'_, Event>) {
        let config = &self.shared.config;
        let now = host.now();
        let soon = |ms: u64| now.mono.after(Duration::from_millis(ms));
        let Some(node) = self.nodes.get_mut(id) else { return };
        node.life += 1;
        let life = node.life;
        let mut timers = Vec::new();
        node.role = if config.is_server(id) {
            let mesh = Mesh::new(id, life, config, now);
            match Server::open(id, &host.disk(), &self.shared, mesh) {
                Ok(server) => {
                    server.replica().share(&mut self.record.versions);
                    timers = Server::begin(now, host.rng());
                    Role::Server(Box::new(server))
                }
                Err(error) => {
                    if let OpenError::Damaged(why) = &error {
                        let what = format!("server {} cannot start: {why}", id.0);
                        self.record.violation(Invariant::DiskHolds, what);
                    }
                    timers.push((soon(400), Local::Boot));
                    Role::Down
                }
            }
        } else if config.agent_ids().any(|agent| agent == id) {
            timers.push((soon(host.rng().below(100)), Local::Beat));
            timers.push((soon(host.rng().below(500)), Local::LinkLook));
            let agent = Agent::new(id, config, Mesh::new(id, life, config, now), life);
            Role::Agent(Box::new(agent))
        } else {
            timers.push((soon(host.rng().below(100)), Local::Beat));
            timers.push((soon(host.rng().between(1_000, 2_000)), Local::NextOperation));
            Role::Client(Box::new(Client::new(id)))
        };
        for (at, local) in timers {
            host.at(at, Event::Local { life, local });
        }
    }

    /// A machine stands still until then.
    pub(crate) fn freeze(&mut self, id: NodeId, until: Mono) {
        if let Some(node) = self.nodes.get_mut(id) {
            node.frozen = Some(until);
            self.record.fences.freeze(id, true);
        }
    }

    /// Whether the process of a machine is there.
    pub(crate) fn has_process(&self, id: NodeId) -> bool {
        self.nodes.get(id).is_some_and(|node| !matches!(node.role, Role::Down))
    }

    /// What happens to the machine itself, not to the process on it; true if it was that.
    fn deliver_machine(
        &mut self,
        id: NodeId,
        event: &Event,
        turn: &mut Turn<'_>,
        out: &mut Effects<Effect>,
    ) -> bool {
        let Some(node) = self.nodes.get_mut(id) else { return false };
        match event {
            Event::Guard(Guard::Lost) => {
                node.role = Role::Down;
                node.life += 1;
            }
            Event::Guard(Guard::Start) => {
                if matches!(node.role, Role::Down) {
                    out.push(Effect::Boot);
                }
            }
            Event::Machine { life, uid, event } => {
                if life.is_some_and(|life| life != node.life) {
                    return true;
                }
                let fences = &mut self.record.fences;
                let mut site = Site { me: id, now: turn.now, fences };
                if node.hollow.take(uid, &event.0, &mut site) {
                    self.tell_agent(id, (uid, *event.0.clone()), turn, out);
                }
            }
            Event::Fence { uid } => self.fall(id, std::slice::from_ref(uid), turn, out),
            Event::Frame { .. } | Event::Local { .. } => return false,
        }
        self.record.judge_fences();
        true
    }

    /// A machine goes on. Its shims come first: their deadlines passed before anything else that
    /// waits.
    fn thaw(&mut self, id: NodeId, turn: &mut Turn<'_>, out: &mut Effects<Effect>) {
        let Some(node) = self.nodes.get_mut(id) else { return };
        node.frozen = None;
        let uids: Vec<String> = node.hollow.uids().cloned().collect();
        self.fall(id, &uids, turn, out);
        self.record.fences.freeze(id, false);
        self.record.judge_fences();
    }

    /// Shims look at their deadlines.
    fn fall(
        &mut self,
        id: NodeId,
        uids: &[String],
        turn: &mut Turn<'_>,
        out: &mut Effects<Effect>,
    ) {
        if self.shared.config.has(Planted::IgnoredDeadline) {
            return;
        }
        for uid in uids {
            let Some(node) = self.nodes.get_mut(id) else { return };
            let fences = &mut self.record.fences;
            let mut site = Site { me: id, now: turn.now, fences };
            if let Some(attempt) = node.hollow.fall(uid, &mut site) {
                self.tell_agent(id, (uid, PodEvent::Fenced { attempt }), turn, out);
            }
        }
    }

    fn tell_agent(
        &mut self,
        id: NodeId,
        (uid, event): (&str, PodEvent),
        turn: &mut Turn<'_>,
        out: &mut Effects<Effect>,
    ) {
        let (now, time) = (turn.now, self.record.time);
        let Some(Node { role: Role::Agent(agent), hollow, .. }) = self.nodes.get_mut(id) else {
            return;
        };
        let (shared, record) = (&self.shared, &mut self.record);
        let mut ctx = Ctx { now, time, rng: &mut *turn.rng, shared, record, hollow, out };
        agent.handle_pod(&mut ctx, uid, event);
    }

    /// The driver of a server's log: writes at once, one sync at a time.
    fn write_log(&mut self, id: NodeId, effect: Effect, host: &mut Host<'_, Event>) {
        let (life, time) = (self.nodes.get(id).map_or(0, |node| node.life), self.record.time);
        let planted = self.shared.config.has(Planted::AckBeforeSync);
        let Some(Node { role: Role::Server(server), .. }) = self.nodes.get_mut(id) else { return };
        let replica = server.replica_mut();
        match effect {
            Effect::Persist { number, records, head } => {
                let split = buggify!(host, Point::LogAppendSplit);
                let appended = append(&mut replica.log, &records, split);
                let written = appended.and_then(|()| match &head {
                    Some(head) => replica.log.set_head(&head.0),
                    None => Ok(()),
                });
                if let Err(error) = written {
                    if matches!(error, DiskError::Full(_)) {
                        self.record.disk.entry(id).or_default().full.push((time, time));
                    }
                    let local = Local::LogFailed { number, error };
                    return host.after(Duration::ZERO, Event::Local { life, local });
                }
                replica.written = number;
                if planted {
                    host.after(
                        Duration::ZERO,
                        Event::Local { life, local: Local::Synced { number } },
                    );
                }
                if replica.syncing.is_none() {
                    begin_sync(replica, (number, time), life, host);
                }
            }
            Effect::Truncate { below } => {
                // What stays longer than needed does no harm.
                let _kept = replica.log.truncate_below(below);
            }
            _ => {}
        }
    }

    /// The end of a sync: the next one begins if something was written meanwhile.
    fn end_sync(&mut self, id: NodeId, number: u64, out: &mut Effects<Effect>) -> bool {
        let time = self.record.time;
        let Some(Node { role: Role::Server(server), .. }) = self.nodes.get_mut(id) else {
            return false;
        };
        let replica = server.replica_mut();
        let Some((under_way, began)) = replica.syncing.take() else { return true };
        if time.since(began) > Duration::from_millis(15) {
            self.record.disk.entry(id).or_default().slow.push((began, time));
        }
        if replica.written > under_way.max(number) {
            out.push(Effect::SyncLog { number: replica.written });
        }
        true
    }
}

fn begin_sync(
    replica: &mut crate::server::Replica,
    (number, time): (u64, Mono),
    life: u64,
    host: &mut Host<'_, Event>,
) {
    replica.syncing = Some((number, time));
    let error = DiskError::Other("the sync failed".to_owned());
    let done = Event::Local { life, local: Local::Synced { number } };
    let failed = Event::Local { life, local: Local::LogFailed { number, error } };
    host.sync(done, failed);
}

/// How often a message is sent: once, unless the seed says that its sender is one of those who make
/// mistakes.
fn copies(message: &Message, host: &mut Host<'_, Event>) -> usize {
    match message {
        Message::Answer { .. } if buggify!(host, Point::AnswerLost) => 0,
        Message::Watched { .. } if buggify!(host, Point::WatchedLost) => 0,
        Message::NotProposed { .. } if buggify!(host, Point::NotProposedLost) => 0,
        Message::Propose { .. } if buggify!(host, Point::ProposeTwice) => 2,
        Message::Image { .. } if buggify!(host, Point::ImageLost) => 0,
        Message::ImageTaken if buggify!(host, Point::ImageTakenLost) => 0,
        _ => 1,
    }
}

/// How much later a timer comes, if the seed says that this node is short of time.
fn lateness(local: &Local, host: &mut Host<'_, Event>) -> Duration {
    let late_ms = match local {
        Local::RaftTick if buggify!(host, Point::RaftTickLate) => 70,
        Local::Sweep if buggify!(host, Point::SweepLate) => 250,
        Local::Beat if buggify!(host, Point::BeatLate) => 300,
        Local::Flush if buggify!(host, Point::FlushLate) => 900,
        Local::LoopTimer { .. } if buggify!(host, Point::LoopTimerLate) => 400,
        _ => 0,
    };
    Duration::from_millis(late_ms)
}

/// Appends at once, or record by record if the seed says so: a crash may then tear between them.
fn append(log: &mut SimLog, records: &[LogRecord], split: bool) -> Result<(), DiskError> {
    if !split {
        return log.append(records);
    }
    records.chunks(1).try_for_each(|record| log.append(record))
}

impl World for Cluster {
    type Event = Event;
    type Effect = Effect;

    fn start(&mut self, node: NodeId, host: &mut Host<'_, Event>) {
        self.boot(node, host);
    }

    fn look_at(&mut self, time: SimTime) {
        self.record.time = Mono(time.0);
    }

    fn crash(&mut self, node: NodeId) {
        if let Some(down) = self.nodes.get_mut(node) {
            down.role = Role::Down;
            down.life += 1;
            down.frozen = None;
            down.hollow.go_dark(node, &mut self.record.fences);
            self.record.fences.freeze(node, false);
        }
    }

    fn deliver(&mut self, id: NodeId, event: Event, mut turn: Turn<'_>, out: &mut Effects<Effect>) {
        let (now, time) = (turn.now, self.record.time);
        let frozen = self.nodes.get(id).and_then(|node| node.frozen);
        if let Some(until) = frozen.filter(|until| *until > time) {
            return out.push(Effect::Frozen { span: until.since(time), event: Box::new(event) });
        }
        if frozen.is_some() {
            self.thaw(id, &mut turn, out);
        }
        if self.deliver_machine(id, &event, &mut turn, out) {
            return;
        }
        match &event {
            Event::Local { life, .. }
                if self.nodes.get(id).is_none_or(|node| node.life != *life) =>
            {
                return;
            }
            Event::Local { local: Local::Boot, .. } => return out.push(Effect::Boot),
            Event::Local { local: Local::Synced { number }, .. } => {
                self.end_sync(id, *number, out);
            }
            Event::Local { local: Local::LogFailed { .. }, .. } => {
                self.record.disk.entry(id).or_default().failed.push((time, time));
            }
            Event::Frame { from, number, message } => {
                let first = self.record.wire.receive(*from, id, *number, time);
                // Raft bears repeated frames; everything else travels over connections that drop
                // them.
                if !first && !matches!(message, Message::Raft(_)) {
                    return;
                }
            }
            Event::Local { .. } | Event::Machine { .. } | Event::Fence { .. } | Event::Guard(_) => {
            }
        }
        let Some(node) = self.nodes.get_mut(id) else { return };
        let (shared, record, hollow) = (&self.shared, &mut self.record, &mut node.hollow);
        let mut ctx = Ctx { now, time, rng: turn.rng, shared, record, hollow, out };
        match (&mut node.role, event) {
            (Role::Server(server), Event::Frame { from, message, .. }) => {
                server.handle_message(&mut ctx, from, message);
            }
            (Role::Server(server), Event::Local { local, .. }) => {
                server.handle_local(&mut ctx, local)
            }
            (Role::Agent(agent), Event::Frame { from, message, .. }) => {
                agent.handle_message(&mut ctx, from, message);
            }
            (Role::Agent(agent), Event::Local { local, .. }) => agent.handle_local(&mut ctx, local),
            (Role::Client(client), Event::Frame { from, message, .. }) => {
                client.handle_message(&mut ctx, from, message);
            }
            (Role::Client(client), Event::Local { local, .. }) => {
                client.handle_local(&mut ctx, local)
            }
            (Role::Down, _)
            | (_, Event::Machine { .. } | Event::Fence { .. } | Event::Guard(_)) => {}
        }
    }

    fn carry_out(&mut self, id: NodeId, effect: Effect, host: &mut Host<'_, Event>) {
        let time = self.record.time;
        let life = self.nodes.get(id).map_or(0, |node| node.life);
        match effect {
            Effect::Send { to, message } => {
                let copies = copies(&message, host);
                if copies > 1 {
                    let number = self.record.wire.send(id, to, time);
                    host.send(to, Event::Frame { from: id, number, message: message.clone() });
                }
                if copies > 0 {
                    let number = self.record.wire.send(id, to, time);
                    host.send(to, Event::Frame { from: id, number, message });
                }
            }
            Effect::At { at, local } => {
                let at = at.after(lateness(&local, host));
                host.at(at, Event::Local { life, local });
            }
            Effect::After { span, local } => {
                let slow = buggify!(host, Point::EndLate);
                let span = if slow { span + Duration::from_millis(40) } else { span };
                host.after(span, Event::Local { life, local });
            }
            Effect::Persist { .. } | Effect::Truncate { .. } => self.write_log(id, effect, host),
            Effect::SyncLog { number } => {
                if let Some(Node { role: Role::Server(server), .. }) = self.nodes.get_mut(id) {
                    begin_sync(server.replica_mut(), (number, time), life, host);
                }
            }
            Effect::SyncState { index } => {
                let done = Event::Local { life, local: Local::Flushed { index } };
                let failed = Event::Local { life, local: Local::Nothing };
                host.sync(done, failed);
            }
            Effect::Machine { span, uid, event, needs_agent } => {
                let slow = buggify!(host, Point::EndLate);
                let span = if slow { span + Duration::from_millis(40) } else { span };
                let life = needs_agent.then_some(life);
                host.after(span, Event::Machine { life, uid, event });
            }
            Effect::FenceAt { at, uid } => host.at(at, Event::Fence { uid }),
            Effect::Frozen { span, event } => host.after(span, *event),
            Effect::Restart => {
                if let Some(node) = self.nodes.get_mut(id) {
                    node.role = Role::Down;
                    node.life += 1;
                    let event = Event::Local { life: node.life, local: Local::Boot };
                    host.after(Duration::from_millis(300), event);
                }
            }
            Effect::Boot => self.boot(id, host),
        }
    }
}
