//! What people and tools can see of a running system: its tree, its notices, and its dead letters.
//!
//! Way in: `System::tree`, `System::notices`, `System::dead_letters`.  Owns: one slot for each
//! place in the tree.
//! Never: a decision. Everything here is a copy; reading it stops nobody.

use std::{
    collections::{BTreeMap, VecDeque},
    ops::Bound,
    sync::{Arc, Mutex, Weak},
    time::Duration,
};

use actors_core::{Address, ExitReason, Incarnation, SupervisorNotice, Wall};
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;

use crate::{
    clock::Clock, life::Life, meter::nanos, reference::Changed, task::lock, timers::Timers,
    trace::Trace,
};

/// One place in the tree, as it was when it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Names from the root on, joined by `/`.
    pub path: String,
    /// The address under which others reach it, if it has one.
    pub address: Option<Address>,
    /// How it is hosted.
    pub kind: NodeKind,
    /// What it does now.
    pub state: NodeState,
    /// Which of its lives; 0 before the first.
    pub incarnation: Incarnation,
    /// How often it was started again.
    pub restarts: u64,
    /// Messages that wait now.
    pub depth: u64,
    /// Most messages that may wait; 0 for a service, which has no mailbox.
    pub capacity: u64,
    /// Messages that found the mailbox full and went back to their senders, in this life.
    pub refused: u64,
    /// Microseconds of work in this life, with what is being done now.
    pub busy_us: u64,
    /// Events handled in this life; for a service, how often it was polled.
    pub processed: u64,
    /// Events that took longer than they may, in this life, with one that still does; their time is
    /// busy time too.
    pub slow: Slow,
    /// How its last life ended.
    pub last_exit: Option<ExitReason>,
    /// The last failure among its ends, if it ever failed.
    pub last_crash: Option<Crash>,
    /// Whom a part serves; `None` for everything else.
    pub about: Option<String>,
}

/// Events that took longer than their budget of 10 ms.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slow {
    /// How many.
    pub count: u64,
    /// Microseconds of the one that took longest.
    pub longest_us: u64,
}

impl Slow {
    pub(crate) fn add(&mut self, busy: Duration) {
        self.count += 1;
        self.longest_us = self.longest_us.max(nanos(busy) / 1_000);
    }
}

/// A failure that ended a life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crash {
    /// When.
    pub at: Wall,
    /// Which of its lives.
    pub incarnation: Incarnation,
    /// The cause.
    pub reason: ExitReason,
}

impl Crash {
    /// What just ended a life, unless it was no failure or an operator's kill.
    pub(crate) fn of(incarnation: Incarnation, reason: &ExitReason) -> Option<Self> {
        let is_crash = !reason.is_clean() && *reason != ExitReason::Killed;
        is_crash.then(|| Self { at: Clock.now().wall, incarnation, reason: reason.clone() })
    }
}

/// How an actor is hosted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeKind {
    /// One machine with a mailbox of its own.
    Dedicated,
    /// The host of many keyed machines.
    Slab,
    /// One machine in a slab.
    Keyed,
    /// A long-lived asynchronous part.
    Service,
    /// It starts and restarts others.
    Supervisor,
    /// One watch, stream or connection of a service.
    Part,
}

/// What an actor does now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeState {
    /// It is being built.
    Starting,
    /// It is up.
    Running,
    /// It failed and waits for its next start.
    Waiting,
    /// It was asked to stop.
    Stopping,
    /// It failed too often and is left stopped until somebody unparks it.
    Parked,
    /// It handles no messages until an operator resumes it.
    Suspended,
    /// It is not up.
    Ended,
}

/// One place in the tree: it outlives the lives that are lived in it.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) path: Arc<str>,
    pub(crate) address: Option<Address>,
    pub(crate) kind: NodeKind,
    pub(crate) status: Mutex<SlotStatus>,
    /// The registry's.
    pub(crate) changed: Arc<Changed>,
    /// The system's, for all lives here.
    pub(crate) timers: Arc<Timers>,
}

/// The part of a slot that changes.
#[derive(Debug)]
pub(crate) struct SlotStatus {
    pub(crate) state: NodeState,
    pub(crate) incarnation: Incarnation,
    pub(crate) last_exit: Option<ExitReason>,
    pub(crate) last_crash: Option<Crash>,
    pub(crate) current: Option<Arc<Life>>,
}

