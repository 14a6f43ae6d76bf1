//! What is known of one key that is not at rest: what waits for it, and whether it may run.
//!
//! Way in: [`Record`].  Invariant: the first `own` events of the queue are the key's own, the others
//! were told.

use std::{collections::VecDeque, sync::Arc};

use actors_core::{Address, ExitReason, Incarnation};

use super::SlabSpec;
use crate::observer::{Crash, Node, NodeKind, NodeState};

/// Whether a key may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    Open,
    Waiting,
    Parked,
}

/// Where a key's record is. The place is used again; the serial is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Spot {
    pub(super) place: u32,
    pub(super) serial: u64,
}

#[derive(Debug)]
pub(super) struct Record<E> {
    pub(super) key: Arc<str>,
    pub(super) serial: u64,
    /// Which life of the key, counted over the whole slab.
    pub(super) life: u64,
    queue: VecDeque<E>,
    own: u32,
    /// Timers and tasks under way.
    pub(super) pending: u32,
    /// The newest batch that has events of it, and how many.
    pub(super) batch: (u32, u32),
    pub(super) is_ready: bool,
    pub(super) revive: bool,
    pub(super) hold: Hold,
    /// An operator wants nothing handled.
    pub(super) is_suspended: bool,
    pub(super) processed: u64,
    pub(super) busy_ns: u64,
    past: Option<Box<Past>>,
}

/// What only a key has that failed.
#[derive(Debug, Default)]
struct Past {
    restarts: u64,
    last_exit: Option<ExitReason>,
    last_crash: Option<Crash>,
}

impl<E> Record<E> {
    pub(super) fn new(key: Arc<str>, serial: u64, life: u64) -> Self {
        Self {
            key,
            serial,
            life,
            queue: VecDeque::new(),
            own: 0,
            pending: 0,
            batch: (0, 0),
            is_ready: false,
            revive: false,
            hold: Hold::Open,
            is_suspended: false,
            processed: 0,
            busy_ns: 0,
            past: None,
        }
    }

    pub(super) fn has_work(&self) -> bool {
        self.revive || !self.queue.is_empty()
    }

    pub(super) fn may_run(&self) -> bool {
        self.hold == Hold::Open && !self.is_suspended
    }

    /// Whether its machine may go: nothing waits, and nobody holds it back.
    pub(super) fn may_rest(&self) -> bool {
        !self.has_work() && !self.is_suspended
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn own_len(&self) -> usize {
        self.own as usize
    }

    pub(super) fn told_len(&self) -> usize {
        self.queue.len() - self.own_len()
    }

    pub(super) fn push_told(&mut self, event: E) {
        self.queue.push_back(event);
    }

    pub(super) fn push_own(&mut self, event: E) {
        self.queue.insert(self.own_len(), event);
        self.own += 1;
    }

    /// Gives back what was taken, in reverse order.
    pub(super) fn give_back(&mut self, event: E, is_own: bool) {
        match is_own {
            true => {
                self.queue.push_front(event);
                self.own += 1;
            }
            false => self.queue.insert(self.own_len(), event),
        }
    }

    /// The next event, and whether it is the key's own.
    pub(super) fn pop(&mut self) -> Option<(E, bool)> {
        let event = self.queue.pop_front()?;
        let is_own = self.own > 0;
        self.own -= u32::from(is_own);
        Some((event, is_own))
    }

    /// Forgets the oldest told event.
    pub(super) fn shed(&mut self) {
        self.queue.remove(self.own_len());
    }

    /// Forgets the key's own events; says how many.
    pub(super) fn clear_own(&mut self) -> usize {
        let own = self.own_len();
        self.queue.drain(..own);
        self.own = 0;
        own
    }

    /// Forgets all events; says how many.
    pub(super) fn clear(&mut self) -> usize {
        let len = self.queue.len();
        self.queue = VecDeque::new();
        self.own = 0;
        len
    }

    pub(super) fn ended(&mut self, reason: ExitReason) {
        let past = self.past.get_or_insert_default();
        let life = Incarnation(past.restarts + 1);
        past.last_crash = Crash::of(life, &reason).or(past.last_crash.take());
        past.last_exit = Some(reason);
    }

    pub(super) fn restarted(&mut self) {
        self.past.get_or_insert_default().restarts += 1;
    }

    pub(super) fn node(&self, slab: &str, spec: &SlabSpec) -> Node {
        let restarts = self.past.as_ref().map_or(0, |past| past.restarts);
        Node {
            path: format!("{slab}/{}", self.key),
            address: Some(Address::new(spec.kind.clone(), &*self.key)),
            kind: NodeKind::Keyed,
            state: match self.hold {
                Hold::Open if self.is_suspended => NodeState::Suspended,
                Hold::Open => NodeState::Running,
                Hold::Waiting => NodeState::Waiting,
                Hold::Parked => NodeState::Parked,
            },
            incarnation: Incarnation(restarts + 1),
            restarts,
            depth: self.queue.len() as u64,
            capacity: u64::from(spec.mailbox.capacity),
            refused: 0,
            busy_us: self.busy_ns / 1_000,
            processed: self.processed,
            last_exit: self.past.as_ref().and_then(|past| past.last_exit.clone()),
            last_crash: self.past.as_ref().and_then(|past| past.last_crash.clone()),
            about: None,
        }
    }
}
