//! What is taken of all that waits for the keys of a slab, and what becomes of it.
//!
//! Way in: [`Pool::take`].  Never: a machine.
//! Time and order: whoever runs the slab takes a batch, and gives back what it has not handled whenever
//! something came that goes ahead of it. Keys that wait take turns; what is told while none does is
//! taken as it came.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, atomic::Ordering},
};

use super::{
    Pool,
    record::Spot,
    state::{Order, State},
};
use crate::{
    fault::Fault,
    observer::DeadReason,
    task::lock,
    trace::{Letter, Trace},
};

/// Most events of one key that are taken at a time.
const RUN_MAX: u32 = 16;

/// How often somebody tries to get in who holds others up if it sleeps for that.
const TRIES: u32 = 100;

/// How long it waits in between.
const BETWEEN: u32 = 8;

/// How often somebody who has handled much looks for more before it leaves: some microseconds in all,
/// much less than it takes to be called again.
const LOOKS: u32 = 2;

/// How long it waits between two looks: some microseconds.
const PAUSES: u32 = 384;

/// As many are worth coming for.
const ENOUGH: usize = 128;

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
    /// On whose behalf. It is not a part of the event, for what is optional is copied once more.
    pub(super) trace: Trace,
    /// `None`: the key starts again after a failure, even without an event.
    pub(super) event: Option<E>,
    /// Whether it is the key's own.
    pub(super) is_own: bool,
}

impl<E> Item<E> {
    fn new((spot, life): (Spot, u64), Letter { event, trace }: Letter<E>, is_own: bool) -> Self {
        Self { spot, life, trace, event: Some(event), is_own }
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

impl<E: std::fmt::Debug + Send + 'static> Pool<E> {
    /// Whether what was taken and not handled is to be given back.
    pub(super) fn is_urgent(&self) -> bool {
        self.is_urgent.load(Ordering::Relaxed)
    }

    /// Takes at most `max` events into the empty `batch`, unless something goes ahead of them.
    pub(super) fn take(&self, batch: &mut VecDeque<Item<E>>, max: usize) -> Taken {
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
            lock(&self.hall).sleep();
            return Taken::Idle;
        }
        state.batches = state.batches.wrapping_add(1);
        state.is_awake = true;
        loop {
            // What waits for its turn goes first, but what is told does not wait for all of it.
            take_ready(state, batch, max.div_ceil(2));
            let mut is_awaited = state.told.len() == 0 && self.empty_hall(state);
            take_told(state, batch, max);
            take_ready(state, batch, max);
            let is_done = batch.is_empty() && state.ready.is_empty();
            let (mut is_idle, mut spare) = (false, None);
            if is_done {
                let mut hall = lock(&self.hall);
                is_idle = hall.is_empty();
                if is_idle {
                    state.is_awake = false;
                    hall.sleep();
                    is_awaited |= hall.is_awaited;
                    spare = hall.take_spare();
                }
            }
            if is_awaited && (is_idle || !batch.is_empty()) {
                lock(&self.hall).is_awaited = false;
                self.room.notify_waiters();
            }
            if is_idle {
                drop((spare, state.told.take_spare()));
                return Taken::Idle;
            }
            if !batch.is_empty() {
                return Taken::Batch;
            }
        }
    }

    /// Whether somebody waits for room.
    fn empty_hall(&self, state: &mut State<E>) -> bool {
        let mut hall = lock_soon(&self.hall);
        if !hall.is_empty() {
            hall.take(&mut state.told);
        }
        hall.is_awaited
    }

    /// Gives back what was taken and not handled.
    pub(super) fn give_back(&self, batch: &mut VecDeque<Item<E>>) {
        let mut state = lock(&self.state);
        let state = &mut *state;
        let mut hall = lock(&self.hall);
        for Item { spot, life, trace, event, is_own } in batch.drain(..).rev() {
            let Some(record) = state.at(spot) else { continue };
            match event {
                None => record.revive = true,
                // The end of an effect of a life that is over.
                Some(_) if is_own && record.life != life => {
                    self.bury(&record.key, DeadReason::Ended, trace);
                    continue;
                }
                Some(event) => {
                    record.give_back(Letter { event, trace }, is_own);
                    state.waiting += 1;
                    hall.narrow(spot.place);
                }
            }
            if state.make_ready(spot.place) {
                hall.wake();
            }
        }
    }