impl Slot {
    fn new(
        path: Arc<str>,
        address: Option<Address>,
        kind: NodeKind,
        changed: Arc<Changed>,
        timers: Arc<Timers>,
    ) -> Arc<Self> {
        let status = SlotStatus {
            state: NodeState::Starting,
            incarnation: Incarnation(0),
            last_exit: None,
            last_crash: None,
            current: None,
        };
        Arc::new(Self { path, address, kind, status: Mutex::new(status), changed, timers })
    }

    pub(crate) fn current(&self) -> Option<Arc<Life>> {
        lock(&self.status).current.clone()
    }

    pub(crate) fn set_state(&self, state: NodeState) {
        lock(&self.status).state = state;
    }

    fn nodes(&self) -> Vec<Node> {
        let (state, incarnation, (last_exit, last_crash), current) = {
            let status = lock(&self.status);
            let exits = (status.last_exit.clone(), status.last_crash.clone());
            (status.state, status.incarnation, exits, status.current.clone())
        };
        let mut node = Node {
            path: self.path.to_string(),
            address: self.address.clone(),
            kind: self.kind,
            state,
            incarnation,
            restarts: incarnation.0.saturating_sub(1),
            depth: 0,
            capacity: 0,
            refused: 0,
            busy_us: 0,
            processed: 0,
            slow: Slow::default(),
            last_exit,
            last_crash,
            about: None,
        };
        let Some(life) = current else { return vec![node] };
        life.meter.show(&mut node, Clock.mono());
        let Some(mailbox) = life.mailbox() else {
            let parts = life.tasks.nodes(&self.path);
            return std::iter::once(node).chain(parts).collect();
        };
        let levels = mailbox.levels();
        (node.depth, node.capacity, node.refused) = (levels.depth, levels.capacity, levels.refused);
        if levels.is_suspended && node.state == NodeState::Running {
            node.state = NodeState::Suspended;
        }
        let mut nodes = vec![node];
        nodes.extend(mailbox.keyed_nodes());
        nodes
    }
}

/// All slots of one system, by path and by address.
#[derive(Debug)]
pub(crate) struct Registry {
    timers: Arc<Timers>,
    slots: Mutex<Slots>,
    /// Told whenever a life begins to take messages.
    changed: Arc<Changed>,
}

#[derive(Debug, Default)]
struct Slots {
    by_path: BTreeMap<Arc<str>, Arc<Slot>>,
    /// Where the last round was broken off.
    rounded_to: Option<Arc<str>>,
    by_address: BTreeMap<String, Weak<Slot>>,
}

impl Registry {
    pub(crate) fn new(timers: Arc<Timers>) -> Self {
        Self { timers, slots: Mutex::default(), changed: Arc::default() }
    }

    /// Of the same system.
    pub(crate) fn timers(&self) -> &Arc<Timers> {
        &self.timers
    }

    /// The slot at this path, made if there is none of this kind.
    pub(crate) fn enter(
        &self,
        path: &Arc<str>,
        address: Option<&Address>,
        kind: NodeKind,
    ) -> Arc<Slot> {
        let mut slots = lock(&self.slots);
        if let Some(slot) = slots.by_path.get(path).filter(|slot| slot.kind == kind) {
            return Arc::clone(slot);
        }
        let slot = Slot::new(
            Arc::clone(path),
            address.cloned(),
            kind,
            self.changed(),
            Arc::clone(&self.timers),
        );
        slots.by_path.insert(Arc::clone(path), Arc::clone(&slot));
        if let Some(address) = address {
            slots.by_address.insert(address.to_string(), Arc::downgrade(&slot));
        }
        slot
    }

    /// Forgets a place and everything below it.
    pub(crate) fn forget(&self, path: &str) {
        let below = format!("{path}/");
        self.forget_where(|other| other == path || other.starts_with(&below));
    }

    /// Forgets everything below a place.
    pub(crate) fn forget_below(&self, path: &str) {
        let below = format!("{path}/");
        self.forget_where(|other| other.starts_with(&below));
    }

    fn forget_where(&self, is_gone: impl Fn(&str) -> bool) {
        let mut slots = lock(&self.slots);
        slots.by_path.retain(|other, _| !is_gone(other));
        slots.by_address.retain(|_, slot| slot.upgrade().is_some_and(|slot| !is_gone(&slot.path)));
    }

    pub(crate) fn changed(&self) -> Arc<Changed> {
        Arc::clone(&self.changed)
    }

