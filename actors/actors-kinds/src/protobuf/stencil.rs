//! What stored objects of one make have in common: the next of them is compared with it, and not read.
//!
//! Way in: [`Stencil::of`] an object; [`Stencil::fit`] on others, then [`Stencil::len`] or [`Stencil::write`].
//! What may differ is learned: at first everything must be as in the first object but its revision, and a place where a
//! value stood otherwise is free from then on. A pod has some eighty values, of which ten differ from those of the next.
//! Invariant: what is written of an object that fits is what [`direct`] writes of it.

use std::ops::Range;

use actors_object::{json, timefmt};

use super::{
    Canonical, direct,
    recording::{Cut, Fill, Recording, Step},
    scalars,
    wire::{put_varint, varint_len},
};
use crate::facts::{Schema, Shape};

/// What an object has in a free slot.
#[derive(Debug, Clone)]
pub(super) enum Found {
    Bytes(Range<usize>),
    Part(Range<usize>),
    Number(u64),
    Instant(i64),
    Revision,
}

/// What objects of one make have in common.
#[derive(Debug)]
pub(super) struct Stencil {
    json: Vec<u8>,
    recording: Recording,
    is_free: Vec<bool>,
    cut: Cut,
}

impl Found {
    /// What stands at this place of an object, and where that ends.
    fn read(fill: Fill, stored: Canonical<'_>, at: usize) -> Option<(Self, usize)> {
        let rest = stored.json.get(at..)?;
        let text = |len: usize| std::str::from_utf8(rest.get(..len)?).ok();
        Some(match fill {
            Fill::Text => {
                let end = at + text(json::plain_len(rest))?.len();
                (Self::Bytes(at..end), end)
            }
            Fill::Part => {
                let end = at + text(part_len(rest)?)?.len();
                (Self::Part(at..end), end)
            }
            Fill::Number => {
                let len = rest.iter().position(|byte| matches!(byte, b',' | b'}' | b']'))?;
                let number: i64 = text(len)?.parse().ok()?;
                (Self::Number(u64::from_le_bytes(number.to_le_bytes())), at + len)
            }
            Fill::Instant => {
                let text = text(json::plain_len(rest))?;
                (Self::Instant(timefmt::parse(text)?.0), at + text.len())
            }
            Fill::Revision if at == stored.revision_at => (Self::Revision, at),
            Fill::Revision => return None,
        })
    }

    fn len(&self, stored: Canonical<'_>) -> usize {
        let counted = |len: usize| varint_len(len as u64) + len;
        match self {
            Self::Bytes(range) => counted(range.len()),
            Self::Part(range) => range.len(),
            Self::Number(number) => varint_len(*number),
            Self::Instant(nanos) => scalars::instant_len(*nanos),
            Self::Revision => counted(stored.revision.len()),
        }
    }

    fn write(&self, stored: Canonical<'_>, out: &mut Vec<u8>) {
        let mut counted = |bytes: &[u8]| {
            put_varint(out, bytes.len() as u64);
            out.extend_from_slice(bytes);
        };
        match self {
            Self::Bytes(range) => counted(&stored.json[range.clone()]),
            Self::Revision => counted(stored.revision.as_bytes()),
            Self::Part(range) => out.extend_from_slice(&stored.json[range.clone()]),
            Self::Number(number) => put_varint(out, *number),
            Self::Instant(nanos) => scalars::put_instant(*nanos, out),
        }
    }
}

impl Stencil {
    /// The stencil of an object; nothing if it cannot be written without its tree.
    pub(super) fn of(schema: &Schema, shape: &Shape, stored: Canonical<'_>) -> Option<Self> {
        let recording: Recording = direct::write(schema, shape, stored)?;
        let (api_version, kind) = stored.kind()?;
        let named = "{'kind':'".len() + kind.len() + "','apiVersion':'".len() + api_version.len();
        if recording.slots.first().is_some_and(|first| first.json.start < named) {
            // Objects of another kind must never fit.
            return None;
        }
        let is_free: Vec<bool> =
            recording.slots.iter().map(|slot| slot.fill == Fill::Revision).collect();
        let json = stored.json.to_vec();
        let cut = Cut::of(&recording, &is_free, json.len());
        Some(Self { json, recording, is_free, cut })
    }

