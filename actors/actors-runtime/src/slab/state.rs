//! Where the records of a slab's keys are, and in which order they run.
//!
//! Way in: [`State`], under the lock of its pool.

use std::{collections::VecDeque, sync::Arc};

use actors_core::{ExitReason, Incarnation};
use indexmap::IndexMap;

use super::{
    hall::Told,
    record::{Record, Spot},
};
use crate::{
    fault::Fault,
    monitor::{Down, Watchers},
    trace::Letter,
};

/// Most places that are kept when no key is known any more.
const KEPT_MAX: usize = 1_024;

/// What happens to a key besides events.
#[derive(Debug)]
pub(super) enum Order {
    End { life: u64, reason: ExitReason },
    Inject(Fault),
    Unpark,
    Waited { incarnation: Incarnation },
}

#[derive(Debug)]
pub(super) struct State<E> {
    pub(super) places: IndexMap<Arc<str>, u32>,
    pub(super) records: Vec<Option<Record<E>>>,
    pub(super) free: Vec<u32>,
    pub(super) ready: VecDeque<u32>,
    pub(super) orders: VecDeque<(Spot, Order)>,
    /// How many keys are away with a handler that takes long.
    pub(super) away: usize,
    /// Who watched keys when the slab was closed.
    pub(super) orphans: Vec<(Arc<Watchers>, Down)>,
    /// Lives and serials that were given out.
    pub(super) numbers: u64,
    pub(super) batches: u32,
    pub(super) waiting: u64,
    /// What was taken out of the hall; newer than everything in the records.
    pub(super) told: Told<E>,
    /// Somebody certainly comes for what is ready.
    pub(super) is_awake: bool,
    pub(super) is_closed: bool,
    pub(super) stop_asked: bool,
    pub(super) is_suspended: bool,
    pub(super) fault: Option<Fault>,
}

impl<E> State<E> {
    pub(super) fn new() -> Self {
        Self {
            places: IndexMap::new(),
            records: Vec::new(),
            free: Vec::new(),
            ready: VecDeque::new(),
            orders: VecDeque::new(),
            away: 0,
            orphans: Vec::new(),
            numbers: 0,
            batches: 0,
            waiting: 0,
            told: Told::default(),
            is_awake: false,
            is_closed: false,
            stop_asked: false,
            is_suspended: false,
            fault: None,
        }
    }

    pub(super) fn at(&mut self, spot: Spot) -> Option<&mut Record<E>> {
        let record = self.records.get_mut(spot.place as usize)?.as_mut();
        record.filter(|record| record.serial == spot.serial)
    }

    /// The next order, but none for a key that is away.
    pub(super) fn next_order(&mut self) -> Option<(Spot, Order)> {
        let next = self.orders.iter().position(|(spot, _)| !self.is_away(*spot))?;
        self.orders.remove(next)
    }

    pub(super) fn has_order(&self) -> bool {
        self.orders.iter().any(|(spot, _)| !self.is_away(*spot))
    }

    fn is_away(&self, spot: Spot) -> bool {
        let record = self.records.get(spot.place as usize).and_then(Option::as_ref);
        record.is_some_and(|record| record.serial == spot.serial && record.away.is_some())
    }

    /// The record of a key, and its place.
    pub(super) fn find(&self, key: &str) -> Option<Spot> {
        let place = *self.places.get(key)?;
        let record = self.records.get(place as usize)?.as_ref()?;
        Some(Spot { place, serial: record.serial })
    }

    pub(super) fn insert(&mut self, key: &str) -> Spot {
        let key: Arc<str> = key.into();
        self.numbers += 1;
        let serial = self.numbers;
        let record = Some(Record::new(Arc::clone(&key), serial, serial));
        let place = match self.free.pop() {
            Some(place) => {
                self.records[place as usize] = record;
                place
            }
            None => {
                self.records.push(record);
                // There are at most `keys_max`, a u32.
                u32::try_from(self.records.len() - 1).unwrap_or(u32::MAX)
            }
        };
        self.places.insert(key, place);
        Spot { place, serial }
    }

    pub(super) fn remove(&mut self, spot: Spot) -> Option<Record<E>> {
        self.at(spot)?;
        let record = self.records[spot.place as usize].take()?;
        self.places.swap_remove(&record.key);
        self.free.push(spot.place);
        if self.places.is_empty() && self.records.len() > KEPT_MAX {
            // Nothing is known, so nothing is kept.
            (self.places, self.records, self.free) = (IndexMap::new(), Vec::new(), Vec::new());
        }
        Some(record)
    }

    /// Puts a key in the row if it has work and may run. True if somebody has to come for it.
    pub(super) fn make_ready(&mut self, place: u32) -> bool {
        let Some(Some(record)) = self.records.get_mut(place as usize) else { return false };
        let is_new = record.may_run() && record.has_work() && !record.is_ready;
        if is_new {
            record.is_ready = true;
            self.ready.push_back(place);
        }
        is_new && !self.is_awake
    }

    /// Gives to the records what was taken out of the hall.
    pub(super) fn absorb(&mut self) {
        while let Some((place, letter)) = self.told.next() {
            self.add_told(place, letter);
        }
    }

    /// Adds what was told to a key. There always is one: a place is given up only when nothing is on
    /// its way to it.
    pub(super) fn add_told(&mut self, place: u32, letter: Letter<E>) {
        if let Some(Some(record)) = self.records.get_mut(place as usize) {
            record.push_told(letter);
            self.waiting += 1;
            self.make_ready(place);
        }
    }
}
