//! The machines of a slab: lends them to their handlers, lets them rest.
//!
//! Way in: [`Body`], under the lock of its slab.  Owns: the machines that are awake, and who runs the
//! slab now.
//! Invariants: 1. at most one is in charge.  2. a key that is away is handed out to nobody.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use actors_core::{Effects, ExitReason, Machine, Mono, Now, Rng};

use super::{
    EventOf, KeyInbox, Keyed, Pool,
    batch::{Done, Item, Taken},
    failures::Failing,
    record::Spot,
    watch::{Seen, Step, Watch, is_over_budget},
};
use crate::{
    life::Life,
    meter::{QUIET, nanos},
    observer::DeadReason,
    system::System,
    trace::Trace,
};

/// Most places that are kept when no machine is awake.
const KEPT_MAX: usize = 1_024;

pub(super) type EffectOf<K> = <<K as Keyed>::Machine as Machine>::Effect;

pub(super) struct Body<K: Keyed> {
    keyed: Arc<K>,
    pub(super) pool: Arc<Pool<EventOf<K>>>,
    pub(super) life: Arc<Life>,
    pub(super) system: System,
    /// By place.
    awake: Vec<Option<Box<Awake<K>>>>,
    awake_count: usize,
    pub(super) failing: BTreeMap<Spot, Failing>,
    pub(super) rng: Rng,
    /// Empty between two batches.
    pub(super) out: Effects<EffectOf<K>>,
    pub(super) batch: VecDeque<Item<EventOf<K>>>,
    /// How much the next batch may hold: grows until something goes ahead of one.
    batch_len: usize,
    /// It had much to do when it was left last.
    pub(super) is_busy: bool,
    pub(super) done: Vec<Done>,
    charge: Option<Charge>,
    /// How many were in charge so far, and how many events were handled.
    numbers: (u64, u64),
    is_help_coming: bool,
    away: BTreeMap<Spot, Away>,
    watch: Watch,
    /// Slow keys, and when they were named.
    named: BTreeMap<Spot, Mono>,
}

/// What a handler is lent.
pub(super) enum Lent<K: Keyed> {
    Awake(Box<Awake<K>>),
    /// Its machine is to be made first, with this. It stands elsewhere because it is large, and rare.
    Asleep(Box<(KeyInbox<EventOf<K>>, Rng)>),
}

pub(super) struct Awake<K: Keyed> {
    pub(super) machine: K::Machine,
    pub(super) rng: Rng,
    pub(super) inbox: KeyInbox<EventOf<K>>,
}

/// Who runs the slab.
struct Charge {
    number: u64,
    is_actor: bool,
    /// The event that is handled now, counted over the whole life.
    handled: Option<(u64, Spot)>,
}

/// A key whose handler goes on though its worker was relieved.
struct Away {
    since: Mono,
    is_actor: bool,
    is_named: bool,
}

impl<K: Keyed> Body<K> {
    pub(super) fn new(
        keyed: &Arc<K>,
        (pool, life, system): (&Arc<Pool<EventOf<K>>>, &Arc<Life>, &System),
    ) -> Self {
        Self {
            keyed: Arc::clone(keyed),
            pool: Arc::clone(pool),
            life: Arc::clone(life),
            system: system.clone(),
            awake: Vec::new(),
            awake_count: 0,
            failing: BTreeMap::new(),
            rng: system.rng_of("slab").ready(),
            out: Effects::default(),
            batch: VecDeque::new(),
            batch_len: 1,
            is_busy: false,
            done: Vec::new(),
            charge: None,
            numbers: (0, 0),
            is_help_coming: false,
            away: BTreeMap::new(),
            watch: Watch::default(),
            named: BTreeMap::new(),
        }
    }

    /// From now on the caller runs the slab, under this number; `None` if somebody else does.
    pub(super) fn take_charge(&mut self, is_actor: bool) -> Option<u64> {
        self.is_help_coming &= is_actor;
        if self.charge.is_some() {
            return None;
        }
        // Whoever was relieved left these behind.
        self.give_all_back();
        if !self.done.is_empty() {
            let mut done = std::mem::take(&mut self.done);
            self.settle(&mut done, self.system.now());
        }
        self.numbers.0 += 1;
        let number = self.numbers.0;
        self.charge = Some(Charge { number, is_actor, handled: None });
        Some(number)
    }

    pub(super) fn is_mine(&self, me: u64) -> bool {
        self.charge.as_ref().is_some_and(|charge| charge.number == me)
    }

    pub(super) fn leave(&mut self, me: u64) {
        if self.is_mine(me) {
            self.charge = None;
        }
    }

    pub(super) fn take(&mut self) -> Taken {
        self.pool.take(&mut self.batch, self.batch_len)
    }

    /// What to do after a look, if that finds anything.
    pub(super) fn look(&mut self, now: Mono) -> (Step, Vec<(Spot, Duration)>) {
        let handled = self.charge.as_ref().and_then(|charge| charge.handled);
        let step = self.watch.look(Seen {
            now,
            event: handled.map(|(number, _)| number),
            is_run: self.charge.is_some() || self.is_help_coming,
            work_waits: !self.batch.is_empty() || self.pool.has_work(),
        });
        let mut slow = Vec::new();
        if let (Step::Name(taken), Some((_, spot))) = (step, handled) {
            slow.push((spot, taken));
        }
        for (spot, away) in &mut self.away {
            let taken = now.since(away.since);
            if is_over_budget(taken) && !away.is_named {
                away.is_named = true;
                slow.push((*spot, taken));
            }
        }
        self.named.retain(|_, at| now.since(*at) < QUIET);
        slow.retain(|(spot, _)| !self.named.contains_key(spot));
        self.named.extend(slow.iter().map(|(spot, _)| (*spot, now)));
        (step, slow)
    }

