//! The simulated host: one agenda of things to come, delivered one at a time in the order of their
//! instants.
//!
//! Way in: [`Sim::new`], [`Sim::run_for`].  Owns: time, nodes, network, disks, the trace.
//! Invariants: 1. things of the same instant happen in the order in which they were scheduled.  2.
//! timers and ends of effects of a life of a node die with it.  3. nothing but the seed, the world
//! and the faults decides anything.

mod agenda;
mod host;

use std::{fmt::Debug, time::Duration};

use actors_core::{Buggify, Effects, Mono, Now, Rng, Turn};
use serde::{Deserialize, Serialize};

use self::agenda::Agenda;
pub use self::host::Host;
use crate::{DiskTally, Fault, Net, NodeClock, SimDisk, SimTime, disk::Mark, trace::Trace};

/// Names a node of a simulation, in the order in which they were added.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct NodeId(pub u32);

/// The system under test: all machines of all nodes, and what their effects mean.
///
/// A node's events are one enum over all its machines. `deliver` hands an event to its machine;
/// `carry_out` is the simulated driver of all of them.
pub trait World {
    /// What can happen on a node.
    type Event: Clone + Debug + Serialize;
    /// What a node wants done.
    type Effect: Clone + Debug + Serialize;

    /// A node begins a life, its first or the next after a crash: builds its machines from its
    /// disk.
    fn start(&mut self, node: NodeId, host: &mut Host<'_, Self::Event>);

    /// A node ends without warning: drops its machines.
    fn crash(&mut self, node: NodeId);

    /// Hands one event to its machine.
    fn deliver(
        &mut self,
        node: NodeId,
        event: Self::Event,
        turn: Turn<'_>,
        out: &mut Effects<Self::Effect>,
    );

    /// Begins one effect: a message, a timer, a write. Its end comes back as an event.
    fn carry_out(&mut self, node: NodeId, effect: Self::Effect, host: &mut Host<'_, Self::Event>);

    /// The true time of what happens next: for who looks on, never for a machine.
    fn look_at(&mut self, _time: SimTime) {}

    /// Panics if what all nodes together hold is impossible. Called after every event.
    fn assert_invariants(&self) {}
}

/// A simulation of one world.
#[derive(Debug)]
pub struct Sim<W: World> {
    /// The system under test.
    pub world: W,
    core: Core<W::Event>,
    out: Effects<W::Effect>,
}

/// Everything but the world, so that a [`Host`] can borrow it beside the world.
#[derive(Debug)]
struct Core<E> {
    seed: u64,
    rng: Rng,
    time: SimTime,
    agenda: Agenda<Item<E>>,
    nodes: Vec<Node>,
    net: Net,
    trace: Trace,
    buggify: Buggify,
    delivered: u64,
    /// Where effects are cut off.
    cuts: Rng,
}

#[derive(Debug)]
struct Node {
    clock: NodeClock,
    disk: SimDisk,
    is_up: bool,
    /// Which of its lives; ends of the effects of others are dropped.
    boot: u64,
    rng: Rng,
    /// It crashes behind so many further events.
    crashes_after: Option<u32>,
    /// It crashes amid the effects of the event that is so many further on.
    crashes_amid: Option<u32>,
    /// How many effects crashes kept from being carried out.
    cut_off: u64,
}

#[derive(Debug)]
enum Item<E> {
    /// From another node, or from itself; dropped if the node is down or the link is cut on
    /// arrival.
    Message {
        from: NodeId,
        to: NodeId,
        event: E,
    },
    /// The end of an effect, for one life.
    Local {
        node: NodeId,
        boot: u64,
        event: E,
    },
    /// A timer of one life; never early by the node's own clock, whatever became of its rate.
    Timer {
        node: NodeId,
        boot: u64,
        due: Mono,
        event: E,
    },
    Synced {
        node: NodeId,
        boot: u64,
        mark: Mark,
        ends: Box<(E, E)>,
    },
    Fault(Fault),
}

impl<E> Core<E> {
    fn push(&mut self, at: SimTime, item: Item<E>) {
        self.agenda.push(at.max(self.time), item);
    }

    fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    fn node_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.nodes[id.0 as usize]
    }

    /// How many of so many effects are carried out before the node crashes; `None`: it does not.
    fn cut(&mut self, id: NodeId, effects: usize) -> Option<usize> {
        let node = &mut self.nodes[id.0 as usize];
        let left = node.crashes_amid.as_mut().filter(|_| effects > 1)?;
        *left -= 1;
        if *left > 0 {
            return None;
        }
        let kept = usize::try_from(self.cuts.between(1, effects as u64 - 1)).unwrap_or(1);
        node.cut_off += (effects - kept) as u64;
        Some(kept)
    }
}

impl<W: World> Sim<W> {
    /// A simulation without nodes. Of what happens, the last `trace_lines` are kept as text (0 is
    /// fastest).
    #[must_use]
    pub fn new(seed: u64, world: W, trace_lines: usize) -> Self {
        let rng = Rng::from_number(seed);
        let core = Core {
            seed,
            time: SimTime::default(),
            agenda: Agenda::default(),
            nodes: Vec::new(),
            net: Net::new(rng.derive("net")),
            trace: Trace::new(trace_lines),
            buggify: Buggify::default(),
            delivered: 0,
            cuts: rng.derive("cuts"),
            rng,
        };
        Self { world, core, out: Effects::default() }
    }

