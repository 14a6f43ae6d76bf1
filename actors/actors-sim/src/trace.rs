//! What happened, as one number and as the last lines of text.
//!
//! Way in: [`Trace::note`].  Invariant: the number depends on every event and effect, their order,
//! time and node.
//! Spec: FNV-1a, 64 bits, over the postcard encoding (draft-eastlake-fnv, section 2).

use std::{collections::VecDeque, fmt::Debug};

use postcard::{ser_flavors::Flavor, serialize_with_flavor};
use serde::Serialize;

use crate::{NodeId, SimTime};

/// The memory of a run.
#[derive(Debug)]
pub(crate) struct Trace {
    hash: Fnv,
    lines: VecDeque<String>,
    lines_max: usize,
}

#[derive(Debug, Clone, Copy)]
struct Fnv(u64);

impl Fnv {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;

    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(Self::PRIME);
        }
    }
}

impl Flavor for Fnv {
    type Output = u64;

    fn try_push(&mut self, data: u8) -> postcard::Result<()> {
        self.add(&[data]);
        Ok(())
    }

    fn try_extend(&mut self, data: &[u8]) -> postcard::Result<()> {
        self.add(data);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<u64> {
        Ok(self.0)
    }
}

impl Trace {
    pub(crate) fn new(lines_max: usize) -> Self {
        Self { hash: Fnv(Fnv::OFFSET), lines: VecDeque::new(), lines_max }
    }

    /// Adds one thing that happened; `sort` tells events, effects and faults apart.
    pub(crate) fn note(
        &mut self,
        at: SimTime,
        node: Option<NodeId>,
        sort: char,
        what: &(impl Serialize + Debug),
    ) {
        self.hash.add(&at.0.to_le_bytes());
        self.hash.add(&node.map_or(u32::MAX, |node| node.0).to_le_bytes());
        self.hash.add(&[u8::try_from(sort).unwrap_or(0)]);
        // What postcard cannot encode (a map of unknown length) still counts, more slowly.
        match serialize_with_flavor(what, self.hash) {
            Ok(hash) => self.hash = Fnv(hash),
            Err(_) => self.hash.add(format!("{what:?}").as_bytes()),
        }
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
        self.hash.0
    }

    pub(crate) fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(String::as_str)
    }
}
