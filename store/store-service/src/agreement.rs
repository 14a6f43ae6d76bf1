//! Whether the replicas' states are equal: what they were lately, and who is wrong if they are not.
//!
//! Way in: [`Samples::note`], [`judge`].  Never: a comparison of unequal indices; it would say
//! nothing.
//! Invariant: a replica is called different only if more replicas have something else at the same
//! index, or, if as many do, the leader.

use std::collections::{BTreeMap, VecDeque};

use store_mvcc::{Position, StateHash};
use store_raft::NodeId;

/// What the state was at some indices: the last one, and every so often before it.
#[derive(Debug, Default)]
pub(crate) struct Samples {
    kept: VecDeque<(u64, StateHash)>,
    newest: (u64, StateHash),
}

impl Samples {
    /// Indices that are divisible by this are kept, by every replica.
    const EVERY: u64 = 64;
    /// How many of them.
    const KEPT: usize = 1_024;

    /// Notes what the state is after an entry.
    pub(crate) fn note(&mut self, position: &Position) {
        self.newest = (position.index, position.hash);
        if position.index.is_multiple_of(Self::EVERY) {
            self.kept.truncate(Self::KEPT - 1);
            self.kept.push_front(self.newest);
        }
    }

    /// Forgets everything: the state is another one now.
    pub(crate) fn restart(&mut self, position: &Position) {
        self.kept.clear();
        self.note(position);
    }

    /// What the state was at `index`, if that is known.
    pub(crate) fn at(&self, index: u64) -> Option<StateHash> {
        let mut known = self.kept.iter().chain([&self.newest]);
        known.find(|(at, _)| *at == index).map(|(_, hash)| *hash)
    }

    /// The indices by which replicas are compared: the newest, and those before it that a replica
    /// which lags may have too.
    pub(crate) fn indices(&self) -> Vec<u64> {
        let kept = self.kept.iter().map(|(index, _)| *index).take(8);
        std::iter::once(self.newest.0).chain(kept).filter(|index| *index > 0).collect()
    }
}

/// Those that are wrong at one index, and what is right there.
pub(crate) fn judge(
    leader: NodeId,
    hashes: &BTreeMap<NodeId, StateHash>,
) -> Option<(StateHash, Vec<NodeId>)> {
    let mut counts: BTreeMap<StateHash, usize> = BTreeMap::new();
    for hash in hashes.values() {
        *counts.entry(*hash).or_default() += 1;
    }
    let of_leader = hashes.get(&leader)?;
    let (right, _) = counts.iter().max_by_key(|(hash, count)| (**count, *hash == of_leader))?;
    let wrong: Vec<_> =
        hashes.iter().filter(|(_, hash)| *hash != right).map(|(node, _)| *node).collect();
    (!wrong.is_empty()).then_some((*right, wrong))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(of: u8) -> StateHash {
        StateHash([of; 32])
    }

    #[test]
    fn the_fewer_are_wrong_and_the_leader_decides_a_draw() {
        let check = |hashes: &[u8], expected: Option<(u8, &[u64])>| {
            let nodes = (1..).map(NodeId).zip(hashes.iter().map(|of| hash(*of))).collect();
            let expected = expected
                .map(|(right, wrong)| (hash(right), wrong.iter().copied().map(NodeId).collect()));
            assert_eq!(judge(NodeId(1), &nodes), expected, "{hashes:?}");
        };
        check(&[7], None);
        check(&[7, 7, 7], None);
        check(&[7, 7, 8], Some((7, &[3])));
        check(&[8, 7, 7], Some((7, &[1])));
        check(&[7, 8], Some((7, &[2])));
        check(&[7, 8, 9], Some((7, &[2, 3])));
    }

    #[test]
    fn what_was_every_so_often_is_known_for_long() {
        let mut samples = Samples::default();
        assert_eq!(samples.indices(), Vec::<u64>::new());
        for index in 1..=200_000 {
            let byte = u8::try_from(index % 251).unwrap();
            samples.note(&Position { index, hash: hash(byte), ..Position::default() });
        }
        assert_eq!(samples.at(200_000), Some(hash(u8::try_from(200_000 % 251).unwrap())));
        assert_eq!(samples.at(199_999), None);
        assert!(samples.at(192_000).is_some() && samples.at(64_000).is_none());
        assert_eq!(samples.indices().len(), 9);
    }
}