    pub(crate) fn by_path(&self, path: &str) -> Option<Arc<Slot>> {
        lock(&self.slots).by_path.get(path).cloned()
    }

    pub(crate) fn by_address(&self, address: &str) -> Option<Arc<Slot>> {
        lock(&self.slots).by_address.get(address).and_then(Weak::upgrade)
    }

    /// The slot of the slab or service that hosts what is at `path`, with the rest of the path.
    pub(crate) fn host_above<'a>(&self, path: &'a str) -> Option<(Arc<Slot>, &'a str)> {
        path.match_indices('/').find_map(|(at, _)| {
            let slot = self.by_path(&path[..at])?;
            let is_host = matches!(slot.kind, NodeKind::Slab | NodeKind::Service);
            is_host.then_some((slot, &path[at + 1..]))
        })
    }

    /// At most `max` slots, others each time: who asks often sees all.
    pub(crate) fn round(&self, max: usize) -> Vec<Arc<Slot>> {
        let mut slots = lock(&self.slots);
        let from = slots.rounded_to.take().map_or(Bound::Unbounded, Bound::Excluded);
        let range = slots.by_path.range::<Arc<str>, _>((from, Bound::Unbounded));
        let some: Vec<_> = range.take(max).map(|(_, slot)| Arc::clone(slot)).collect();
        slots.rounded_to =
            some.last().filter(|_| some.len() == max).map(|slot| Arc::clone(&slot.path));
        some
    }

    pub(crate) fn tree(&self) -> Vec<Node> {
        let slots: Vec<_> = lock(&self.slots).by_path.values().cloned().collect();
        slots.iter().flat_map(|slot| slot.nodes()).collect()
    }
}

/// A notice of a supervisor, or of a slab about one of its keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The path of the child that it is about.
    pub path: String,
    /// What happened.
    pub notice: SupervisorNotice,
}

/// A bounded stream of notices: one that reads too slowly misses the oldest, and can see how many.
#[derive(Debug)]
pub struct Notices {
    pub(crate) receiver: broadcast::Receiver<Notice>,
    pub(crate) missed: u64,
}

impl Notices {
    /// How many notices may wait for one reader.
    pub const LEN_MAX: usize = 1_024;

    /// The next notice; `None` once the system is gone.
    pub async fn next(&mut self) -> Option<Notice> {
        loop {
            match self.receiver.recv().await {
                Ok(notice) => return Some(notice),
                Err(broadcast::error::RecvError::Lagged(count)) => self.missed += count,
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }

    /// How many notices this reader was too slow for.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.missed
    }
}

/// A message that nobody will handle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// The path of the actor that it was for.
    pub path: String,
    /// The type of the message.
    pub event: String,
    /// Why nobody will handle it.
    pub reason: DeadReason,
    /// On whose behalf it was sent, as [`Trace`] is written; `None`: on nobody's.
    pub trace: Option<String>,
    /// When it died.
    pub at: Wall,
}

/// Why a message died.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeadReason {
    /// It waited in the mailbox of an actor that ended.
    Ended,
    /// A newer message took its place ([`actors_core::WhenFull::ShedOldest`]).
    Shed,
    /// It waited for a key that was parked.
    Parked,
    /// Its handler panicked.
    Poison,
}

/// The newest dead letters, and how many there ever were.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetters {
    /// Counts by reason since the start.
    pub counts: BTreeMap<DeadReason, u64>,
    /// The newest ones, oldest first.
    pub recent: VecDeque<DeadLetter>,
}

/// Collects dead letters. Invariant: never more than [`Morgue::LEN_MAX`] are kept.
#[derive(Debug, Default)]
pub(crate) struct Morgue {
    letters: Mutex<DeadLetters>,
}

impl Morgue {
    const LEN_MAX: usize = 256;

    pub(crate) fn add<E>(&self, path: &str, reason: DeadReason, trace: Trace) {
        let letter = DeadLetter {
            path: path.to_owned(),
            event: std::any::type_name::<E>().into(),
            reason,
            trace: trace.is_some().then(|| trace.to_string()),
            at: Clock.now().wall,
        };
        let mut letters = lock(&self.letters);
        *letters.counts.entry(reason).or_default() += 1;
        if letters.recent.len() == Self::LEN_MAX {
            letters.recent.pop_front();
        }
        letters.recent.push_back(letter);
    }

    pub(crate) fn read(&self) -> DeadLetters {
        lock(&self.letters).clone()
    }
}
