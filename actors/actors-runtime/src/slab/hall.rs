//! Where messages for keys arrive: senders meet only here; who runs the slab empties it at one go.
//!
//! Way in: [`Hall::push`].  Owns: what was told since it was emptied, and whether anybody comes.
//! Invariants: 1. a gate has no more room than the mailbox of its key.  2. what is here is for keys
//! that are known: a place is not given up before.
//! Time and order: what is here came after everything in the records. Whoever needs the pool's state
//! too locks that first.

use ractor::ActorRef;

use super::record::Spot;
use crate::{
    mailbox::Wake,
    trace::{Letter, Trace},
};

/// Most messages whose memory is kept when none come any more.
const KEPT_MAX: usize = 16_384;

/// For how many messages memory is fetched at a time.
const FETCHED: usize = 32;

#[derive(Debug)]
pub(super) struct Hall<E> {
    /// By place.
    gates: Vec<Gate>,
    told: Told<E>,
    /// How often it was emptied; wraps.
    round: u32,
    actor: Option<ActorRef<Wake>>,
    is_awake: bool,
    /// Somebody found a mailbox full since it was told last that there is room.
    pub(super) is_awaited: bool,
}

/// What a key takes without a look at its record.
#[derive(Debug, Clone, Copy, Default)]
struct Gate {
    /// That of the key's record; 0: of none.
    serial: u64,
    /// How many more.
    room: u32,
    /// How many came in which round.
    came: u32,
    round: u32,
}

/// Messages in the order in which they came; small, for they move from one core to another.
#[derive(Debug)]
pub(super) struct Told<E> {
    /// The first `len` of them hold something.
    slots: Vec<Slot<E>>,
    len: usize,
    /// How many of those were given out.
    given: usize,
    /// Neighbours with the same trace share it.
    traces: Vec<Trace>,
    /// The number of the newest of them, counted from 1.
    newest: u32,
}

#[derive(Debug)]
struct Slot<E> {
    event: Option<E>,
    place: u32,
    trace: u32,
}

impl<E> Default for Told<E> {
    fn default() -> Self {
        Self { slots: Vec::new(), len: 0, given: 0, traces: Vec::new(), newest: 0 }
    }
}

impl<E> Told<E> {
    #[inline]
    fn push(&mut self, place: u32, event: E) {
        let trace = Trace::current();
        if self.traces.last() != Some(&trace) {
            self.traces.push(trace);
            self.newest += 1;
        }
        let slot = Slot { event: Some(event), place, trace: self.newest };
        if self.len.is_multiple_of(FETCHED) {
            self.fetch();
        }
        match self.slots.get_mut(self.len) {
            Some(free) => *free = slot,
            None => self.slots.push(slot),
        }
        self.len += 1;
    }

    /// Writes to what is written next, all of it at once: its lines of memory are another core's, and
    /// each unlocking would wait for one of them.
    fn fetch(&mut self) {
        let end = self.slots.len().min(self.len + FETCHED);
        self.slots[self.len..end].iter_mut().for_each(|slot| slot.trace = 0);
    }

    /// The oldest message, with the place of its key.
    #[inline]
    pub(super) fn next(&mut self) -> Option<(u32, Letter<E>)> {
        if self.given >= self.len {
            return None;
        }
        let slot = self.slots.get_mut(self.given)?;
        let (place, event) = (slot.place, slot.event.take()?);
        let trace = self.traces.get((slot.trace as usize).wrapping_sub(1));
        let letter = Letter { event, trace: *trace.unwrap_or(&Trace::NONE) };
        self.given += 1;
        if self.given == self.len {
            self.reset();
        }
        Some((place, letter))
    }

    /// How many are left.
    pub(super) fn len(&self) -> usize {
        self.len - self.given
    }

    /// Its memory is kept, for the same is soon needed again as long as messages come.
    fn reset(&mut self) {
        self.traces.clear();
        (self.len, self.given, self.newest) = (0, 0, 0);
    }

    /// Takes the memory of many messages out, if none are there, to be dropped without the hall's lock.
    pub(super) fn take_spare(&mut self) -> Option<Self> {
        (self.len == 0 && self.slots.len() > KEPT_MAX).then(|| std::mem::take(self))
    }
}

impl<E> Hall<E> {
    pub(super) fn new() -> Self {
        Self {
            gates: Vec::new(),
            told: Told::default(),
            round: 1,
            actor: None,
            is_awake: false,
            is_awaited: false,
        }
    }

    /// Takes one message if its gate has room; hands it back if somebody has to look at the record.
    #[inline]
    pub(super) fn push(&mut self, spot: Spot, event: E) -> Result<(), E> {
        let gate = self.gates.get_mut(spot.place as usize);
        let Some(gate) = gate.filter(|gate| gate.serial == spot.serial && gate.room > 0) else {
            return Err(event);
        };
        gate.room -= 1;
        if gate.round != self.round {
            (gate.round, gate.came) = (self.round, 0);
        }
        gate.came += 1;
        self.told.push(spot.place, event);
        self.wake();
        Ok(())
    }

    /// How many are here for this key.
    pub(super) fn came(&self, spot: Spot) -> usize {
        let gate = self.gates.get(spot.place as usize);
        let gate = gate.filter(|gate| gate.serial == spot.serial && gate.round == self.round);
        gate.map_or(0, |gate| gate.came as usize)
    }

