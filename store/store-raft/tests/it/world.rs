//! Several members, their disks and the network between them, driven by one queue of events in
//! virtual time.

use std::collections::{BTreeMap, BTreeSet};

use actors_core::{Correlation, Effects, Machine, Mono, Now, Rng, Turn};
use store_raft::{
    Bootstrap, Committed, Members, NodeId, Proposed, RaftConfig, RaftEffect, RaftEvent,
    RaftMachine, RaftNotice, Refusal, Role, SnapshotDelivery,
};

use crate::disk::{Disk, Op, State};

pub(crate) const MS: u64 = 1_000_000;

/// What will happen, to which life of which member.
#[derive(Debug, Clone)]
enum Happening {
    Event(RaftEvent),
    /// A timer that was set for this time; it is over if another one has taken its place.
    Timer(u64),
    DiskDone,
    Apply(Vec<Committed>),
    Flush,
    Image {
        from: NodeId,
        image: State,
        bytes: Vec<u8>,
    },
    Install {
        number: u64,
        index: u64,
    },
    Restart,
}

pub(crate) struct Node {
    pub(crate) machine: Option<RaftMachine>,
    life: u64,
    rng: Rng,
    pub(crate) disk: Disk,
    disk_free: u64,
    apply_free: u64,
    pub(crate) state: State,
    image: Option<State>,
    /// Whether an image is replacing the state just now.
    pub(crate) installing: bool,
    /// It does not run until then; what happens meanwhile waits for it.
    paused_until: u64,
    /// When it wants its next tick.
    tick_at: Option<u64>,
}

pub(crate) struct World {
    pub(crate) now: u64,
    pub(crate) rng: Rng,
    queue: BTreeMap<(u64, u64), (NodeId, u64, Happening)>,
    seq: u64,
    pub(crate) nodes: BTreeMap<NodeId, Node>,
    pub(crate) cut: BTreeSet<(NodeId, NodeId)>,
    pub(crate) loss_per_million: u32,
    pub(crate) hash: u64,
    leaders: BTreeMap<u64, NodeId>,
    /// What every member must have at an index.
    history: BTreeMap<u64, (u64, Vec<u8>)>,
    next_id: Correlation,
    waiting: BTreeMap<Correlation, Vec<u8>>,
    /// Reads, with the newest acknowledged index when they began.
    reads: BTreeMap<Correlation, u64>,
    pub(crate) acknowledged: BTreeMap<u64, Vec<u8>>,
    pub(crate) refused: Vec<(Correlation, Refusal)>,
    pub(crate) notices: Vec<RaftNotice>,
    pub(crate) members: BTreeMap<NodeId, Members>,
    /// What the members are from an index on; a snapshot may repeat it at a later one.
    memberships: BTreeMap<u64, Members>,
    /// Those who said that they were removed.
    pub(crate) removed: BTreeSet<NodeId>,
    pub(crate) reads_done: u64,
    pub(crate) snapshots: u64,
    /// Crashes while an image replaced a state.
    pub(crate) interrupted: u64,
}

fn config(node: NodeId) -> RaftConfig {
    RaftConfig { cache_entries_max: 16, log_keep: 4, ..RaftConfig::new(node, [7; 16], 1) }
}

impl World {
    /// `voters` first voters, all up.
    pub(crate) fn new(seed: u64, voters: u64) -> Self {
        let mut world = Self {
            now: 0,
            rng: Rng::from_number(seed),
            queue: BTreeMap::new(),
            seq: 0,
            nodes: BTreeMap::new(),
            cut: BTreeSet::new(),
            loss_per_million: 0,
            hash: 0xcbf2_9ce4_8422_2325,
            leaders: BTreeMap::new(),
            history: BTreeMap::new(),
            next_id: Correlation(1),
            waiting: BTreeMap::new(),
            reads: BTreeMap::new(),
            acknowledged: BTreeMap::new(),
            refused: Vec::new(),
            notices: Vec::new(),
            members: BTreeMap::new(),
            memberships: BTreeMap::new(),
            removed: BTreeSet::new(),
            reads_done: 0,
            snapshots: 0,
            interrupted: 0,
        };
        let ids: Vec<NodeId> = (1..=voters).map(NodeId).collect();
        for id in &ids {
            let first = Bootstrap::new(&config(*id), &ids);
            let mut disk = Disk::default();
            disk.submit(Op::Write { number: 0, records: first.records, head: Some(first.head) });
            disk.finish_one();
            world.add(*id, disk);
        }
        world
    }