    /// Whoever is in charge keeps the one key that it handles, and nothing else.
    pub(super) fn relieve(&mut self, now: Mono, is_named: bool) {
        let Some(Charge { is_actor, handled: Some((_, spot)), .. }) = self.charge.take() else {
            return;
        };
        self.away.insert(spot, Away { since: now, is_actor, is_named });
        self.pool.send_away(spot, now);
    }

    /// A key is back that was away.
    pub(super) fn welcome(&mut self, spot: Spot) {
        self.away.remove(&spot);
    }

    /// Whether the slab's actor is held up by a handler. If so, somebody else comes.
    pub(super) fn wants_help(&mut self) -> bool {
        let is_away = self.away.values().any(|away| away.is_actor);
        self.is_help_coming |= is_away;
        is_away
    }

    /// Takes out what one handler needs; `None` if the key is not known any more.
    pub(super) fn lend(&mut self, spot: Spot, life: u64) -> Option<Lent<K>> {
        let lent = match self.awake.get_mut(spot.place as usize).and_then(Option::take) {
            Some(awake) => {
                self.awake_count -= 1;
                Lent::Awake(awake)
            }
            None => self.asleep(spot, life)?,
        };
        self.numbers.1 += 1;
        if let Some(charge) = &mut self.charge {
            charge.handled = Some((self.numbers.1, spot));
        }
        Some(lent)
    }

    /// What a machine is made with.
    fn asleep(&self, spot: Spot, life: u64) -> Option<Lent<K>> {
        let (key, _) = self.pool.known(spot)?;
        let rng = self.rng.derive(&format!("{key}#{life}"));
        let (pool, slab) = (Arc::downgrade(&self.pool), Arc::clone(&self.life));
        Some(Lent::Asleep(Box::new((KeyInbox { pool, key, spot, life, slab }, rng))))
    }

    /// A handler has ended. Whether that was in time: nobody relieved `me` meanwhile.
    #[inline]
    pub(super) fn is_back(&mut self, me: u64) -> bool {
        let charge = self.charge.as_mut().filter(|charge| charge.number == me);
        charge.map(|charge| charge.handled = None).is_some()
    }

    /// Puts a machine back that was lent, or was made meanwhile.
    #[inline]
    pub(super) fn put(&mut self, spot: Spot, awake: Option<Box<Awake<K>>>) {
        if awake.is_none() {
            return;
        }
        self.awake_count += 1;
        let place = spot.place as usize;
        match self.awake.get_mut(place) {
            Some(free) => *free = awake,
            None => {
                self.awake.resize_with(place, || None);
                self.awake.push(awake);
            }
        }
    }

    /// There is no such key, or a panic said this; `trace` is that of the event, if there was one.
    /// What else was taken waits.
    pub(super) fn conclude(
        &mut self,
        spot: Spot,
        panicked: Option<String>,
        trace: Option<Trace>,
        now: Now,
    ) {
        // What else was sent to the key shares its fate, so it goes back first.
        self.give_all_back();
        let dead = if panicked.is_some() { DeadReason::Poison } else { DeadReason::Ended };
        if let (Some(trace), Some((key, _))) = (trace, self.pool.known(spot)) {
            self.pool.bury(&key, dead, trace);
        }
        match panicked {
            None => self.forget(spot),
            Some(text) => self.fail(spot, ExitReason::Panic(text), now),
        }
    }

    fn give_all_back(&mut self) {
        if !self.batch.is_empty() {
            self.pool.give_back(&mut self.batch);
        }
    }

    /// Shares the time that the newest events took together.
    pub(super) fn measure(&mut self, from: usize, busy: Duration) {
        let newest = &mut self.done[from..];
        let count = u64::try_from(newest.len().max(1)).unwrap_or(1);
        newest.iter_mut().for_each(|one| one.busy_ns = nanos(busy) / count);
    }

    /// Gives back what was not handled, and lets keys rest that may.
    pub(super) fn end_batch(&mut self, is_whole: bool, len_max: usize, now: Now) {
        self.give_all_back();
        self.batch_len = if is_whole { (self.batch_len * 2).min(len_max) } else { 1 };
        let mut done = std::mem::take(&mut self.done);
        self.settle(&mut done, now);
        self.done = done;
    }

    /// Counts what was done, and lets keys rest that may; leaves nothing.
    pub(super) fn settle(&mut self, done: &mut Vec<Done>, now: Now) {
        self.pool.settle(done);
        let period = self.pool.spec().intensity.period;
        let is_recent = |failing: &Failing| now.mono.since(failing.last) <= period;
        done.retain(|one| {
            // A later event of the batch may have given it work.
            let machine = self.awake.get(one.spot.place as usize).and_then(Option::as_ref);
            if machine.is_some_and(|awake| !self.keyed.is_at_rest(&awake.machine)) {
                return false;
            }
            self.put_to_rest(one.spot);
            let waits = self.failing.get(&one.spot).is_some_and(is_recent);
            if !waits {
                self.failing.remove(&one.spot);
            }
            !waits
        });
        if !done.is_empty() {
            self.pool.rest(done.iter().map(|one| one.spot));
        }
        done.clear();
    }

    /// Forgets the machine of a key; dropped here, outside the pool's lock.
    pub(super) fn put_to_rest(&mut self, spot: Spot) {
        let machine = self.awake.get_mut(spot.place as usize).and_then(Option::take);
        self.awake_count -= usize::from(machine.is_some());
        drop(machine);
        if self.awake_count == 0 && self.awake.len() > KEPT_MAX {
            self.awake = Vec::new();
        }
    }

    pub(super) fn forget(&mut self, spot: Spot) {
        self.put_to_rest(spot);
        self.failing.remove(&spot);
        self.pool.forget(spot);
    }
}