    /// Lets in as many for this key.
    pub(super) fn open(&mut self, spot: Spot, room: usize) {
        let place = spot.place as usize;
        if self.gates.len() <= place {
            self.gates.resize(place + 1, Gate::default());
        }
        let gate = &mut self.gates[place];
        if gate.serial != spot.serial {
            *gate = Gate { serial: spot.serial, ..Gate::default() };
        }
        gate.room = u32::try_from(room).unwrap_or(u32::MAX);
    }

    /// Lets nothing in for the key of this place before somebody looks at its record.
    pub(super) fn narrow(&mut self, place: u32) {
        if let Some(gate) = self.gates.get_mut(place as usize) {
            gate.room = 0;
        }
    }

    /// The place is nobody's any more.
    pub(super) fn shut(&mut self, place: u32) {
        if let Some(gate) = self.gates.get_mut(place as usize) {
            *gate = Gate::default();
        }
    }

    pub(super) fn shut_all(&mut self) {
        self.gates = Vec::new();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.told.len() == 0
    }

    pub(super) fn len(&self) -> usize {
        self.told.len()
    }

    /// Takes everything out; `into` has to be empty.
    pub(super) fn take(&mut self, into: &mut Told<E>) {
        std::mem::swap(&mut self.told, into);
        self.round = self.round.wrapping_add(1);
    }

    /// Whoever comes for messages.
    pub(super) fn set_actor(&mut self, actor: Option<ActorRef<Wake>>) {
        self.actor = actor;
    }

    /// Somebody comes, if nobody does already.
    #[inline]
    pub(super) fn wake(&mut self) {
        if !self.is_awake {
            let told = |actor: &ActorRef<Wake>| actor.send_message(Wake).is_ok();
            self.is_awake = self.actor.as_ref().is_some_and(told);
        }
    }

    /// As [`Told::take_spare`].
    pub(super) fn take_spare(&mut self) -> Option<Told<E>> {
        self.told.take_spare()
    }

    /// Nobody comes any more, before the next message.
    pub(super) fn sleep(&mut self) {
        self.is_awake = false;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use actors_core::Rng;

    use super::*;

    #[test]
    fn no_more_comes_in_than_there_is_room_and_it_leaves_as_it_came_with_its_trace() {
        let mut rng = Rng::from_number(5);
        let (mut hall, mut taken, mut model) = (Hall::new(), Told::default(), VecDeque::new());
        let (mut rooms, mut came) = ([0_u64; 4], [0_usize; 4]);
        let spot = |place: u32| Spot { place, serial: u64::from(place) + 1 };
        for step in 0..50_000_u32 {
            let place = u32::try_from(rng.below(4)).unwrap();
            let at = place as usize;
            match rng.below(40) {
                0 => {
                    rooms[at] = rng.below(100);
                    hall.open(spot(place), usize::try_from(rooms[at]).unwrap());
                }
                1 => {
                    hall.narrow(place);
                    rooms[at] = 0;
                }
                2 if taken.len() == 0 => {
                    hall.take(&mut taken);
                    came = [0; 4];
                }
                3..20 => {
                    let trace = Trace { trace: [u8::from(rng.below(3) == 0); 16], span: [0; 8] };
                    let _entered = trace.enter();
                    let pushed = hall.push(spot(place), step);
                    assert_eq!(pushed, if rooms[at] > 0 { Ok(()) } else { Err(step) });
                    if pushed.is_ok() {
                        rooms[at] -= 1;
                        came[at] += 1;
                        model.push_back((place, step, trace));
                    }
                }
                _ => {
                    let next = taken.next().map(|(place, one)| (place, one.event, one.trace));
                    if next.is_some() {
                        assert_eq!(next, model.pop_front());
                    }
                }
            }
            assert_eq!(hall.came(spot(place)), came[at]);
            assert_eq!(hall.len() + taken.len(), model.len());
        }
        // Another key's spot is not let in, wherever it points.
        hall.open(spot(1), 9);
        assert_eq!(hall.push(Spot { place: 1, serial: 99 }, 0), Err(0));
    }

    #[test]
    fn the_memory_of_many_messages_is_kept_until_somebody_takes_it() {
        let (mut hall, mut taken) = (Hall::new(), Told::default());
        let spot = Spot { place: 0, serial: 1 };
        for _ in 0..3 {
            hall.open(spot, KEPT_MAX + 1);
            (0..=KEPT_MAX).for_each(|number| assert_eq!(hall.push(spot, number), Ok(())));
            assert!(hall.take_spare().is_none(), "it holds messages");
            hall.take(&mut taken);
            assert!(taken.take_spare().is_none(), "it holds messages");
            while taken.next().is_some() {}
        }
        assert!(hall.take_spare().is_some() && taken.take_spare().is_some());
        assert!(hall.take_spare().is_none() && taken.take_spare().is_none());
        // That of few is nobody's to take.
        hall.open(spot, 1);
        assert_eq!(hall.push(spot, 0), Ok(()));
        hall.take(&mut taken);
        assert_eq!(taken.next().map(|(_, letter)| letter.event), Some(0));
        assert!(taken.take_spare().is_none());
    }
}