    /// Whether an object is of this make, and what it has in the free slots.
    pub(super) fn fit(&mut self, stored: Canonical<'_>, found: &mut Vec<Found>) -> bool {
        self.read(stored, found).is_some()
            || (self.learn(stored).is_some() && self.read(stored, found).is_some())
    }

    fn read(&self, stored: Canonical<'_>, found: &mut Vec<Found>) -> Option<()> {
        found.clear();
        let mut at = 0;
        for (number, needle) in self.cut.needles.iter().enumerate() {
            let needle = &self.json[needle.clone()];
            if !stored.json.get(at..)?.starts_with(needle) {
                return None;
            }
            at += needle.len();
            if let Some(slot) = self.cut.free.get(number) {
                let fill = self.recording.slots[*slot].fill;
                let (here, end) = Found::read(fill, stored, at)?;
                found.push(here);
                at = end;
            }
        }
        (at == stored.json.len()).then_some(())
    }

    /// Frees the slots in which an object differs; nothing if it differs elsewhere.
    fn learn(&mut self, stored: Canonical<'_>) -> Option<()> {
        let slots = &self.recording.slots;
        let mut is_free = self.is_free.clone();
        let (mut ours, mut theirs, mut next) = (0, 0, 0);
        loop {
            let free = (next..slots.len()).find(|slot| is_free[*slot]);
            let until = free.map_or(self.json.len(), |slot| slots[slot].json.start);
            let same = common_len(&self.json[ours..until], stored.json.get(theirs..)?);
            let (differs_at, here) = (ours + same, theirs + same);
            if differs_at == until {
                let Some(slot) = free else {
                    break;
                };
                theirs = Found::read(slots[slot].fill, stored, here)?.1;
                (ours, next) = (slots[slot].json.end, slot + 1);
                continue;
            }
            let slot = slots.partition_point(|slot| slot.json.end < differs_at);
            if slot < next || slots.get(slot)?.json.start > differs_at {
                return None;
            }
            is_free[slot] = true;
        }
        self.is_free = is_free;
        self.cut = Cut::of(&self.recording, &self.is_free, self.json.len());
        Some(())
    }

    /// How long the message of an object is; of each message around a free slot, too, in the order in which they begin.
    pub(super) fn len(
        &self,
        stored: Canonical<'_>,
        found: &[Found],
        lens: &mut Vec<usize>,
    ) -> usize {
        lens.clear();
        let (mut total, mut open) = (0, Vec::new());
        for step in &self.cut.steps {
            match step {
                Step::Run(run) => total += run.len(),
                Step::Fill(slot) => total += found.get(*slot).map_or(0, |it| it.len(stored)),
                Step::Open => {
                    open.push(lens.len());
                    lens.push(total);
                }
                Step::Close => {
                    if let Some(message) = open.pop() {
                        let len = total - lens[message];
                        lens[message] = len;
                        total += varint_len(len as u64);
                    }
                }
            }
        }
        total
    }

    /// Adds the message of an object; `lens` is of [`Stencil::len`].
    pub(super) fn write(
        &self,
        stored: Canonical<'_>,
        (found, lens): (&[Found], &[usize]),
        out: &mut Vec<u8>,
    ) {
        let mut lens = lens.iter();
        for step in &self.cut.steps {
            match step {
                Step::Run(run) => out.extend_from_slice(&self.cut.bytes[run.clone()]),
                Step::Fill(slot) => {
                    if let Some(found) = found.get(*slot) {
                        found.write(stored, out);
                    }
                }
                Step::Open => put_varint(out, lens.next().map_or(0, |len| *len as u64)),
                Step::Close => {}
            }
        }
    }
}

/// How many bytes stand before the quote that ends a text.
fn part_len(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += json::plain_len(bytes.get(at..)?);
        match bytes.get(at)? {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => return None,
        }
    }
}

/// How many bytes both begin with.
fn common_len(ours: &[u8], theirs: &[u8]) -> usize {
    const MANY: usize = 64;
    let many = ours.chunks_exact(MANY).zip(theirs.chunks_exact(MANY));
    let same = many.take_while(|(ours, theirs)| ours == theirs).count() * MANY;
    let few = ours[same..].iter().zip(&theirs[same..]);
    same + few.take_while(|(ours, theirs)| ours == theirs).count()
}
