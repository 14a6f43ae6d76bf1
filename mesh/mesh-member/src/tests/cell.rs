//! A cell of members on a simulated network, and what they concluded.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use actors_core::{Effects, Machine, Mono, Turn, Wall};
use actors_sim::{Cut, Fault, Host, NetFaults, NodeClock, NodeId, Sim, World};
use mesh_wire::Role;
use serde::{Deserialize, Serialize};

use crate::{
    LinkChange, LinkEnd, MemberEffect, MemberEvent, MemberInfo, MemberState, MemberView,
    MembershipMachine, SeededCarrier, SeededEffect, SeededEvent, Verdict,
};

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Event {
    Member(MemberEvent),
    Carrier(SeededEvent),
    /// A process began and connects; the answer tells it that the link is up.
    Knock {
        from: u32,
        boot: u64,
        is_answer: bool,
    },
    Pause,
    Resume,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Effect {
    Member(MemberEffect),
    Carrier(SeededEffect),
    Answer(u32),
}

/// One process.
pub(super) struct Process {
    machine: MembershipMachine,
    /// The same, but that it looks at everybody with each event.
    twin: MembershipMachine,
    carrier: SeededCarrier,
    boot: u64,
    /// The life of each peer that there is a link to.
    links: BTreeMap<u32, u64>,
}

/// Names, roles, and who votes.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) nodes: Vec<(String, Role)>,
    pub(super) voters: Vec<String>,
}

impl Plan {
    /// `server-1` and so on, all of them voters, and `agent-1` and so on.
    pub(super) fn new(servers: usize, agents: usize) -> Self {
        let servers: Vec<String> = (1..=servers).map(|n| format!("server-{n}")).collect();
        let agents = (1..=agents).map(|n| (format!("agent-{n}"), Role::Agent));
        let nodes =
            servers.iter().cloned().map(|node| (node, Role::Server)).chain(agents).collect();
        Self { nodes, voters: servers }
    }

    fn index(&self, node: &str) -> u32 {
        let place = self.nodes.iter().position(|(name, _)| name == node).expect("a known node");
        u32::try_from(place).expect("few nodes")
    }

    fn name(&self, id: NodeId) -> &str {
        &self.nodes[id.0 as usize].0
    }
}

pub(super) struct Cell {
    pub(super) plan: Plan,
    processes: BTreeMap<u32, Process>,
    paused: BTreeMap<u32, VecDeque<Event>>,
    /// Every verdict, and its end, as each member came to know it.
    pub(super) verdicts: Vec<(Mono, String, Verdict)>,
    /// What each member believes; of its present or last life.
    pub(super) views: BTreeMap<String, Vec<MemberView>>,
    /// When a member was first seen as suspected or lost: (by, of).
    pub(super) doubted: BTreeMap<(String, String), Mono>,
    pub(super) messages: u64,
    pub(super) wakes: u64,
}

impl Process {
    /// Who looks at everybody with each event finds nothing else.
    fn tell(&mut self, event: MemberEvent, turn: Turn<'_>) -> Effects<MemberEffect> {
        let (mut effects, mut found) = (Effects::default(), Effects::default());
        let rng = &mut turn.rng.clone();
        self.twin.stir();
        self.twin.handle(Turn { rng, ..turn }, event.clone(), &mut found);
        self.machine.handle(turn, event, &mut effects);
        self.machine.assert_invariants();
        assert_eq!(effects.as_slice(), found.as_slice());
        effects
    }
}

impl World for Cell {
    type Event = Event;
    type Effect = Effect;

    fn start(&mut self, node: NodeId, host: &mut Host<'_, Event>) {
        let (name, role) = self.plan.nodes[node.0 as usize].clone();
        let seeds: Vec<String> = self.plan.nodes.iter().map(|(name, _)| name.clone()).collect();
        let info = MemberInfo::new(&name, role, host.now().wall);
        let process = Process {
            machine: MembershipMachine::new(info.clone()),
            twin: MembershipMachine::new(info),
            carrier: SeededCarrier::new(&name, seeds),
            boot: host.boot(),
            links: BTreeMap::new(),
        };
        self.processes.insert(node.0, process);
        let first = host.now().mono;
        host.at(first, Event::Member(MemberEvent::Tick));
        host.at(first, Event::Carrier(SeededEvent::Tick));
        if role == Role::Server && !self.plan.voters.is_empty() {
            host.at(first, Event::Member(MemberEvent::Voters(self.plan.voters.clone())));
        }
        for peer in 0..u32::try_from(self.plan.nodes.len()).expect("few nodes") {
            if peer != node.0 {
                let knock = Event::Knock { from: node.0, boot: host.boot(), is_answer: false };
                host.send(NodeId(peer), knock);
            }
        }
    }

