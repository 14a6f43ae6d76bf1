//! What is known of one key that is not at rest: what waits for it, and whether it may run.
//!
//! Way in: [`Record`].  Invariant: the first `own` events of the queue are the key's own, the others
//! were told.

use std::{sync::Arc, time::Duration};

use actors_core::{Address, ExitReason, Incarnation, Mono};

use super::{SlabSpec, line::Line};
use crate::{
    clock::Clock,
    meter::show_handling,
    monitor::{Down, Watchers},
    observer::{Crash, Node, NodeKind, NodeState, Slow},
    trace::{Letter, Trace},
    watchdog::BUDGET,
};

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
    queue: Line<Letter<E>>,
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
    /// Its handler takes long, and goes on beside the slab, since then.
    pub(super) away: Option<Mono>,
    /// It is at rest and known only because somebody watches it, or because it waits for something.
    pub(super) is_dormant: bool,
    pub(super) watchers: Option<Arc<Watchers>>,
    processed: u64,
    busy_ns: u64,
    past: Option<Box<Past>>,
}

/// What only a key has that failed or was slow.
#[derive(Debug, Default)]
struct Past {
    restarts: u64,
    slow: Slow,
    last_exit: Option<ExitReason>,
    last_crash: Option<Crash>,
}

impl<E> Record<E> {
    pub(super) fn new(key: Arc<str>, serial: u64, life: u64) -> Self {
        Self {
            key,
            serial,
            life,
            queue: Line::default(),
            own: 0,
            pending: 0,
            batch: (0, 0),
            is_ready: false,
            revive: false,
            hold: Hold::Open,
            is_suspended: false,
            away: None,
            is_dormant: false,
            watchers: None,
            processed: 0,
            busy_ns: 0,
            past: None,
        }
    }

    pub(super) fn has_work(&self) -> bool {
        self.revive || !self.queue.is_empty()
    }

    pub(super) fn may_run(&self) -> bool {
        self.hold == Hold::Open && !self.is_suspended && self.away.is_none()
    }

    /// Whether what is told now may be handled at once.
    pub(super) fn is_free(&self) -> bool {
        self.may_run() && !self.has_work()
    }

    /// How many events of it are in this batch.
    pub(super) fn taken(&self, batch: u32) -> u32 {
        if self.batch.0 == batch { self.batch.1 } else { 0 }
    }

    /// Whether its machine may go: nothing waits, and nobody holds it back.
    pub(super) fn may_rest(&self) -> bool {
        !self.has_work() && !self.is_suspended && self.away.is_none()
    }

    /// Whether somebody watches it, or is just about to.
    pub(super) fn is_watched(&self) -> bool {
        let watchers = self.watchers.as_ref();
        watchers.is_some_and(|watchers| Arc::strong_count(watchers) > 1 || !watchers.is_empty())
    }

    /// Who is to be told of the end of this life, and what, but for the reason.
    pub(super) fn take_watchers(&mut self, slab: &str) -> Option<(Arc<Watchers>, Down)> {
        let watchers = self.watchers.take()?;
        let (path, incarnation) = (format!("{slab}/{}", self.key), self.incarnation());
        Some((watchers, Down { path, incarnation, reason: ExitReason::Normal }))
    }

    fn incarnation(&self) -> Incarnation {
        Incarnation(self.past.as_ref().map_or(0, |past| past.restarts) + 1)
    }

    /// Counts one event.
    pub(super) fn count(&mut self, busy_ns: u64) {
        self.processed += 1;
        self.busy_ns += busy_ns;
        let busy = Duration::from_nanos(busy_ns);
        if busy >= BUDGET {
            self.past.get_or_insert_default().slow.add(busy);
        }
    }

    pub(super) fn own_len(&self) -> usize {
        self.own as usize
    }

    pub(super) fn told_len(&self) -> usize {
        self.queue.len() - self.own_len()
    }

    pub(super) fn push_told(&mut self, event: Letter<E>) {
        self.queue.push_back(event);
    }

    pub(super) fn push_own(&mut self, event: Letter<E>) {
        self.queue.insert(self.own_len(), event);
        self.own += 1;
    }

    /// Gives back what was taken, in reverse order.
    pub(super) fn give_back(&mut self, event: Letter<E>, is_own: bool) {
        match is_own {
            true => {
                self.queue.insert(0, event);
                self.own += 1;
            }
            false => self.queue.insert(self.own_len(), event),
        }
    }

    /// The next event, and whether it is the key's own.
    pub(super) fn pop(&mut self) -> Option<(Letter<E>, bool)> {
        let event = self.queue.pop_front()?;
        let is_own = self.own > 0;
        self.own -= u32::from(is_own);
        Some((event, is_own))
    }

    /// Forgets the oldest told event; on whose behalf it was.
    pub(super) fn shed(&mut self) -> Trace {
        self.queue.remove(self.own_len()).map_or(Trace::NONE, |letter| letter.trace)
    }

    /// Forgets the key's own events; on whose behalf they were.
    pub(super) fn clear_own(&mut self) -> Vec<Trace> {
        let own = std::mem::take(&mut self.own);
        (0..own).filter_map(|_| self.queue.pop_front()).map(|letter| letter.trace).collect()
    }

    /// Forgets all events; on whose behalf they were.
    pub(super) fn clear(&mut self) -> Vec<Trace> {
        self.own = 0;
        self.queue.take().map(|letter| letter.trace).collect()
    }

    pub(super) fn ended(&mut self, reason: ExitReason) {
        let life = self.incarnation();
        let past = self.past.get_or_insert_default();
        past.last_crash = Crash::of(life, &reason).or(past.last_crash.take());
        past.last_exit = Some(reason);
    }

    pub(super) fn restarted(&mut self) {
        self.past.get_or_insert_default().restarts += 1;
    }

    pub(super) fn node(&self, slab: &str, spec: &SlabSpec) -> Node {
        let restarts = self.past.as_ref().map_or(0, |past| past.restarts);
        let mut node = Node {
            path: format!("{slab}/{}", self.key),
            address: Some(Address::new(spec.kind.clone(), &*self.key)),
            kind: NodeKind::Keyed,
            state: match self.hold {
                Hold::Open if self.is_suspended => NodeState::Suspended,
                Hold::Open => NodeState::Running,
                Hold::Waiting => NodeState::Waiting,
                Hold::Parked => NodeState::Parked,
            },
            incarnation: self.incarnation(),
            restarts,
            depth: self.queue.len() as u64,
            capacity: u64::from(spec.mailbox.capacity),
            refused: 0,
            busy_us: self.busy_ns / 1_000,
            processed: self.processed,
            slow: self.past.as_ref().map(|past| past.slow).unwrap_or_default(),
            last_exit: self.past.as_ref().and_then(|past| past.last_exit.clone()),
            last_crash: self.past.as_ref().and_then(|past| past.last_crash.clone()),
            about: None,
        };
        if let Some(since) = self.away {
            show_handling(&mut node, Clock.mono().since(since));
        }
        node
    }
}
