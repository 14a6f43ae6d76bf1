//! What watchers of the same things are told: the frames of the latest events one behind the other, for all of them that
//! one worker serves.
//!
//! Way in: [`Tapes::join`]; then [`Tape::play`], and [`Tape::record`] what it did not have.  Owns: a copy of those frames.
//! Invariant: what is played of an event is its own frame: each is compared by version and word, so that a gap, another
//! order or another selector costs time, and nothing else.
//! Bounds: [`TAPES_MAX`] tapes a worker, [`BYTES_MAX`] each.

use std::{
    cell::RefCell,
    collections::{BTreeMap, VecDeque},
    rc::{Rc, Weak},
    sync::Arc,
};

use nodes_door::{Entry, WatchEvent};
use store_catalog::Item;

use crate::{
    forms::{self, Word},
    negotiate::Form,
    pieces::{PIECE, Pieces},
};

/// Most tapes of one worker; who watches what nobody else does hardly needs one.
const TAPES_MAX: usize = 32;

/// Most bytes of one tape: what many watchers are behind by, or less.
const BYTES_MAX: usize = 256 * 1024;

/// The tapes of one worker.
#[derive(Debug, Default)]
pub(crate) struct Tapes(RefCell<BTreeMap<String, Weak<RefCell<Tape>>>>);

/// The latest frames, in the order of their revisions.
#[derive(Debug, Default)]
pub(crate) struct Tape {
    frames: VecDeque<Frame>,
    bytes: Vec<u8>,
    /// How many bytes were dropped before these.
    dropped: usize,
}

#[derive(Debug)]
struct Frame {
    revision: u64,
    item: Arc<Item>,
    form: store_catalog::Form,
    /// Where it ends, counted from the first byte that ever was.
    end: usize,
}

impl Tapes {
    /// The tape of those who watch this; `None` if there are too many already.
    pub(crate) fn join(&self, what: String) -> Option<Rc<RefCell<Tape>>> {
        let mut tapes = self.0.borrow_mut();
        if let Some(tape) = tapes.get(&what).and_then(Weak::upgrade) {
            return Some(tape);
        }
        tapes.retain(|_, tape| tape.strong_count() > 0);
        (tapes.len() < TAPES_MAX).then(|| {
            let tape = Rc::default();
            tapes.insert(what, Rc::downgrade(&tape));
            tape
        })
    }
}

impl Tape {
    /// Writes the frames of as many of these events as follow one another here, up to about a piece; how many.
    pub(crate) fn play(&self, events: &[WatchEvent], form: Form, out: &mut Pieces) -> usize {
        let Some(first) = events.first().and_then(|event| shared(event, form)) else { return 0 };
        let at = self.frames.partition_point(|frame| frame.revision < first.0.revision().0);
        let start = at.checked_sub(1).map_or(self.dropped, |before| self.frames[before].end);
        let mut end = start;
        let mut played = 0;
        for (event, frame) in events.iter().zip(self.frames.range(at..)) {
            let is_this = shared(event, form)
                .is_some_and(|(item, form)| Arc::ptr_eq(item, &frame.item) && form == frame.form);
            if !is_this || end - start >= PIECE {
                break;
            }
            end = frame.end;
            played += 1;
        }
        out.extend(&self.bytes[start - self.dropped..end - self.dropped]);
        played
    }

    /// Adds the frame of an event, if it is later than all that are here.
    pub(crate) fn record(&mut self, item: &Arc<Item>, form: store_catalog::Form, bytes: &[u8]) {
        let revision = item.revision().0;
        let is_next = self.frames.back().is_none_or(|last| last.revision < revision);
        if !is_next || bytes.len() > BYTES_MAX / 8 {
            return;
        }
        if self.bytes.len() + bytes.len() > BYTES_MAX {
            self.drop_half();
        }
        self.bytes.extend_from_slice(bytes);
        let end = self.dropped + self.bytes.len();
        self.frames.push_back(Frame { revision, item: Arc::clone(item), form, end });
    }

    fn drop_half(&mut self) {
        let kept = self.dropped + self.bytes.len() / 2;
        let count = self.frames.partition_point(|frame| frame.end < kept) + 1;
        if let Some(last) = self.frames.drain(..count.min(self.frames.len())).next_back() {
            self.bytes.drain(..last.end - self.dropped);
            self.dropped = last.end;
        }
    }
}

/// The version that an event tells of, and which form of it the frame is, where others may be told the same.
pub(crate) fn shared(event: &WatchEvent, form: Form) -> Option<(&Arc<Item>, store_catalog::Form)> {
    let (word, entry) = match event {
        WatchEvent::Added(entry) => (Word::Added, entry),
        WatchEvent::Modified(entry) => (Word::Modified, entry),
        WatchEvent::Deleted(entry) => (Word::Deleted, entry),
        WatchEvent::Bookmark(..) | WatchEvent::Error(_) => return None,
    };
    let Entry::Stored(item) = entry else { return None };
    forms::frame(form, word).map(|form| (item, form))
}

#[cfg(test)]
mod tests;
