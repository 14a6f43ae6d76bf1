//! What is to come, in the order of its instants.
//!
//! Way in: [`Agenda::push`], [`Agenda::pop`].  Invariant: things of the same instant come in the
//! order in which they were pushed.  The heap moves small entries only; what is to come lies still.

use std::{
    cmp::{Ordering, Reverse},
    collections::BinaryHeap,
};

use crate::SimTime;

/// See the module.
#[derive(Debug)]
pub(super) struct Agenda<T> {
    heap: BinaryHeap<Reverse<Entry>>,
    items: Vec<Option<T>>,
    free: Vec<u32>,
    sequence: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    at: SimTime,
    sequence: u64,
    place: u32,
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.sequence).cmp(&(other.at, other.sequence))
    }
}

impl<T> Default for Agenda<T> {
    fn default() -> Self {
        Self { heap: BinaryHeap::new(), items: Vec::new(), free: Vec::new(), sequence: 0 }
    }
}

impl<T> Agenda<T> {
    pub(super) fn push(&mut self, at: SimTime, item: T) {
        self.sequence += 1;
        let place = self.free.pop().unwrap_or_else(|| {
            self.items.push(None);
            u32::try_from(self.items.len() - 1).unwrap_or(u32::MAX)
        });
        self.items[place as usize] = Some(item);
        self.heap.push(Reverse(Entry { at, sequence: self.sequence, place }));
    }

    pub(super) fn pop(&mut self) -> Option<(SimTime, T)> {
        let Reverse(Entry { at, place, .. }) = self.heap.pop()?;
        self.free.push(place);
        self.items[place as usize].take().map(|item| (at, item))
    }

    /// When the next thing comes.
    pub(super) fn next_at(&self) -> Option<SimTime> {
        self.heap.peek().map(|Reverse(next)| next.at)
    }
}
