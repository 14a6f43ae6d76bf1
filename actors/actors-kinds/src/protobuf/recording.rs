//! A message as it was written of one object: what of it stands where in the JSON, and what others have at these places.
//!
//! Way in: [`Recording`], an [`Out`]; [`Cut::of`] one.  Never: the lengths of messages before it is known what may differ
//! in them.

use std::ops::Range;

use super::wire::{Out, put_varint, varint_len};

/// What stands at a place that may differ, in JSON and in the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fill {
    /// A text without escapes.
    Text,
    /// A name or a text within JSON that stands in the message as it is, escapes and all.
    Part,
    /// A varint.
    Number,
    /// A stamp, and the fields of its message.
    Instant,
    /// `resourceVersion`, which does not stand in the JSON.
    Revision,
}

/// A place that may differ.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) fill: Fill,
    pub(super) json: Range<usize>,
    /// Behind what of the message belongs to it.
    end: usize,
}

#[derive(Debug, Clone, Copy)]
enum Mark {
    Open(usize),
    Close,
    Slot(usize),
}

/// A message that is being written, without the lengths of those within it.
#[derive(Debug, Default)]
pub(super) struct Recording {
    bytes: Vec<u8>,
    marks: Vec<(usize, Mark)>,
    pub(super) slots: Vec<Slot>,
    /// How long each message is, in the order in which they begin.
    lens: Vec<usize>,
    /// How long all is, lengths included.
    total: usize,
}

/// What is compared and written, for what is free by now.
#[derive(Debug, Default)]
pub(super) struct Cut {
    /// What must stand before each free slot, and behind the last one.
    pub(super) needles: Vec<Range<usize>>,
    pub(super) free: Vec<usize>,
    pub(super) steps: Vec<Step>,
    /// What of the message is the same for all.
    pub(super) bytes: Vec<u8>,
}

#[derive(Debug)]
pub(super) enum Step {
    Run(Range<usize>),
    Open,
    Close,
    Fill(usize),
}

impl Out for Recording {
    const RECORDS: bool = true;

    fn extend(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.total += bytes.len();
    }

    fn push(&mut self, byte: u8) {
        self.extend(&[byte]);
    }

    fn open(&mut self) -> usize {
        self.marks.push((self.bytes.len(), Mark::Open(self.lens.len())));
        self.lens.push(self.total);
        self.lens.len() - 1
    }

    fn close(&mut self, start: usize) {
        self.marks.push((self.bytes.len(), Mark::Close));
        let len = self.total - self.lens[start];
        self.lens[start] = len;
        self.total += varint_len(len as u64);
    }

    fn begin(&mut self, fill: Fill, json: Range<usize>) {
        self.marks.push((self.bytes.len(), Mark::Slot(self.slots.len())));
        self.slots.push(Slot { fill, json, end: 0 });
    }

    fn end(&mut self) {
        if let Some(slot) = self.slots.last_mut() {
            slot.end = self.bytes.len();
        }
    }
}

impl Recording {
    /// The messages around free slots, by the order in which they begin.
    fn live(&self, is_free: &[bool]) -> Vec<bool> {
        let (mut live, mut open) = (vec![false; self.lens.len()], Vec::new());
        for (_, mark) in &self.marks {
            match mark {
                Mark::Open(message) => open.push(*message),
                Mark::Close => drop(open.pop()),
                Mark::Slot(slot) if is_free[*slot] => {
                    open.iter().for_each(|message| live[*message] = true);
                }
                Mark::Slot(_) => {}
            }
        }
        live
    }
}

impl Cut {
    pub(super) fn of(recording: &Recording, is_free: &[bool], json_len: usize) -> Self {
        let live = recording.live(is_free);
        let (mut cut, mut from, mut open) = (Self::default(), 0, Vec::new());
        for (at, mark) in &recording.marks {
            cut.bytes.extend_from_slice(&recording.bytes[from..*at]);
            from = *at;
            match mark {
                Mark::Open(message) => {
                    open.push(live[*message]);
                    match live[*message] {
                        true => cut.step(Step::Open),
                        false => put_varint(&mut cut.bytes, recording.lens[*message] as u64),
                    }
                }
                Mark::Close if open.pop() == Some(true) => cut.step(Step::Close),
                Mark::Slot(slot) if is_free[*slot] => {
                    cut.step(Step::Fill(cut.free.len()));
                    cut.free.push(*slot);
                    from = recording.slots[*slot].end;
                }
                _ => {}
            }
        }
        cut.bytes.extend_from_slice(&recording.bytes[from..]);
        cut.end_run();
        let mut before = 0;
        for slot in &cut.free {
            let json = &recording.slots[*slot].json;
            cut.needles.push(before..json.start);
            before = json.end;
        }
        cut.needles.push(before..json_len);
        cut
    }

    fn step(&mut self, step: Step) {
        self.end_run();
        self.steps.push(step);
    }

    fn end_run(&mut self) {
        let runs = self.steps.iter().rev().find_map(|step| match step {
            Step::Run(run) => Some(run.end),
            _ => None,
        });
        let run = runs.unwrap_or(0)..self.bytes.len();
        if !run.is_empty() {
            self.steps.push(Step::Run(run));
        }
    }
}
