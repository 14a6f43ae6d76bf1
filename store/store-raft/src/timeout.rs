//! Replaces the only randomness of tikv's `raft`, the election timeout, by the machine's own
//! stream.
//!
//! Way in: [`ElectionTimeout::settle`].  Invariant: between two events, raft's timeout is the one
//! drawn here.

use std::time::Duration;

use actors_core::Rng;
use raft::{RawNode, StateRole, Storage};

use crate::RaftConfig;

/// The timeout that was drawn, and for which term and role.
#[derive(Debug, Clone, Default)]
pub(crate) struct ElectionTimeout {
    drawn_for: Option<(u64, StateRole)>,
    ticks: usize,
    phase: Duration,
}

impl ElectionTimeout {
    /// Draws anew if the term or the role changed, and puts the drawn timeout in place of raft's
    /// own.
    ///
    /// Raft resets its timeout only when it changes term or role. What it drew is never looked at:
    /// it may equal the old value by chance, and a draw that depended on it would not replay.
    pub(crate) fn settle<S: Storage>(&mut self, node: &mut RawNode<S>, rng: &mut Rng) {
        let key = (node.raft.term, node.raft.state);
        if self.drawn_for != Some(key) {
            let low = RaftConfig::ELECTION_TICKS_MIN as u64;
            let high = RaftConfig::ELECTION_TICKS_MAX as u64;
            self.ticks =
                usize::try_from(rng.between(low, high)).unwrap_or(RaftConfig::ELECTION_TICKS_MAX);
            let tick = u64::try_from(RaftConfig::TICK.as_nanos()).unwrap_or(u64::MAX);
            self.phase = Duration::from_nanos(rng.below(tick));
            self.drawn_for = Some(key);
        }
        node.raft.set_randomized_election_timeout(self.ticks);
    }

    /// The timeout that is in force, in ticks; zero before the first event.
    pub(crate) fn ticks(&self) -> usize {
        self.ticks
    }

    /// How much longer than whole ticks it is. Followers hear their leader at the same time, and
    /// would otherwise often stand for election at the same time too.
    pub(crate) fn phase(&self) -> Duration {
        self.phase
    }
}
