//! What waits for the keys of a slab, and which of them may run.
//!
//! Way in: [`Pool::take`].  Owns: one record for each key that is not at rest.
//! Invariants: 1. a key is in `ready` at most once.  2. a key that is held back is never handed
//! out.
//! 3. `waiting` is the number of all events in all records.
//! Time and order: the host takes a batch, and gives back what it has not handled whenever something
//! came that goes ahead of it.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use actors_core::{ExitReason, WhenFull};
use ractor::ActorRef;
use tokio::sync::Notify;

use super::{
    SlabSpec,
    record::{Hold, Spot},
    state::{Order, State},
};
use crate::{
    fault::Fault,
    mailbox::{Refusal, TellError, Wake},
    observer::{DeadReason, Morgue},
    task::lock,
    trace::{Letter, Trace},
};

/// Most ends of effects that may wait for one key.
const OWN_MAX: usize = 4_096;

/// Most events of one key that are taken at a time.
const RUN_MAX: u32 = 16;

/// What the slab does next.
pub(super) enum Taken {
    Stop,
    Fault(Fault),
    Order(Spot, Order),
    /// There is something in the batch.
    Batch,
    Idle,
}

/// One thing to be done for one key.
pub(super) struct Item<E> {
    pub(super) spot: Spot,
    pub(super) life: u64,
    /// `None`: the key starts again after a failure, even without an event.
    pub(super) event: Option<(Letter<E>, bool)>,
}

#[derive(Debug)]
pub(crate) struct Pool<E> {
    path: Arc<str>,
    spec: SlabSpec,
    /// Whether a stop waits until no key has work.
    drains: bool,
    pub(super) state: Mutex<State<E>>,
    /// Something came that goes ahead of what was taken.
    pub(super) is_urgent: AtomicBool,
    /// Told when a full mailbox has room, or when nothing more is taken.
    pub(super) room: Notify,
    pub(super) refused: AtomicU64,
    morgue: Arc<Morgue>,
}