    /// Adds a member with this disk and starts it.
    pub(crate) fn add(&mut self, id: NodeId, disk: Disk) {
        let rng = self.rng.derive(&format!("node {}", id.0));
        let state = State::default();
        let (disk_free, apply_free) = (0, 0);
        let node = Node {
            machine: None,
            life: 0,
            rng,
            disk,
            disk_free,
            apply_free,
            state,
            image: None,
            installing: false,
            paused_until: 0,
            tick_at: None,
        };
        self.nodes.insert(id, node);
        self.start(id);
    }

    fn start(&mut self, id: NodeId) {
        let node = self.nodes.get_mut(&id).unwrap();
        if node.machine.is_some() {
            return;
        }
        node.life += 1;
        node.state = node.disk.state();
        node.image = None;
        let machine = RaftMachine::recover(config(id), &node.disk.stored());
        node.machine = Some(machine.unwrap_or_else(|error| panic!("{id:?}: {error}")));
        node.disk_free = self.now;
        node.apply_free = self.now;
        let phase = self.rng.below(50 * MS);
        node.tick_at = Some(self.now + phase);
        self.schedule(id, phase, Happening::Timer(self.now + phase));
        self.schedule(id, phase + 100 * MS, Happening::Flush);
    }

    fn schedule(&mut self, id: NodeId, after: u64, happening: Happening) {
        let life = self.nodes[&id].life;
        self.seq += 1;
        self.queue.insert((self.now + after, self.seq), (id, life, happening));
    }

    pub(crate) fn crash(&mut self, id: NodeId, down: u64) {
        let node = self.nodes.get_mut(&id).unwrap();
        if node.machine.take().is_some() {
            node.disk.cut_power(&mut self.rng);
            self.interrupted += u64::from(std::mem::take(&mut node.installing));
            node.life += 1;
            self.schedule(id, down, Happening::Restart);
        }
    }

    /// The process does not run for this long; it does not notice.
    pub(crate) fn pause(&mut self, id: NodeId, span: u64) {
        let node = self.nodes.get_mut(&id).unwrap();
        node.paused_until = node.paused_until.max(self.now + span);
    }

    pub(crate) fn is_paused(&self, id: NodeId) -> bool {
        self.nodes[&id].paused_until > self.now
    }

    /// The disk answers nothing for this long.
    pub(crate) fn stall(&mut self, id: NodeId, span: u64) {
        let node = self.nodes.get_mut(&id).unwrap();
        node.disk_free = node.disk_free.max(self.now) + span;
    }

    pub(crate) fn isolate(&mut self, id: NodeId) {
        let others: Vec<NodeId> = self.nodes.keys().copied().filter(|other| *other != id).collect();
        for other in others {
            self.cut.insert((id, other));
            self.cut.insert((other, id));
        }
    }

    pub(crate) fn heal(&mut self) {
        self.cut.clear();
        self.loss_per_million = 0;
    }

