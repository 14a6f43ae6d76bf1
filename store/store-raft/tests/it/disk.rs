//! A disk that forgets what was not synced, and a state that forgets what was not flushed.

use std::collections::{BTreeMap, VecDeque};

use actors_core::{Rng, ports::LogRecord};
use store_raft::{Committed, Stored};

/// One operation on its way to the disk.
#[derive(Debug, Clone)]
pub(crate) enum Op {
    Write { number: u64, records: Vec<LogRecord>, head: Option<Vec<u8>> },
    Truncate { below: u64 },
}

/// What survives a power cut, and what may not.
#[derive(Debug, Clone, Default)]
pub(crate) struct Disk {
    records: BTreeMap<u64, Vec<u8>>,
    head: Option<Vec<u8>>,
    pending: VecDeque<Op>,
    flushed: BTreeMap<u64, Vec<u8>>,
    flushed_index: u64,
}

impl Disk {
    pub(crate) fn submit(&mut self, op: Op) {
        self.pending.push_back(op);
    }

    /// Makes the oldest operation durable; returns its number.
    pub(crate) fn finish_one(&mut self) -> Option<u64> {
        match self.pending.pop_front()? {
            Op::Write { number, records, head } => {
                if let Some(first) = records.first() {
                    self.records.split_off(&first.index);
                }
                self.records.extend(records.into_iter().map(|record| (record.index, record.data)));
                self.head = head.or(self.head.take());
                Some(number)
            }
            Op::Truncate { below } => {
                self.records = self.records.split_off(&below);
                None
            }
        }
    }

    /// Cuts the power: some operations that nobody waited for may have happened all the same.
    pub(crate) fn cut_power(&mut self, rng: &mut Rng) {
        for _ in 0..rng.below(self.pending.len() as u64 + 1) {
            self.finish_one();
        }
        self.pending.clear();
    }

    pub(crate) fn flush(&mut self, state: &State) {
        self.flushed_index = state.applied;
        self.flushed.clone_from(&state.entries);
    }

    pub(crate) fn state(&self) -> State {
        State { applied: self.flushed_index, entries: self.flushed.clone() }
    }

    pub(crate) fn stored(&self) -> Stored {
        let record =
            |(index, data): (&u64, &Vec<u8>)| LogRecord { index: *index, data: data.clone() };
        Stored {
            head: self.head.clone(),
            records: self.records.iter().map(record).collect(),
            applied: self.flushed_index,
        }
    }

    pub(crate) fn log_len(&self) -> usize {
        self.records.len()
    }
}

/// What the entries were applied to: it remembers them all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) applied: u64,
    pub(crate) entries: BTreeMap<u64, Vec<u8>>,
}

impl State {
    /// Applies one entry; false if it was applied before.
    pub(crate) fn apply(&mut self, entry: &Committed) -> bool {
        if entry.index <= self.applied {
            return false;
        }
        // A new group's log begins at 2, behind its bootstrap mark.
        assert_eq!(entry.index, self.applied.max(1) + 1, "an entry was left out");
        self.applied = entry.index;
        if !entry.data.is_empty() {
            self.entries.insert(entry.index, entry.data.clone());
        }
        true
    }
}
