//! Replaces the only randomness of tikv's `raft`, the election timeout: voters wait for their turn.
//!
//! Way in: [`ElectionTimeout::settle`].  Invariant: between two events, raft's timeout is the one
//! settled here.
//! Why turns: whoever draws may draw the same as another one, and then nobody is elected in that
//! round; two survivors of three did so once in six losses, which doubled the wait.

use std::time::Duration;

use actors_core::Rng;
use raft::{RawNode, StateRole, Storage};

use crate::RaftConfig;

/// The timeout in force, and for which term and role.
#[derive(Debug, Clone, Default)]
pub(crate) struct ElectionTimeout {
    drawn_for: Option<(u64, StateRole)>,
    ticks: usize,
    phase: Duration,
}

impl ElectionTimeout {
    /// Looks for its turn anew if the term or the role changed, and puts that timeout in place of
    /// raft's own.
    ///
    /// Raft resets its timeout only when it changes term or role. What it drew is never looked at:
    /// it may equal the old value by chance, and a draw that depended on it would not replay.
    pub(crate) fn settle<S: Storage>(&mut self, node: &mut RawNode<S>, rng: &mut Rng) {
        let key = (node.raft.term, node.raft.state);
        if self.drawn_for != Some(key) {
            let state = node.raft.prs().conf().to_conf_state();
            self.ticks = turn(state.voters, node.raft.id);
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

    /// How much longer than whole ticks it is: two whose turns are the same, because there are many
    /// voters, still seldom stand for election at the same time.
    pub(crate) fn phase(&self) -> Duration {
        self.phase
    }
}

/// The ticks of one voter: the first, by number, waits for the least time, the last for the most.
/// Whoever has no vote waits as long as the first.
fn turn(mut voters: Vec<u64>, own: u64) -> usize {
    let (low, high) = (RaftConfig::ELECTION_TICKS_MIN, RaftConfig::ELECTION_TICKS_MAX);
    voters.sort_unstable();
    let place = voters.iter().position(|voter| *voter == own).unwrap_or(0);
    low + place * (high - low) / voters.len().saturating_sub(1).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn voters_wait_for_their_turn_within_the_bounds() {
        let turns = |voters: &[u64]| -> Vec<usize> {
            voters.iter().map(|own| turn(voters.to_vec(), *own)).collect()
        };
        assert_eq!(turns(&[7]), [10]);
        assert_eq!(turns(&[1, 2, 3]), [10, 12, 15]);
        assert_eq!(turns(&[9, 4, 5]), [15, 10, 12]);
        assert_eq!(turns(&[1, 2, 3, 4, 5]), [10, 11, 12, 13, 15]);
        assert_eq!(turn(vec![1, 2], 3), 10);
    }
}