    /// Delivers an event now.
    pub(crate) fn tell(&mut self, id: NodeId, event: RaftEvent) {
        let node = self.nodes.get_mut(&id).unwrap();
        let Some(machine) = &mut node.machine else { return };
        let now = Now { mono: Mono(self.now), ..Now::default() };
        let mut out = Effects::default();
        machine.handle(Turn { now, rng: &mut node.rng, view: &() }, event, &mut out);
        machine.assert_invariants();
        for effect in out.drain() {
            for byte in postcard::to_allocvec(&(id, &effect)).unwrap() {
                self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
            self.perform(id, effect);
        }
        self.set_timer(id);
    }

    /// A timer for the tick that the member wants now; timers are a little late.
    fn set_timer(&mut self, id: NodeId) {
        let late = self.rng.below(2 * MS);
        let node = self.nodes.get_mut(&id).unwrap();
        let due = node.machine.as_ref().and_then(|machine| machine.next_tick());
        let due = due.map(|due| due.0);
        if node.tick_at == due {
            return;
        }
        node.tick_at = due;
        if let Some(due) = due {
            let after = due.saturating_sub(self.now) + late;
            self.schedule(id, after, Happening::Timer(due));
        }
    }

    fn perform(&mut self, id: NodeId, effect: RaftEffect) {
        match effect {
            RaftEffect::Persist { number, records, head } => {
                self.submit(id, Op::Write { number, records, head });
            }
            RaftEffect::Truncate { below } => self.submit(id, Op::Truncate { below }),
            RaftEffect::Send { to, bytes } => {
                let lost = self.rng.chance(self.loss_per_million);
                let delay = self.rng.between(MS / 5, 5 * MS);
                if !lost && !self.cut.contains(&(id, to)) && self.nodes.contains_key(&to) {
                    self.schedule(
                        to,
                        delay,
                        Happening::Event(RaftEvent::Message { from: id, bytes }),
                    );
                }
            }
            RaftEffect::Apply { entries } => {
                let span = self.rng.between(MS / 10, 3 * MS);
                let node = self.nodes.get_mut(&id).unwrap();
                node.apply_free = node.apply_free.max(self.now) + span;
                let after = node.apply_free - self.now;
                self.schedule(id, after, Happening::Apply(entries));
            }
            RaftEffect::ReadReady { id: read, index } => {
                let floor = self.reads.remove(&read).expect("a read was answered twice");
                assert!(
                    index >= floor,
                    "a read at {index} misses what was acknowledged at {floor}"
                );
                self.reads_done += 1;
            }
            RaftEffect::Refused { id: asked, refusal } => {
                self.reads.remove(&asked);
                self.waiting.remove(&asked);
                self.refused.push((asked, refusal));
            }
            RaftEffect::RoleChanged(view) if view.role == Role::Leader => {
                let leader = *self.leaders.entry(view.term).or_insert(id);
                assert_eq!(leader, id, "two leaders of term {}", view.term);
            }
            RaftEffect::RoleChanged(_) => {}
            RaftEffect::MembersChanged { index, members, .. } => {
                let known = self.memberships.entry(index).or_insert_with(|| members.clone());
                assert_eq!(*known, members, "{id:?} has other members at {index}");
                self.members.insert(id, members);
            }
            RaftEffect::SendSnapshot { to, index, bytes } => self.send_image(id, to, index, bytes),
            RaftEffect::InstallSnapshot { number, index } => {
                let node = self.nodes.get_mut(&id).unwrap();
                if node.state.applied < index {
                    // The image replaces the state piece by piece: a crash leaves neither.
                    node.disk.flush(&State::default());
                    node.installing = true;
                }
                self.schedule(id, 30 * MS, Happening::Install { number, index });
            }
            RaftEffect::Removed { .. } => {
                self.removed.insert(id);
            }
            RaftEffect::Notice(notice) => self.notices.push(notice),
            RaftEffect::Halt { error } => panic!("{id:?} halted: {error}"),
        }
    }

    fn submit(&mut self, id: NodeId, op: Op) {
        let span = self.rng.between(MS / 10, 2 * MS);
        let node = self.nodes.get_mut(&id).unwrap();
        node.disk.submit(op);
        node.disk_free = node.disk_free.max(self.now) + span;
        let after = node.disk_free - self.now;
        self.schedule(id, after, Happening::DiskDone);
    }

    fn send_image(&mut self, id: NodeId, to: NodeId, index: u64, bytes: Vec<u8>) {
        let image = self.nodes[&id].state.clone();
        assert!(image.applied >= index, "an image was offered that is not there");
        self.snapshots += 1;
        let arrives = !self.cut.contains(&(id, to)) && self.nodes.contains_key(&to);
        let delivery = if arrives { SnapshotDelivery::Delivered } else { SnapshotDelivery::Failed };
        if arrives {
            self.schedule(to, 20 * MS, Happening::Image { from: id, image, bytes });
        }
        self.schedule(id, 25 * MS, Happening::Event(RaftEvent::SnapshotSent { to, delivery }));
    }

    /// Lets one thing happen.
    pub(crate) fn step(&mut self) {
        let ((at, _), (id, life, happening)) = self.queue.pop_first().expect("nothing ever ends");
        self.now = at;
        if matches!(happening, Happening::Restart) {
            return self.start(id);
        }
        if self.nodes[&id].life != life || self.nodes[&id].machine.is_none() {
            return;
        }
        if self.nodes[&id].paused_until > at {
            self.seq += 1;
            let later = (self.nodes[&id].paused_until, self.seq);
            self.queue.insert(later, (id, life, happening));
            return;
        }
        match happening {
            Happening::Event(event) => self.tell(id, event),
            Happening::Timer(due) => {
                if self.nodes[&id].tick_at == Some(due) {
                    self.nodes.get_mut(&id).unwrap().tick_at = None;
                    self.tell(id, RaftEvent::Tick);
                }
            }
            Happening::DiskDone => {
                if let Some(number) = self.nodes.get_mut(&id).unwrap().disk.finish_one() {
                    self.tell(id, RaftEvent::Persisted { number });
                }
            }
            Happening::Apply(entries) => self.apply(id, &entries),
            Happening::Flush => {
                let node = self.nodes.get_mut(&id).unwrap();
                node.disk.flush(&node.state);
                let index = node.state.applied;
                self.schedule(id, 100 * MS, Happening::Flush);
                self.tell(id, RaftEvent::Flushed { index });
            }
            Happening::Image { from, image, bytes } => {
                self.nodes.get_mut(&id).unwrap().image = Some(image);
                self.tell(id, RaftEvent::Message { from, bytes });
            }
            Happening::Install { number, index } => {
                let node = self.nodes.get_mut(&id).unwrap();
                if let Some(image) = node.image.take_if(|image| image.applied > node.state.applied)
                {
                    node.state = image;
                }
                assert!(node.state.applied >= index, "a snapshot without its image");
                node.installing = false;
                node.disk.flush(&node.state);
                let applied = node.state.applied;
                self.tell(id, RaftEvent::SnapshotInstalled { number, applied });
            }
            Happening::Restart => {}
        }
    }

    fn apply(&mut self, id: NodeId, entries: &[Committed]) {
        for entry in entries {
            let known = self.history.entry(entry.index);
            let known = known.or_insert_with(|| (entry.term, entry.data.clone()));
            assert_eq!(
                *known,
                (entry.term, entry.data.clone()),
                "members differ at {}",
                entry.index
            );
            let node = self.nodes.get_mut(&id).unwrap();
            node.state.apply(entry);
            if let Some(data) = entry.id.and_then(|id| self.waiting.remove(&id)) {
                assert_eq!(data, entry.data, "somebody else's entry was acknowledged");
                self.acknowledged.insert(entry.index, data);
            }
        }
        let index = self.nodes[&id].state.applied;
        self.tell(id, RaftEvent::Applied { index });
    }

    pub(crate) fn propose(&mut self, to: NodeId, count: u64) {
        let items: Vec<Proposed> = (0..count)
            .map(|_| {
                let id = self.next_id.take();
                let data = format!("entry {}", id.0).into_bytes();
                Proposed { id, data }
            })
            .collect();
        if self.nodes[&to].machine.is_some() {
            self.waiting.extend(items.iter().map(|item| (item.id, item.data.clone())));
            self.ask(to, RaftEvent::Propose { items });
        }
    }

    /// Delivers an event as soon as the member runs.
    fn ask(&mut self, id: NodeId, event: RaftEvent) {
        if self.is_paused(id) {
            self.schedule(id, 0, Happening::Event(event));
        } else {
            self.tell(id, event);
        }
    }

    pub(crate) fn read(&mut self, at: NodeId) {
        let id = self.next_id.take();
        let floor = self.acknowledged.last_key_value().map_or(0, |(index, _)| *index);
        if self.nodes[&at].machine.is_some() {
            self.reads.insert(id, floor);
            self.ask(at, RaftEvent::Read { id });
        }
    }

    pub(crate) fn correlation(&mut self) -> Correlation {
        self.next_id.take()
    }

    pub(crate) fn run_for(&mut self, span: u64) {
        let end = self.now + span;
        while self.queue.first_key_value().is_some_and(|((at, _), _)| *at <= end) {
            self.step();
        }
        self.now = end;
    }

    /// Runs until `done`, which must come within `span`.
    pub(crate) fn run_until(&mut self, span: u64, what: &str, done: impl Fn(&Self) -> bool) {
        let end = self.now + span;
        while !done(self) {
            assert!(self.now <= end, "not within {} ms: {what}", span / MS);
            self.step();
        }
    }

    /// The leader of the newest term, if it is up and still leads.
    pub(crate) fn leader(&self) -> Option<NodeId> {
        let (term, id) = self.leaders.last_key_value()?;
        let role = self.nodes[id].machine.as_ref()?.role();
        (role.term == *term && role.role == Role::Leader).then_some(*id)
    }

    pub(crate) fn followers(&self) -> Vec<NodeId> {
        let leader = self.leader();
        self.nodes.keys().copied().filter(|id| Some(*id) != leader).collect()
    }

    pub(crate) fn terms(&self) -> usize {
        self.leaders.len()
    }

    /// Whether nothing acknowledged is missing where entries were applied.
    pub(crate) fn assert_nothing_lost(&self) {
        for (index, data) in &self.acknowledged {
            let kept = self.history.get(index).map(|(_, kept)| kept);
            assert_eq!(kept, Some(data), "acknowledged at {index} and lost");
        }
        for (id, node) in &self.nodes {
            let expected = self.history.range(..=node.state.applied);
            let expected = expected.filter(|(_, (_, data))| !data.is_empty());
            let differs = expected.map(|(index, (_, data))| (index, data)).ne(&node.state.entries);
            assert!(!differs, "{id:?} has another state than its applied index says");
        }
    }
}