    /// Waits a moment for more, if there is little.
    pub(super) fn linger(&self) {
        let has_more = {
            let state = lock(&self.state);
            !state.ready.is_empty() || state.told.len() > 0
        };
        if has_more {
            return;
        }
        for _ in 0..LOOKS {
            let is_little = self.hall.try_lock().is_ok_and(|hall| hall.len() < ENOUGH);
            if !is_little || self.is_urgent() {
                return;
            }
            (0..PAUSES).for_each(|_| std::hint::spin_loop());
        }
    }

    /// Lets the actor look at its other ports before it goes on.
    pub(super) fn wake_again(&self) {
        let mut state = lock(&self.state);
        state.is_awake = false;
        let mut hall = lock(&self.hall);
        hall.sleep();
        hall.wake();
    }

    fn is_stop_due(&self, state: &State<E>) -> bool {
        // Of an actor that drains everything is in the records then.
        state.stop_asked && (!self.drains || (state.ready.is_empty() && state.away == 0))
    }

    /// Whether there is anything to be done.
    pub(super) fn has_work(&self) -> bool {
        let state = lock(&self.state);
        let is_held = state.is_suspended && !state.stop_asked;
        let is_told = || state.told.len() > 0 || !lock(&self.hall).is_empty();
        state.fault.is_some()
            || self.is_stop_due(&state)
            || state.has_order()
            || (!is_held && (!state.ready.is_empty() || is_told()))
    }

    /// Counts what was handled. Leaves those of `done` whose machines may go: nothing waits for them.
    pub(super) fn settle(&self, done: &mut Vec<Done>) {
        let mut state = lock(&self.state);
        done.retain(|one| {
            let Some(record) = state.at(one.spot) else { return false };
            record.count(one.busy_ns);
            one.may_rest && record.may_rest()
        });
        if !done.is_empty() {
            state.absorb();
            let hall = lock_soon(&self.hall);
            done.retain(|one| {
                hall.came(one.spot) == 0 && state.at(one.spot).is_some_and(|one| one.may_rest())
            });
        }
    }

    /// Forgets keys at rest, unless a timer or task is under way or an event came meanwhile.
    pub(super) fn rest(&self, spots: impl Iterator<Item = Spot>) {
        let mut state = lock(&self.state);
        let state = &mut *state;
        state.absorb();
        let mut hall = lock_soon(&self.hall);
        for spot in spots {
            let came = hall.came(spot);
            let Some(record) = state.at(spot) else { continue };
            if record.may_rest() && came == 0 {
                // Whoever watches it wants its end, and this is none; what it waits for wakes it.
                match record.pending > 0 || record.is_watched() {
                    true => record.is_dormant = true,
                    false => drop(Self::remove(state, &mut hall, spot)),
                }
            }
        }
    }
}

/// Takes what was told as it came. What its key cannot take now waits for the key's turn.
fn take_told<E>(state: &mut State<E>, batch: &mut VecDeque<Item<E>>, max: usize) {
    let number = state.batches;
    while batch.len() < max {
        let Some((place, letter)) = state.told.next() else { break };
        let Some(Some(record)) = state.records.get_mut(place as usize) else { continue };
        let taken = record.taken(number);
        if taken >= RUN_MAX || !record.is_free() {
            state.add_told(place, letter);
            continue;
        }
        record.batch = (number, taken + 1);
        record.is_dormant = false;
        let spot = Spot { place, serial: record.serial };
        batch.push_back(Item::new((spot, record.life), letter, false));
    }
}

/// Takes what waits, in turns of keys.
fn take_ready<E>(state: &mut State<E>, batch: &mut VecDeque<Item<E>>, max: usize) {
    let number = state.batches;
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
            let (trace, event) = (Trace::NONE, None);
            batch.push_back(Item { spot, life, trace, event, is_own: false });
        }
        let mut run = 0;
        while run < RUN_MAX && batch.len() < max {
            let Some((letter, is_own)) = record.pop() else { break };
            batch.push_back(Item::new((spot, life), letter, is_own));
            run += 1;
        }
        record.batch = (number, record.taken(number) + run);
        state.waiting -= u64::from(run);
        state.make_ready(place);
    }
}

/// The guard of a mutex that others hold for a moment only. Whoever sleeps for it makes them call it,
/// which costs them much more than that moment.
fn lock_soon<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    for _ in 0..TRIES {
        if let Ok(guard) = mutex.try_lock() {
            return guard;
        }
        // Each look takes the lock's line of memory from whoever holds it.
        (0..BETWEEN).for_each(|_| std::hint::spin_loop());
    }
    lock(mutex)
}
