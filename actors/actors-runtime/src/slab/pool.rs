//! What waits for the keys of a slab, and which of them may run.
//!
//! Way in: [`Pool::next`].  Owns: one record for each key that is not at rest.
//! Invariants: 1. a key is in `ready` at most once.  2. a key that is held back is never handed
//! out.
//! 3. `waiting` is the number of all events in all records.

use std::{
    any::Any,
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use actors_core::{Address, ExitReason, Incarnation, WhenFull};
use ractor::ActorRef;
use tokio::sync::Notify;

use super::SlabSpec;
use crate::{
    fault::Fault,
    life::{AnyMailbox, KeyCommand, Levels},
    mailbox::{Refusal, TellError, Wake},
    observer::{DeadReason, Morgue, Node, NodeKind, NodeState},
    task::lock,
};

/// Most ends of effects that may wait for one key.
const OWN_MAX: usize = 4_096;

/// What the slab does next.
pub(super) enum Next<E> {
    Stop,
    Fault(Fault),
    Order(Arc<str>, Order),
    /// A key starts again after a failure; it may have no event.
    Revive(Arc<str>, u64),
    Event(Arc<str>, u64, E),
    Idle,
}

/// What happens to a key besides events.
#[derive(Debug)]
pub(super) enum Order {
    End { life: u64, reason: ExitReason },
    Inject(Fault),
    Unpark,
    Waited { incarnation: Incarnation },
}

/// Whether a key may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    Open,
    Waiting,
    Parked,
}

#[derive(Debug)]
pub(crate) struct Pool<E> {
    path: Arc<str>,
    spec: SlabSpec,
    /// Whether a stop waits until no key has work.
    drains: bool,
    state: Mutex<State<E>>,
    /// Told when a full mailbox has room, or when nothing more is taken.
    room: Notify,
    refused: AtomicU64,
    morgue: Arc<Morgue>,
}

#[derive(Debug)]
struct State<E> {
    records: BTreeMap<Arc<str>, Record<E>>,
    ready: VecDeque<Arc<str>>,
    orders: VecDeque<(Arc<str>, Order)>,
    lives: u64,
    waiting: u64,
    actor: Option<ActorRef<Wake>>,
    is_awake: bool,
    is_closed: bool,
    stop_asked: bool,
    fault: Option<Fault>,
}

#[derive(Debug)]
struct Record<E> {
    life: u64,
    own: VecDeque<E>,
    told: VecDeque<E>,
    is_ready: bool,
    revive: bool,
    hold: Hold,
    /// Timers and tasks under way.
    pending: u32,
    restarts: u64,
    last_exit: Option<ExitReason>,
    processed: u64,
    busy: Duration,
}

impl<E> Record<E> {
    fn new(life: u64) -> Self {
        Self {
            life,
            own: VecDeque::new(),
            told: VecDeque::new(),
            is_ready: false,
            revive: false,
            hold: Hold::Open,
            pending: 0,
            restarts: 0,
            last_exit: None,
            processed: 0,
            busy: Duration::ZERO,
        }
    }

    fn has_work(&self) -> bool {
        self.revive || !self.own.is_empty() || !self.told.is_empty()
    }
}

impl<E> State<E> {
    fn wake(&mut self) {
        if self.is_awake {
            return;
        }
        if let Some(actor) = &self.actor {
            self.is_awake = actor.send_message(Wake).is_ok();
        }
    }

    /// Puts a key in the row if it has work and may run.
    fn make_ready(&mut self, key: &Arc<str>) {
        let Some(record) = self.records.get_mut(key) else { return };
        if record.hold == Hold::Open && record.has_work() && !record.is_ready {
            record.is_ready = true;
            self.ready.push_back(Arc::clone(key));
            self.wake();
        }
    }
}