impl<E: std::fmt::Debug + Send + 'static> Pool<E> {
    pub(super) fn new(
        path: Arc<str>,
        (spec, drains): (SlabSpec, bool),
        morgue: Arc<Morgue>,
    ) -> Arc<Self> {
        Arc::new(Self {
            path,
            spec,
            drains,
            state: Mutex::new(State::new()),
            is_urgent: AtomicBool::new(false),
            room: Notify::new(),
            refused: AtomicU64::new(0),
            morgue,
        })
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

    /// Sends one message to a key; `spot` remembers where it is.
    pub(super) async fn tell(
        &self,
        key: &str,
        spot: &mut Option<Spot>,
        event: E,
    ) -> Result<(), TellError<E>> {
        let mut event = match self.try_tell(key, spot, event) {
            Err(error) if self.waits_for(error.refusal) => error.event,
            result => return result,
        };
        loop {
            // Registered before the attempt, so that room made in between is not missed.
            let mut room = std::pin::pin!(self.room.notified());
            room.as_mut().enable();
            match self.try_tell(key, spot, event) {
                Err(error) if self.waits_for(error.refusal) => {
                    event = error.event;
                    room.await;
                }
                result => return result,
            }
        }
    }

    fn waits_for(&self, refusal: Refusal) -> bool {
        refusal == Refusal::Full && self.spec.mailbox.when_full == WhenFull::Wait
    }

    pub(super) fn try_tell(
        &self,
        key: &str,
        spot: &mut Option<Spot>,
        event: E,
    ) -> Result<(), TellError<E>> {
        let mut state = lock(&self.state);
        let state = &mut *state;
        if state.is_closed || (self.drains && state.stop_asked) {
            return Err(TellError { event, refusal: Refusal::Ended });
        }
        let known = spot.filter(|spot| state.at(*spot).is_some()).or_else(|| state.find(key));
        let at = match known {
            Some(at) => at,
            None if state.places.len() >= self.spec.keys_max as usize => {
                return Err(self.refuse(event));
            }
            None => state.insert(key),
        };
        *spot = Some(at);
        let Some(record) = state.at(at) else { return Err(self.refuse(event)) };
        if record.hold == Hold::Parked {
            return Err(TellError { event, refusal: Refusal::Parked });
        }
        let is_full = record.told_len() >= self.spec.mailbox.capacity as usize;
        if is_full && self.spec.mailbox.when_full != WhenFull::ShedOldest {
            return Err(self.refuse(event));
        }
        if is_full {
            let trace = record.shed();
            self.bury(&record.key, DeadReason::Shed, trace);
        }
        record.push_told(Letter::of(event));
        state.waiting += u64::from(!is_full);
        state.make_ready(at.place);
        Ok(())
    }

    fn refuse(&self, event: E) -> TellError<E> {
        self.refused.fetch_add(1, Ordering::Relaxed);
        TellError { event, refusal: Refusal::Full }
    }

    /// Adds the end of an effect of this life of the key; of another life, it is a dead letter.
    pub(super) fn push_own(&self, (key, spot, life): (&str, Spot, u64), event: E) {
        let mut state = lock(&self.state);
        let state = &mut *state;
        let batch = state.batches;
        match state.at(spot).filter(|record| record.life == life) {
            Some(record) if record.own_len() < OWN_MAX => {
                // It goes ahead of what was taken for this key and not handled.
                if record.batch.0 == batch && record.batch.1 > 1 {
                    self.is_urgent.store(true, Ordering::Relaxed);
                }
                record.push_own(Letter::of(event));
                state.waiting += 1;
                state.make_ready(spot.place);
            }
            Some(_) => {
                self.bury(key, DeadReason::Shed, Trace::current());
                let reason = ExitReason::Error(format!("more than {OWN_MAX} ends wait"));
                state.orders.push_back((spot, Order::End { life, reason }));
                self.is_urgent.store(true, Ordering::Relaxed);
                state.wake();
            }
            None => self.bury(key, DeadReason::Ended, Trace::current()),
        }
    }

    /// Notes a timer or task of this life of the key. False if that life is over.
    pub(super) fn begin(&self, spot: Spot, life: u64) -> bool {
        let mut state = lock(&self.state);
        let record = state.at(spot).filter(|record| record.life == life);
        record.map(|record| record.pending += 1).is_some()
    }

    pub(super) fn finish(&self, spot: Spot, life: u64) {
        let mut state = lock(&self.state);
        if let Some(record) = state.at(spot).filter(|record| record.life == life) {
            record.pending = record.pending.saturating_sub(1);
        }
    }

    pub(super) fn order(&self, spot: Spot, order: Order) {
        let mut state = lock(&self.state);
        state.orders.push_back((spot, order));
        self.is_urgent.store(true, Ordering::Relaxed);
        state.wake();
    }

    /// Whether what was taken and not handled is to be given back.
    pub(super) fn is_urgent(&self) -> bool {
        self.is_urgent.load(Ordering::Relaxed)
    }

    /// Takes at most `max` events into `batch`, unless something goes ahead of them.
    pub(super) fn take(&self, batch: &mut Vec<Item<E>>, max: usize) -> Taken {
        let mut state = lock(&self.state);
        let state = &mut *state;
        self.is_urgent.store(false, Ordering::Relaxed);
        if let Some(fault) = state.fault.take() {
            return Taken::Fault(fault);
        }
        if self.is_stop_due(state) {
            return Taken::Stop;
        }
        if let Some((spot, order)) = state.next_order() {
            return Taken::Order(spot, order);
        }
        if state.is_suspended && !state.stop_asked {
            state.is_awake = false;
            return Taken::Idle;
        }
        state.batches = state.batches.wrapping_add(1);
        let (number, mut has_room) = (state.batches, false);
        while batch.len() < max {
            let Some(place) = state.ready.pop_front() else { break };
            let Some(Some(record)) = state.records.get_mut(place as usize) else { continue };
            record.is_ready = false;
            if !record.may_run() {
                continue;
            }
            record.is_dormant = false;
            let (spot, life) = (Spot { place, serial: record.serial }, record.life);
            if std::mem::take(&mut record.revive) {
                batch.push(Item { spot, life, event: None });
            }
            has_room |= record.told_len() >= self.spec.mailbox.capacity as usize;
            let mut run = 0;
            while run < RUN_MAX && batch.len() < max {
                let Some(taken) = record.pop() else { break };
                batch.push(Item { spot, life, event: Some(taken) });
                run += 1;
            }
            let before = if record.batch.0 == number { record.batch.1 } else { 0 };
            record.batch = (number, before + run);
            state.waiting -= u64::from(run);
            state.make_ready(place);
        }
        if has_room {
            self.room.notify_waiters();
        }
        if batch.is_empty() {
            state.is_awake = false;
            return Taken::Idle;
        }
        Taken::Batch
    }

    /// Gives back what was taken and not handled.
    pub(super) fn give_back(&self, batch: &mut Vec<Item<E>>) {
        let mut state = lock(&self.state);
        let state = &mut *state;
        for Item { spot, life, event } in batch.drain(..).rev() {
            let Some(record) = state.at(spot) else { continue };
            match event {
                None => record.revive = true,
                // The end of an effect of a life that is over.
                Some((letter, true)) if record.life != life => {
                    self.bury(&record.key, DeadReason::Ended, letter.trace);
                    continue;
                }
                Some((event, is_own)) => {
                    record.give_back(event, is_own);
                    state.waiting += 1;
                }
            }
            state.make_ready(spot.place);
        }
    }

    /// Lets the actor look at its other ports before it goes on.
    pub(super) fn wake_again(&self) {
        let mut state = lock(&self.state);
        state.is_awake = false;
        state.wake();
    }

    fn is_stop_due(&self, state: &State<E>) -> bool {
        state.stop_asked && (!self.drains || (state.ready.is_empty() && state.away == 0))
    }

    /// Whether there is anything to be done.
    pub(super) fn has_work(&self) -> bool {
        let state = lock(&self.state);
        let is_held = state.is_suspended && !state.stop_asked;
        state.fault.is_some()
            || self.is_stop_due(&state)
            || state.has_order()
            || (!is_held && !state.ready.is_empty())
    }

    /// Nobody else is handed this key until it is back.
    pub(super) fn send_away(&self, spot: Spot) {
        let mut state = lock(&self.state);
        let Some(record) = state.at(spot) else { return };
        if !std::mem::replace(&mut record.is_away, true) {
            state.away += 1;
        }
    }

    pub(super) fn come_back(&self, spot: Spot) {
        let mut state = lock(&self.state);
        let state = &mut *state;
        let Some(record) = state.at(spot) else { return };
        if std::mem::take(&mut record.is_away) {
            state.away -= 1;
        }
        state.make_ready(spot.place);
        // Orders and a stop may wait for it.
        state.wake();
    }

    /// Counts what was handled. Leaves those of `done` whose machines may go: nothing waits for them.
    pub(super) fn settle(&self, done: &mut Vec<Done>) {
        let mut state = lock(&self.state);
        done.retain(|one| {
            let Some(record) = state.at(one.spot) else { return false };
            record.count(one.busy_ns);
            one.may_rest && record.may_rest()
        });
    }

    /// Forgets keys at rest, unless a timer or task is under way or an event came meanwhile.
    pub(super) fn rest(&self, spots: impl Iterator<Item = Spot>) {
        let mut state = lock(&self.state);
        for spot in spots {
            let Some(record) = state.at(spot) else { continue };
            if record.pending == 0 && record.may_rest() {
                // Whoever watches it wants its end, and this is none.
                match record.is_watched() {
                    true => record.is_dormant = true,
                    false => drop(state.remove(spot)),
                }
            }
        }
    }

    /// Ends a life of a key: its own events, timers and tasks are void. What others sent waits on.
    pub(super) fn fail(&self, spot: Spot, reason: ExitReason, hold: Hold) {
        self.end(spot, &reason);
        let mut state = lock(&self.state);
        let state = &mut *state;
        state.numbers += 1;
        let life = state.numbers;
        let Some(record) = state.at(spot) else { return };
        let own = record.clear_own();
        let mut dead = self.bury_all(&record.key, DeadReason::Ended, &own);
        if hold == Hold::Parked {
            let told = record.clear();
            dead += self.bury_all(&record.key, DeadReason::Parked, &told);
            self.room.notify_waiters();
        }
        record.life = life;
        record.pending = 0;
        record.hold = hold;
        record.ended(reason);
        state.waiting -= dead;
    }

    /// Tells whoever watches a key of the end of its life.
    pub(super) fn end(&self, spot: Spot, reason: &ExitReason) {
        let ended = lock(&self.state).at(spot).and_then(|record| record.take_watchers(&self.path));
        if let Some((watchers, mut down)) = ended {
            down.reason = reason.clone();
            watchers.end(&down);
        }
    }

    /// Lets a key run again, even if nothing waits for it.
    pub(super) fn revive(&self, spot: Spot) {
        let mut state = lock(&self.state);
        let Some(record) = state.at(spot) else { return };
        record.hold = Hold::Open;
        record.is_suspended = false;
        record.revive = true;
        record.restarted();
        state.make_ready(spot.place);
    }

    /// Forgets a key; what waits for it becomes dead letters.
    pub(super) fn forget(&self, spot: Spot) {
        self.end(spot, &ExitReason::Lost("there is no such thing".to_owned()));
        let mut state = lock(&self.state);
        let Some(mut record) = state.remove(spot) else { return };
        let dead = record.clear();
        state.waiting -= self.bury_all(&record.key, DeadReason::Ended, &dead);
        self.room.notify_waiters();
    }

    /// The key's name and life.
    pub(super) fn known(&self, spot: Spot) -> Option<(Arc<str>, u64)> {
        let mut state = lock(&self.state);
        state.at(spot).map(|record| (Arc::clone(&record.key), record.life))
    }

    /// Holds a key back, whatever waits for it, or lets it go on.
    pub(super) fn suspend_key(&self, spot: Spot, is_suspended: bool) -> bool {
        let mut state = lock(&self.state);
        let state = &mut *state;
        let Some(record) = state.at(spot) else { return false };
        record.is_suspended = is_suspended;
        // One that has nothing to do may rest again.
        record.revive |= !is_suspended && record.hold == Hold::Open;
        self.is_urgent.store(true, Ordering::Relaxed);
        state.make_ready(spot.place);
        true
    }

    pub(super) fn bury(&self, key: &str, reason: DeadReason, trace: Trace) {
        self.morgue.add::<E>(&format!("{}/{key}", self.path), reason, trace);
    }

    /// How many there were.
    pub(super) fn bury_all(&self, key: &str, reason: DeadReason, traces: &[Trace]) -> u64 {
        traces.iter().for_each(|trace| self.bury(key, reason, *trace));
        traces.len() as u64
    }
}

/// One thing that was handled.
#[derive(Debug, Clone, Copy)]
pub(super) struct Done {
    pub(super) spot: Spot,
    pub(super) busy_ns: u64,
    /// Whether the machine says so.
    pub(super) may_rest: bool,
}