    /// Switches on the fault points in the product's own code, from the same seed.
    pub fn arm_buggify(&mut self) {
        self.core.buggify = Buggify::armed(self.core.rng.derive("buggify"));
    }

    /// Adds a node with an empty disk and starts it.
    pub fn add_node(&mut self, clock: NodeClock) -> NodeId {
        let id = NodeId(u32::try_from(self.core.nodes.len()).unwrap_or(u32::MAX));
        let rng = self.core.rng.derive(&format!("node {}", id.0));
        let disk = SimDisk::new(rng.derive("disk"));
        let (crashes_after, crashes_amid) = (None, None);
        let node = Node {
            clock,
            disk,
            is_up: false,
            boot: 0,
            rng,
            crashes_after,
            crashes_amid,
            cut_off: 0,
        };
        self.core.nodes.push(node);
        self.inject(Fault::Start(id));
        id
    }

    /// Lets a fault happen now.
    pub fn inject(&mut self, fault: Fault) {
        self.core.trace.note(self.core.time, None, '!', &fault);
        match fault {
            Fault::Crash(node) => self.crash(node),
            Fault::CrashAfter { node, events } => {
                self.core.node_mut(node).crashes_after = (events > 0).then_some(events);
            }
            Fault::CrashAmid { node, events } => {
                self.core.node_mut(node).crashes_amid = (events > 0).then_some(events);
            }
            Fault::Start(node) => self.start(node),
            Fault::Net(faults) => self.core.net.set_faults(faults),
            Fault::Link { from, to, faults } => self.core.net.set_link(from, to, faults),
            Fault::Cut(cut) => self.core.net.cut(self.core.time, cut),
            Fault::Heal(name) => self.core.net.heal(&name),
            Fault::HealAll => self.core.net.heal_all(),
            Fault::Disk { node, faults } => self.core.node(node).disk.set_faults(faults),
            Fault::WallJump { node, by_ns } => {
                let clock = &mut self.core.node_mut(node).clock;
                clock.wall_zero = clock.wall_zero.saturating_add(by_ns);
            }
            Fault::Drift { node, ppm } => {
                let time = self.core.time;
                self.core.node_mut(node).clock.set_drift(time, ppm);
            }
        }
    }

    /// Lets a fault happen at `at`, between two events.
    pub fn schedule(&mut self, at: SimTime, fault: Fault) {
        self.core.push(at, Item::Fault(fault));
    }

    /// Lets an event happen on a node at `at`: a request from outside. Lost if the node is down
    /// then.
    pub fn tell(&mut self, at: SimTime, node: NodeId, event: W::Event) {
        self.core.push(at, Item::Message { from: node, to: node, event });
    }

    fn crash(&mut self, id: NodeId) {
        let node = self.core.node_mut(id);
        (node.crashes_after, node.crashes_amid) = (None, None);
        if node.is_up {
            node.is_up = false;
            node.disk.crash();
            self.world.crash(id);
        }
    }

    fn start(&mut self, id: NodeId) {
        let node = self.core.node_mut(id);
        if node.is_up {
            return;
        }
        node.is_up = true;
        node.boot += 1;
        node.rng = node.rng.derive(&format!("life {}", node.boot));
        self.world.start(id, &mut Host { core: &mut self.core, node: id });
    }