impl<E: std::fmt::Debug + Send + 'static> Pool<E> {
    pub(super) fn new(
        path: Arc<str>,
        (spec, drains): (SlabSpec, bool),
        morgue: Arc<Morgue>,
    ) -> Arc<Self> {
        let state = State {
            records: BTreeMap::new(),
            ready: VecDeque::new(),
            orders: VecDeque::new(),
            lives: 0,
            waiting: 0,
            actor: None,
            is_awake: false,
            is_closed: false,
            stop_asked: false,
            fault: None,
        };
        let (room, refused) = (Notify::new(), AtomicU64::new(0));
        Arc::new(Self { path, spec, drains, state: Mutex::new(state), room, refused, morgue })
    }

    pub(super) fn spec(&self) -> &SlabSpec {
        &self.spec
    }

    pub(super) fn path(&self) -> &Arc<str> {
        &self.path
    }

    pub(super) fn attach(&self, actor: ActorRef<Wake>) {
        let mut state = lock(&self.state);
        state.actor = Some(actor);
        state.wake();
    }

    pub(super) async fn tell(&self, key: &str, event: E) -> Result<(), TellError<E>> {
        let mut event = event;
        loop {
            // Registered before the attempt, so that room made in between is not missed.
            let mut room = std::pin::pin!(self.room.notified());
            room.as_mut().enable();
            match self.try_tell(key, event) {
                Err(error)
                    if error.refusal == Refusal::Full
                        && self.spec.mailbox.when_full == WhenFull::Wait =>
                {
                    event = error.event;
                    room.await;
                }
                result => return result,
            }
        }
    }

    pub(super) fn try_tell(&self, key: &str, event: E) -> Result<(), TellError<E>> {
        let mut state = lock(&self.state);
        let state = &mut *state;
        if state.is_closed || (self.drains && state.stop_asked) {
            return Err(TellError { event, refusal: Refusal::Ended });
        }
        let key = match state.records.get_key_value(key) {
            Some((key, _)) => Arc::clone(key),
            None if state.records.len() >= self.spec.keys_max as usize => {
                return Err(self.refuse(event));
            }
            None => {
                let key: Arc<str> = key.into();
                state.lives += 1;
                state.records.insert(Arc::clone(&key), Record::new(state.lives));
                key
            }
        };
        let Some(record) = state.records.get_mut(&key) else { return Err(self.refuse(event)) };
        if record.hold == Hold::Parked {
            return Err(TellError { event, refusal: Refusal::Parked });
        }
        if record.told.len() >= self.spec.mailbox.capacity as usize {
            if self.spec.mailbox.when_full != WhenFull::ShedOldest {
                return Err(self.refuse(event));
            }
            record.told.pop_front();
            state.waiting -= 1;
            self.bury(&key, DeadReason::Shed);
        }
        record.told.push_back(event);
        state.waiting += 1;
        state.make_ready(&key);
        Ok(())
    }

    fn refuse(&self, event: E) -> TellError<E> {
        self.refused.fetch_add(1, Ordering::Relaxed);
        TellError { event, refusal: Refusal::Full }
    }

    /// Adds the end of an effect of this life of the key; of another life, it is a dead letter.
    pub(super) fn push_own(&self, key: &Arc<str>, life: u64, event: E) {
        let mut state = lock(&self.state);
        let state = &mut *state;
        match state.records.get_mut(key).filter(|record| record.life == life) {
            Some(record) if record.own.len() < OWN_MAX => {
                record.own.push_back(event);
                state.waiting += 1;
                state.make_ready(key);
            }
            Some(_) => {
                self.bury(key, DeadReason::Shed);
                let reason = ExitReason::Error(format!("more than {OWN_MAX} ends wait"));
                state.orders.push_back((Arc::clone(key), Order::End { life, reason }));
                state.wake();
            }
            None => self.bury(key, DeadReason::Ended),
        }
    }

    /// Notes a timer or task of this life of the key. False if that life is over.
    pub(super) fn begin(&self, key: &Arc<str>, life: u64) -> bool {
        let mut state = lock(&self.state);
        let record = state.records.get_mut(key).filter(|record| record.life == life);
        record.map(|record| record.pending += 1).is_some()
    }

    pub(super) fn finish(&self, key: &Arc<str>, life: u64) {
        let mut state = lock(&self.state);
        if let Some(record) = state.records.get_mut(key).filter(|record| record.life == life) {
            record.pending = record.pending.saturating_sub(1);
        }
    }

    pub(super) fn order(&self, key: &Arc<str>, order: Order) {
        let mut state = lock(&self.state);
        state.orders.push_back((Arc::clone(key), order));
        state.wake();
    }

    pub(super) fn next(&self) -> Next<E> {
        let mut state = lock(&self.state);
        let state = &mut *state;
        if let Some(fault) = state.fault.take() {
            return Next::Fault(fault);
        }
        if state.stop_asked && (!self.drains || state.ready.is_empty()) {
            return Next::Stop;
        }
        if let Some((key, order)) = state.orders.pop_front() {
            return Next::Order(key, order);
        }
        while let Some(key) = state.ready.pop_front() {
            let Some(record) = state.records.get_mut(&key) else { continue };
            record.is_ready = false;
            if record.hold != Hold::Open {
                continue;
            }
            let life = record.life;
            if std::mem::take(&mut record.revive) {
                state.make_ready(&key);
                return Next::Revive(key, life);
            }
            let Some(event) = record.own.pop_front().or_else(|| record.told.pop_front()) else {
                continue;
            };
            if record.told.len() + 1 >= self.spec.mailbox.capacity as usize {
                self.room.notify_waiters();
            }
            state.waiting -= 1;
            state.make_ready(&key);
            return Next::Event(key, life, event);
        }
        state.is_awake = false;
        Next::Idle
    }

    /// Lets the actor look at its other ports before it goes on.
    pub(super) fn wake_again(&self) {
        let mut state = lock(&self.state);
        state.is_awake = false;
        state.wake();
    }

    /// Counts one event. Says whether nothing waits for the key, so that it may rest.
    pub(super) fn handled(&self, key: &Arc<str>, busy: Duration) -> bool {
        let mut state = lock(&self.state);
        let Some(record) = state.records.get_mut(key) else { return false };
        record.processed += 1;
        record.busy += busy;
        !record.has_work()
    }

    /// Forgets a key at rest, unless a timer or task of it is under way or an event came meanwhile.
    pub(super) fn rest(&self, key: &Arc<str>) {
        let mut state = lock(&self.state);
        if state.records.get(key).is_some_and(|record| record.pending == 0 && !record.has_work()) {
            state.records.remove(key);
        }
    }

    /// Ends a life of a key: its own events, timers and tasks are void. What others sent waits on.
    pub(super) fn fail(&self, key: &Arc<str>, reason: ExitReason, hold: Hold) {
        let mut state = lock(&self.state);
        let state = &mut *state;
        state.lives += 1;
        let Some(record) = state.records.get_mut(key) else { return };
        let mut dead = record.own.len();
        record.own.clear();
        (0..dead).for_each(|_| self.bury(key, DeadReason::Ended));
        if hold == Hold::Parked {
            (0..record.told.len()).for_each(|_| self.bury(key, DeadReason::Parked));
            dead += record.told.len();
            record.told.clear();
            self.room.notify_waiters();
        }
        state.waiting -= dead as u64;
        record.life = state.lives;
        record.pending = 0;
        record.hold = hold;
        record.last_exit = Some(reason);
    }

    /// Lets a key run again, even if nothing waits for it.
    pub(super) fn revive(&self, key: &Arc<str>) {
        let mut state = lock(&self.state);
        let Some(record) = state.records.get_mut(key) else { return };
        record.hold = Hold::Open;
        record.revive = true;
        record.restarts += 1;
        state.make_ready(key);
    }

    /// Forgets a key; what waits for it becomes dead letters.
    pub(super) fn forget(&self, key: &Arc<str>) {
        let mut state = lock(&self.state);
        let Some(record) = state.records.remove(key) else { return };
        let dead = record.own.len() + record.told.len();
        state.waiting -= dead as u64;
        (0..dead).for_each(|_| self.bury(key, DeadReason::Ended));
        self.room.notify_waiters();
    }

    pub(super) fn life_of(&self, key: &str) -> Option<u64> {
        lock(&self.state).records.get(key).map(|record| record.life)
    }

    pub(super) fn bury(&self, key: &str, reason: DeadReason) {
        self.morgue.add::<E>(&format!("{}/{key}", self.path), reason);
    }

    fn node(&self, key: &str, record: &Record<E>) -> Node {
        Node {
            path: format!("{}/{key}", self.path),
            address: Some(Address::new(self.spec.kind.clone(), key)),
            kind: NodeKind::Keyed,
            state: match record.hold {
                Hold::Open => NodeState::Running,
                Hold::Waiting => NodeState::Waiting,
                Hold::Parked => NodeState::Parked,
            },
            incarnation: Incarnation(record.restarts + 1),
            restarts: record.restarts,
            depth: (record.own.len() + record.told.len()) as u64,
            capacity: u64::from(self.spec.mailbox.capacity),
            refused: 0,
            busy_us: u64::try_from(record.busy.as_micros()).unwrap_or(u64::MAX),
            processed: record.processed,
            last_exit: record.last_exit.clone(),
            about: None,
        }
    }
}