    fn crash(&mut self, node: NodeId) {
        self.processes.remove(&node.0);
    }

    fn deliver(&mut self, node: NodeId, event: Event, turn: Turn<'_>, out: &mut Effects<Effect>) {
        if matches!(event, Event::Pause) {
            self.paused.entry(node.0).or_default();
            return;
        }
        if matches!(event, Event::Resume) {
            for event in self.paused.remove(&node.0).unwrap_or_default() {
                let turn = Turn { now: turn.now, rng: turn.rng, view: turn.view };
                self.handle(node, event, turn, out);
            }
            return;
        }
        match self.paused.get_mut(&node.0) {
            Some(waiting) => waiting.push_back(event),
            None => self.handle(node, event, turn, out),
        }
    }

    fn carry_out(&mut self, node: NodeId, effect: Effect, host: &mut Host<'_, Event>) {
        let name = self.plan.name(node).to_owned();
        let role = self.plan.nodes[node.0 as usize].1;
        match effect {
            Effect::Answer(peer) => {
                let boot = self.processes.get(&node.0).map_or(0, |process| process.boot);
                host.send(NodeId(peer), Event::Knock { from: node.0, boot, is_answer: true });
            }
            Effect::Member(MemberEffect::Send { to, message }) => {
                self.messages += 1;
                let event = MemberEvent::Message { from: name, role, message };
                host.send(NodeId(self.plan.index(&to)), Event::Member(event));
            }
            Effect::Member(MemberEffect::Wake { at }) => {
                self.wakes += 1;
                host.at(at, Event::Member(MemberEvent::Tick));
            }
            Effect::Member(MemberEffect::Carrier(command)) => {
                host.after(Duration::ZERO, Event::Carrier(SeededEvent::Command(command)));
            }
            Effect::Member(MemberEffect::Probe { .. }) => {}
            Effect::Member(MemberEffect::Publish(view)) => self.publish(host, name, view),
            Effect::Member(MemberEffect::Verdict(verdict)) => {
                self.verdicts.push((host.now().mono, name, verdict));
            }
            Effect::Carrier(SeededEffect::Send { to, message }) => {
                let event = SeededEvent::Message { from: name, message };
                host.send(NodeId(self.plan.index(&to)), Event::Carrier(event));
            }
            Effect::Carrier(SeededEffect::Wake { at }) => {
                host.at(at, Event::Carrier(SeededEvent::Tick));
            }
            Effect::Carrier(SeededEffect::Event(event)) => {
                host.after(Duration::ZERO, Event::Member(MemberEvent::Carrier(event)));
            }
        }
    }
}

impl Cell {
    fn publish(&mut self, host: &Host<'_, Event>, by: String, view: Vec<MemberView>) {
        for of in &view {
            let key = (by.clone(), of.info.node.clone());
            match of.state {
                MemberState::Suspect { .. } | MemberState::AgentLost { .. } => {
                    self.doubted.entry(key).or_insert(host.now().mono);
                }
                MemberState::Alive => drop(self.doubted.remove(&key)),
                MemberState::Dead { .. } | MemberState::Left => {}
            }
        }
        self.views.insert(by, view);
    }

    fn handle(&mut self, node: NodeId, event: Event, turn: Turn<'_>, out: &mut Effects<Effect>) {
        let Some(process) = self.processes.get_mut(&node.0) else { return };
        match event {
            Event::Member(event) => {
                out.absorb(&mut process.tell(event, turn), Effect::Member);
            }
            Event::Carrier(event) => {
                let mut effects = Effects::default();
                process.carrier.handle(turn, event, &mut effects);
                process.carrier.assert_invariants();
                out.absorb(&mut effects, Effect::Carrier);
            }
            Event::Knock { from, boot, is_answer } => {
                let known = process.links.insert(from, boot);
                let peer = self.plan.name(NodeId(from)).to_owned();
                let mut changes = Vec::new();
                if known.is_some_and(|known| known < boot) {
                    changes.push(LinkChange::Down { why: LinkEnd::Reset });
                }
                changes.push(LinkChange::Up);
                for change in changes {
                    let turn = Turn { now: turn.now, rng: turn.rng, view: turn.view };
                    let event = MemberEvent::Link { peer: peer.clone(), change };
                    out.absorb(&mut process.tell(event, turn), Effect::Member);
                }
                if !is_answer {
                    out.push(Effect::Answer(from));
                }
            }
            Event::Pause | Event::Resume => {}
        }
    }

    pub(super) fn machine(&self, node: &str) -> &MembershipMachine {
        &self.processes[&self.plan.index(node)].machine
    }
}

/// A cell in virtual time.
pub(super) struct Field {
    pub(super) sim: Sim<Cell>,
}

