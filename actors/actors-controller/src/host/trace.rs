//! What was done for which key, and why: the memory of `starling why`.
//!
//! Way in: [`TraceRing`].  Invariant: never more runs than its capacity; the oldest go first.

use std::collections::VecDeque;

use actors_core::Wall;
use serde::{Deserialize, Serialize};

use super::Cause;
use crate::{Key, Read};

/// One look at one key: cause, reads, plan, outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// When.
    pub at: Wall,
    /// At what.
    pub key: Key,
    /// Why; the first few reasons.
    pub causes: Vec<Cause>,
    /// The revision of the world that was seen.
    pub revision: u64,
    /// What was asked of it.
    pub reads: Vec<Read>,
    /// What was wanted, a line an item; the first few.
    pub plan: Vec<String>,
    /// What became of it; empty while it is on its way.
    pub outcome: Vec<String>,
}

impl Trace {
    /// Most lines that are kept of a plan, and of its outcome.
    pub const LINES_MAX: usize = 16;
}

/// The last runs of a host.
#[derive(Debug, Clone)]
pub struct TraceRing {
    traces: VecDeque<Trace>,
    capacity: usize,
}

impl TraceRing {
    pub(super) fn new(capacity: usize) -> Self {
        Self { traces: VecDeque::new(), capacity }
    }

    pub(super) fn push(&mut self, trace: Trace) {
        if self.traces.len() >= self.capacity {
            self.traces.pop_front();
        }
        if self.capacity > 0 {
            self.traces.push_back(trace);
        }
    }

    /// All runs, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Trace> {
        self.traces.iter()
    }
}