impl<E: std::fmt::Debug + Send + 'static> AnyMailbox for Pool<E> {
    fn request_stop(&self) {
        let mut state = lock(&self.state);
        state.stop_asked = true;
        state.wake();
    }

    fn inject(&self, fault: Fault) {
        let mut state = lock(&self.state);
        state.fault = Some(fault);
        state.wake();
    }

    fn close(&self) {
        let records = {
            let mut state = lock(&self.state);
            state.is_closed = true;
            state.actor = None;
            state.waiting = 0;
            std::mem::take(&mut state.records)
        };
        for (key, record) in &records {
            let dead = record.own.len() + record.told.len();
            (0..dead).for_each(|_| self.bury(key, DeadReason::Ended));
        }
        self.room.notify_waiters();
    }

    fn levels(&self) -> Levels {
        Levels {
            depth: lock(&self.state).waiting,
            capacity: u64::from(self.spec.keys_max) * u64::from(self.spec.mailbox.capacity),
            refused: self.refused.load(Ordering::Relaxed),
        }
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }

    fn keyed_nodes(&self) -> Vec<Node> {
        let state = lock(&self.state);
        state.records.iter().map(|(key, record)| self.node(key, record)).collect()
    }

    fn command(&self, key: &str, command: KeyCommand) -> bool {
        let known = lock(&self.state).records.get_key_value(key).map(|(key, _)| Arc::clone(key));
        let Some(key) = known else { return false };
        let order = match command {
            KeyCommand::Inject(fault) => Order::Inject(fault),
            KeyCommand::Unpark => Order::Unpark,
        };
        self.order(&key, order);
        true
    }
}