/// A network that loses two of a hundred messages and delays the others by up to 100 ms.
pub(super) const BAD: NetFaults = NetFaults {
    latency_min: Duration::from_millis(1),
    latency_max: Duration::from_millis(100),
    loss_ppm: 20_000,
    duplicate_ppm: 1_000,
    reorder_ppm: 1_000,
};

impl Field {
    pub(super) fn new(seed: u64, plan: Plan, faults: NetFaults) -> Self {
        let count = plan.nodes.len();
        let cell = Cell {
            plan,
            processes: BTreeMap::new(),
            paused: BTreeMap::new(),
            verdicts: Vec::new(),
            views: BTreeMap::new(),
            doubted: BTreeMap::new(),
            messages: 0,
            wakes: 0,
        };
        let mut sim = Sim::new(seed, cell, 200);
        sim.inject(Fault::Net(faults));
        for _ in 0..count {
            sim.add_node(NodeClock::default());
        }
        Self { sim }
    }

    /// Everybody knows everybody, and nothing is going on.
    pub(super) fn settled(seed: u64, plan: Plan, faults: NetFaults) -> Self {
        let mut field = Self::new(seed, plan, faults);
        let count = field.sim.world.plan.nodes.len();
        let joined = field.sim.run_until(Duration::from_secs(60), |cell| {
            cell.views.len() == count && cell.views.values().all(|view| view.len() == count)
        });
        assert!(joined, "no mesh came about\n{}", field.sim.report());
        field.run(Duration::from_secs(5));
        field
    }

    pub(super) fn id(&self, node: &str) -> NodeId {
        NodeId(self.sim.world.plan.index(node))
    }

    pub(super) fn ids(&self, nodes: &[String]) -> Vec<NodeId> {
        nodes.iter().map(|node| self.id(node)).collect()
    }

    pub(super) fn run(&mut self, span: Duration) {
        self.sim.run_for(span);
    }

    pub(super) fn now(&self) -> Mono {
        self.sim.now(NodeId(0)).mono
    }

    pub(super) fn crash(&mut self, node: &str) {
        let id = self.id(node);
        self.sim.inject(Fault::Crash(id));
    }

    pub(super) fn restart(&mut self, node: &str) {
        let id = self.id(node);
        self.sim.inject(Fault::Start(id));
    }

    pub(super) fn tell(&mut self, node: &str, event: Event) {
        let (time, id) = (self.sim.time(), self.id(node));
        self.sim.tell(time, id, event);
    }

    pub(super) fn cut(&mut self, name: &str, from: &[String], to: &[String], is_one_way: bool) {
        let (from, to) = (self.ids(from), self.ids(to));
        let cut = Cut { is_one_way, ..Cut::between(name, from, to) };
        self.sim.inject(Fault::Cut(cut));
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.sim.world.plan.nodes.iter().map(|(name, _)| name.clone()).collect()
    }

    pub(super) fn others(&self, nodes: &[String]) -> Vec<String> {
        self.names().into_iter().filter(|name| !nodes.contains(name)).collect()
    }

    /// What `by` believes of `of`.
    pub(super) fn view(&self, by: &str, of: &str) -> &MemberView {
        let view = self.sim.world.views[by].iter().find(|view| view.info.node == of);
        view.unwrap_or_else(|| panic!("{by} does not know {of}\n{}", self.sim.report()))
    }

    pub(super) fn word(&self, by: &str, of: &str) -> &'static str {
        self.view(by, of).state.word()
    }

    /// Verdicts from `since` on, as lines, without times.
    pub(super) fn verdicts_since(&self, since: Mono) -> Vec<(String, String, bool)> {
        let verdicts = self.sim.world.verdicts.iter().filter(|(at, ..)| *at >= since);
        verdicts
            .map(|(_, by, verdict)| (by.clone(), verdict.node.clone(), verdict.state.is_dead()))
            .collect()
    }

    /// Panics unless everybody believes everybody alive.
    pub(super) fn assert_all_alive(&self, when: &str) {
        for by in self.names() {
            for of in self.names() {
                let word = self.word(&by, &of);
                assert_eq!(word, "alive", "{when}: {by} about {of}\n{}", self.sim.report());
            }
        }
    }
}

/// Which of `names` are in the sample of `mask`.
pub(super) fn subset(names: &[String], mask: u64) -> Vec<String> {
    let chosen = names.iter().enumerate().filter(|(index, _)| mask >> index & 1 == 1);
    chosen.map(|(_, name)| name.clone()).collect()
}

/// What is not distinguished by order.
pub(super) fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// The start of simulated wall time, for lives made by hand.
pub(super) const EPOCH: Wall = Wall(1_767_225_600_000_000_000);