    /// Lets the next thing happen. False if nothing is left to come.
    pub fn step(&mut self) -> bool {
        let Some((at, item)) = self.core.agenda.pop() else { return false };
        self.core.time = at;
        self.world.look_at(at);
        match item {
            Item::Message { from, to, event } => {
                if !self.core.net.is_cut(at, from, to) {
                    self.deliver(to, event);
                }
            }
            Item::Local { node, boot, event } => {
                if self.core.node(node).boot == boot {
                    self.deliver(node, event);
                }
            }
            Item::Timer { node, boot, due, event } => {
                let owner = self.core.node(node);
                if owner.boot == boot {
                    // The clock was slowed down since.
                    let again = owner.clock.when(due);
                    match again > at {
                        true => self.core.push(again, Item::Timer { node, boot, due, event }),
                        false => self.deliver(node, event),
                    }
                }
            }
            Item::Synced { node, boot, mark, ends } => {
                if self.core.node(node).boot == boot && self.is_up(node) {
                    let (done, failed) = *ends;
                    let synced = self.core.node(node).disk.sync_to(&mark);
                    self.deliver(node, if synced.is_ok() { done } else { failed });
                }
            }
            Item::Fault(fault) => self.inject(fault),
        }
        true
    }

    fn deliver(&mut self, id: NodeId, event: W::Event) {
        let core = &mut self.core;
        let time = core.time;
        let node = &mut core.nodes[id.0 as usize];
        if !node.is_up {
            return;
        }
        core.delivered += 1;
        core.trace.note(time, Some(id), '<', &event);
        let turn = Turn { now: node.clock.now(time), rng: &mut node.rng, view: &() };
        self.world.deliver(id, event, turn, &mut self.out);
        self.world.assert_invariants();
        let kept = self.core.cut(id, self.out.len());
        for effect in self.out.drain().take(kept.unwrap_or(usize::MAX)) {
            self.core.trace.note(time, Some(id), '>', &effect);
            self.world.carry_out(id, effect, &mut Host { core: &mut self.core, node: id });
        }
        if kept.is_some() {
            return self.inject(Fault::Crash(id));
        }
        if let Some(left) = &mut self.core.node_mut(id).crashes_after {
            *left -= 1;
            if *left == 0 {
                self.inject(Fault::Crash(id));
            }
        }
    }

    /// Lets everything happen that is due within `span` of virtual time.
    pub fn run_for(&mut self, span: Duration) {
        let until = self.core.time.after(span);
        while self.core.agenda.next_at().is_some_and(|at| at <= until) {
            self.step();
        }
        self.core.time = until;
    }

    /// Lets things happen until `is_done`, for at most `span` of virtual time. Says whether it is.
    pub fn run_until(&mut self, span: Duration, is_done: impl Fn(&W) -> bool) -> bool {
        let until = self.core.time.after(span);
        loop {
            if is_done(&self.world) {
                return true;
            }
            if self.core.agenda.next_at().is_none_or(|at| at > until) {
                self.core.time = until;
                return false;
            }
            self.step();
        }
    }

    /// The virtual time.
    #[must_use]
    pub fn time(&self) -> SimTime {
        self.core.time
    }

    /// What a node's clocks show.
    #[must_use]
    pub fn now(&self, node: NodeId) -> Now {
        self.core.node(node).clock.now(self.core.time)
    }

    /// How a node's clocks run.
    #[must_use]
    pub fn clock(&self, node: NodeId) -> NodeClock {
        self.core.node(node).clock
    }

    /// Whether a node is up.
    #[must_use]
    pub fn is_up(&self, node: NodeId) -> bool {
        self.core.node(node).is_up
    }

    /// How many of a node's effects crashes cut off.
    #[must_use]
    pub fn cut_off(&self, node: NodeId) -> u64 {
        self.core.node(node).cut_off
    }

    /// A node's disk, to look at from outside.
    #[must_use]
    pub fn disk(&self, node: NodeId) -> SimDisk {
        self.core.node(node).disk.clone()
    }

    /// What all disks did together.
    #[must_use]
    pub fn disks(&self) -> DiskTally {
        let mut sum = DiskTally::default();
        self.core.nodes.iter().for_each(|node| sum.add(node.disk.tally()));
        sum
    }

    /// One number for everything that happened: equal for equal runs.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.core.trace.hash()
    }

    /// How many events were delivered.
    #[must_use]
    pub fn delivered(&self) -> u64 {
        self.core.delivered
    }

    /// The last things that happened, oldest first, if lines are kept.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.core.trace.lines()
    }

    /// Every fault point that was reached, with how often it fired.
    pub fn coverage(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.core.buggify.coverage()
    }

    /// What a failing test prints: the seed, the last lines of the trace, and the fault points.
    #[must_use]
    pub fn report(&self) -> String {
        let mut text = format!(
            "seed {} at {} ns, {} events, hash {:016x}\n",
            self.core.seed,
            self.core.time.0,
            self.core.delivered,
            self.hash()
        );
        for line in self.lines() {
            text.push_str(line);
            text.push('\n');
        }
        for (site, fired) in self.coverage() {
            text.push_str(&format!("fault point {site}: fired {fired} times\n"));
        }
        text
    }
}
