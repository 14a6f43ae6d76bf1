//! What happened, as one number and as the last lines of text.
//!
//! Way in: [`Trace::note`], [`Digest`].  Invariant: the number depends on every event and effect, their order,
//! time and node.
//! Spec: folded multiplication (as in wyhash) over the words of the postcard encoding.

use std::{
    collections::VecDeque,
    fmt::{self, Debug},
};

use postcard::{ser_flavors::Flavor, serialize_with_flavor};
use serde::Serialize;

use crate::{NodeId, SimTime};

/// The memory of a run.
#[derive(Debug)]
pub(crate) struct Trace {
    hash: Digest,
    lines: VecDeque<String>,
    lines_max: usize,
}

/// A running hash of 64 bits, eight bytes at a time: for telling runs apart, not for secrets.
#[derive(Debug, Clone, Copy)]
pub struct Digest {
    hash: u64,
    /// Bytes that do not fill a word yet, and how many there are.
    word: u64,
    filled: u32,
}

impl Digest {
    const BEGIN: Self = Self { hash: 0x9e37_79b9_7f4a_7c15, word: 0, filled: 0 };
    /// Odd, with as many ones as zeros and no pattern.
    const FACTOR: u64 = 0xd6e8_feb8_6659_fd93;

    /// Both halves of the product, so that every bit of the word reaches every bit of the hash.
    fn fold(&mut self, word: u64) {
        let product = u128::from(self.hash ^ word) * u128::from(Self::FACTOR);
        let halves = [product & u128::from(u64::MAX), product >> 64];
        let [low, high] = halves.map(|half| u64::try_from(half).unwrap_or(0));
        self.hash = (low ^ high).wrapping_add(word.rotate_left(23));
    }

    /// Adds bytes; where one call ends and the next one begins makes no difference.
    pub fn add(&mut self, bytes: &[u8]) {
        self.extend(bytes);
    }

    /// The hash of everything that was added.
    #[must_use]
    pub fn finish(mut self) -> u64 {
        self.flush();
        self.hash
    }

    fn push(&mut self, byte: u8) {
        self.word |= u64::from(byte) << (8 * self.filled);
        self.filled += 1;
        if self.filled == 8 {
            self.flush();
        }
    }

    /// Ends a part: what follows begins a new word. A part's length counts.
    fn flush(&mut self) {
        self.fold(self.word ^ (u64::from(self.filled) << 60));
        (self.word, self.filled) = (0, 0);
    }

    fn extend(&mut self, mut bytes: &[u8]) {
        while let Some((word, rest)) = bytes.split_first_chunk::<8>() {
            self.add_word(u64::from_le_bytes(*word));
            bytes = rest;
        }
        bytes.iter().for_each(|byte| self.push(*byte));
    }

    /// Adds eight bytes behind those that do not fill a word yet.
    fn add_word(&mut self, bytes: u64) {
        let word = self.word | bytes << (8 * self.filled);
        self.fold(word ^ (8 << 60));
        self.word = if self.filled == 0 { 0 } else { bytes >> (64 - 8 * self.filled) };
    }
}

impl Default for Digest {
    fn default() -> Self {
        Self::BEGIN
    }
}

impl fmt::Write for Digest {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.extend(text.as_bytes());
        Ok(())
    }
}

impl Flavor for Digest {
    type Output = Self;

    fn try_push(&mut self, data: u8) -> postcard::Result<()> {
        self.push(data);
        Ok(())
    }

    fn try_extend(&mut self, data: &[u8]) -> postcard::Result<()> {
        self.extend(data);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<Self> {
        Ok(self)
    }
}

impl Trace {
    pub(crate) fn new(lines_max: usize) -> Self {
        Self { hash: Digest::BEGIN, lines: VecDeque::new(), lines_max }
    }

    /// Adds one thing that happened; `sort` tells events, effects and faults apart.
    pub(crate) fn note(
        &mut self,
        at: SimTime,
        node: Option<NodeId>,
        sort: char,
        what: &(impl Serialize + Debug),
    ) {
        let place = u64::from(node.map_or(u32::MAX, |node| node.0));
        self.hash.fold(at.0);
        self.hash.fold((place << 32) | u64::from(u32::from(sort)));
        // What postcard cannot encode (a map of unknown length) still counts, more slowly.
        match serialize_with_flavor(what, self.hash) {
            Ok(hash) => self.hash = hash,
            Err(_) => self.hash.extend(format!("{what:?}").as_bytes()),
        }
        self.hash.flush();
        if self.lines_max > 0 {
            if self.lines.len() == self.lines_max {
                self.lines.pop_front();
            }
            let node = node.map_or_else(|| "--".to_owned(), |node| format!("n{}", node.0));
            let (secs, nanos) = (at.0 / 1_000_000_000, at.0 % 1_000_000_000);
            self.lines.push_back(format!("{secs}.{nanos:09} {node} {sort} {what:?}"));
        }
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hash.hash
    }

    pub(crate) fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_call_ends_makes_no_difference() {
        let bytes: Vec<u8> = (0_u8..61).map(|number| number.wrapping_mul(37)).collect();
        let mut whole = Digest::default();
        bytes.iter().for_each(|byte| whole.push(*byte));
        for cut in 0..bytes.len() {
            for next in cut..bytes.len() {
                let mut parts = Digest::default();
                let cuts = [&bytes[..cut], &bytes[cut..next], &bytes[next..]];
                cuts.into_iter().for_each(|part| parts.add(part));
                assert_eq!(parts.finish(), whole.finish(), "cut at {cut} and {next}");
            }
        }
    }
}
