//! What waits for the keys of a slab, and which of them may run.
//!
//! Way in: [`Pool::tell`].  Owns: one record for each key that is not at rest, and the hall.
//! Invariants: 1. a key is in `ready` at most once.  2. a key that is held back is never handed
//! out.
//! 3. `waiting` is the number of all events in all records.
//! Time and order: senders need the hall alone as long as they know the key and it has room, so that
//! whoever runs the slab holds them up only while it empties that.

use std::{
    ops::Deref,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use actors_core::{ExitReason, Mono, WhenFull};
use ractor::ActorRef;
use tokio::sync::Notify;

use super::{
    SlabSpec,
    hall::Hall,
    record::{Hold, Record, Spot},
    state::{Order, State},
};
use crate::{
    mailbox::{Refusal, TellError, Wake},
    observer::{DeadReason, Morgue},
    task::lock,
    trace::{Letter, Trace},
};

/// Most ends of effects that may wait for one key.
const OWN_MAX: usize = 4_096;

/// What one core writes often is in no line of memory that another one needs.
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct Apart<T>(T);

impl<T> Deref for Apart<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

#[derive(Debug)]
pub(crate) struct Pool<E> {
    path: Arc<str>,
    spec: SlabSpec,
    /// Whether a stop waits until no key has work.
    pub(super) drains: bool,
    pub(super) state: Apart<Mutex<State<E>>>,
    /// Locked after the state, by whoever needs both.
    pub(super) hall: Apart<Mutex<Hall<E>>>,
    /// Something came that goes ahead of what was taken.
    pub(super) is_urgent: Apart<AtomicBool>,
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
            state: Apart(Mutex::new(State::new())),
            hall: Apart(Mutex::new(Hall::new())),
            is_urgent: Apart(AtomicBool::new(false)),
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
        let mut hall = lock(&self.hall);
        hall.set_actor(Some(actor));
        hall.wake();
    }

    /// Somebody comes for what is ready, or for orders.
    pub(super) fn wake(&self, state: &State<E>) {
        if !state.is_awake {
            lock(&self.hall).wake();
        }
    }

    /// Gives to the records what was told and not taken.
    pub(super) fn absorb(&self, state: &mut State<E>, hall: &mut Hall<E>) {
        state.absorb();
        if !hall.is_empty() {
            hall.take(&mut state.told);
            state.absorb();
        }
    }

    fn make_ready(&self, state: &mut State<E>, place: u32) {
        if state.make_ready(place) {
            self.wake(state);
        }
    }

    /// Sends one message to a key; `spot` remembers where it is.
    pub(super) async fn tell(
        &self,
        key: &str,
        spot: &mut Option<Spot>,
        event: E,
    ) -> Result<(), TellError<E>> {
        match self.try_tell(key, spot, event) {
            Err(error) if self.waits_for(error.refusal) => {
                self.tell_later(key, spot, error.event).await
            }
            result => result,
        }
    }

    /// Sends one message to a key as soon as there is room for it.
    pub(super) async fn tell_later(
        &self,
        key: &str,
        spot: &mut Option<Spot>,
        mut event: E,
    ) -> Result<(), TellError<E>> {
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

    pub(super) fn waits_for(&self, refusal: Refusal) -> bool {
        refusal == Refusal::Full && self.spec.mailbox.when_full == WhenFull::Wait
    }

    /// Sends one message to a key without waiting.
    #[inline]
    pub(super) fn try_tell(
        &self,
        key: &str,
        spot: &mut Option<Spot>,
        event: E,
    ) -> Result<(), TellError<E>> {
        let Some(known) = *spot else { return self.tell_closely(key, spot, event) };
        self.push(known, event).or_else(|event| self.tell_closely(key, spot, event))
    }

    /// Sends one message to a key that has room; hands it back if somebody has to look closely.
    #[inline]
    pub(super) fn push(&self, spot: Spot, event: E) -> Result<(), E> {
        lock(&self.hall).push(spot, event)
    }

    /// Sends one message to a key that is not known, or that may have no room.
    fn tell_closely(
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
        let mut hall = lock(&self.hall);
        let hall = &mut *hall;
        let Err(event) = hall.push(at, event) else { return Ok(()) };
        if known.is_some() {
            // Now it has to be known how many wait.
            state.absorb();
        }
        let waiting = state.at(at).map_or(0, |record| record.told_len()) + hall.came(at);
        let room = (self.spec.mailbox.capacity as usize).saturating_sub(waiting);
        if room == 0 && self.spec.mailbox.when_full != WhenFull::ShedOldest {
            hall.is_awaited = true;
            return Err(self.refuse(event));
        }
        if room == 0 {
            self.absorb(state, hall);
            if let Some(record) = state.at(at) {
                let trace = record.shed();
                self.bury(&record.key, DeadReason::Shed, trace);
                state.waiting -= 1;
            }
        }
        hall.open(at, room.max(1));
        hall.push(at, event).map_err(|event| self.refuse(event))
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
                self.make_ready(state, spot.place);
            }
            Some(_) => {
                self.bury(key, DeadReason::Shed, Trace::current());
                let reason = ExitReason::Error(format!("more than {OWN_MAX} ends wait"));
                state.orders.push_back((spot, Order::End { life, reason }));
                self.is_urgent.store(true, Ordering::Relaxed);
                self.wake(state);
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
        self.wake(&state);
    }

    /// Nobody else is handed this key until it is back.
    pub(super) fn send_away(&self, spot: Spot, now: Mono) {
        let mut state = lock(&self.state);
        let Some(record) = state.at(spot) else { return };
        if record.away.replace(now).is_none() {
            state.away += 1;
        }
    }

    pub(super) fn come_back(&self, spot: Spot) {
        let mut state = lock(&self.state);
        let state = &mut *state;
        let Some(record) = state.at(spot) else { return };
        if record.away.take().is_some() {
            state.away -= 1;
        }
        state.make_ready(spot.place);
        // Orders and a stop may wait for it.
        self.wake(state);
    }

    /// Ends a life of a key: its own events, timers and tasks are void. What others sent waits on.
    pub(super) fn fail(&self, spot: Spot, reason: ExitReason, hold: Hold) {
        self.end(spot, &reason);
        let mut state = lock(&self.state);
        let state = &mut *state;
        state.numbers += 1;
        let life = state.numbers;
        if hold == Hold::Parked {
            // Nothing else comes.
            let mut hall = lock(&self.hall);
            self.absorb(state, &mut hall);
            hall.narrow(spot.place);
        }
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
        // It is to be started again, or is parked: neither is forgotten.
        record.is_dormant = false;
        record.ended(reason);
        state.waiting -= dead;
    }

    /// Tells whoever watches a key of the end of its life.
    pub(super) fn end(&self, spot: Spot, reason: &ExitReason) {
        let ended = lock(&self.state).at(spot).and_then(|record| record.take_watchers(&self.path));
        if let Some((watchers, mut down)) = ended {
            down.reason = reason.clone();
            watchers.end(down);
        }
    }

    /// Lets a key run again, even if nothing waits for it.
    pub(super) fn revive(&self, spot: Spot) {
        let mut state = lock(&self.state);
        let state = &mut *state;
        let Some(record) = state.at(spot) else { return };
        record.hold = Hold::Open;
        record.is_suspended = false;
        record.revive = true;
        record.restarted();
        self.make_ready(state, spot.place);
    }

    /// Forgets a key; what waits for it becomes dead letters.
    pub(super) fn forget(&self, spot: Spot) {
        self.end(spot, &ExitReason::Lost("there is no such thing".to_owned()));
        let mut state = lock(&self.state);
        let state = &mut *state;
        let removed = {
            let mut hall = lock(&self.hall);
            self.absorb(state, &mut hall);
            Self::remove(state, &mut hall, spot)
        };
        let Some(mut record) = removed else { return };
        let dead = record.clear();
        state.waiting -= self.bury_all(&record.key, DeadReason::Ended, &dead);
        self.room.notify_waiters();
    }

    /// Gives up a place for which nothing is in the hall.
    pub(super) fn remove(
        state: &mut State<E>,
        hall: &mut Hall<E>,
        spot: Spot,
    ) -> Option<Record<E>> {
        let record = state.remove(spot)?;
        match state.records.is_empty() {
            true => hall.shut_all(),
            false => hall.shut(spot.place),
        }
        Some(record)
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
        self.make_ready(state, spot.place);
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
