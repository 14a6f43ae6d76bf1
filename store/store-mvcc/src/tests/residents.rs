//! Whoever holds what is committed in memory spares the disk, and changes nothing.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use super::*;
use crate::{Residents, Stored};

/// What is committed, as the changes say.
#[derive(Default)]
pub(super) struct Kept(Mutex<BTreeMap<Key, Arc<Stored>>>);

impl Kept {
    fn take_in(&self, applied: &Applied) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for change in &applied.changes {
            match &change.value {
                Some(stored) => kept.insert(change.key.clone(), Arc::clone(stored)),
                None => kept.remove(&change.key),
            };
        }
    }
}

impl Residents for Kept {
    fn newest(&self, key: &Key) -> Option<Arc<Stored>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }
}

/// A bench that looks versions up in memory, beside one that reads its disk.
pub(super) struct Twins {
    pub(super) reading: Bench,
    holding: Bench,
    kept: Arc<Kept>,
    /// What was applied since the last commit of the one that holds.
    uncommitted: Vec<Applied>,
}

impl Twins {
    pub(super) fn new() -> Self {
        let (reading, mut holding, kept) = (Bench::new(), Bench::new(), Arc::<Kept>::default());
        holding.state.set_residents(Some(kept.clone()));
        Self { reading, holding, kept, uncommitted: Vec::new() }
    }

    /// Applies an entry to both, which must agree in everything; one commits it at once, the other
    /// only if `commits` says so.
    pub(super) fn apply(&mut self, proposal: &Proposal, commits: bool) -> Applied {
        let applied = self.reading.apply(proposal);
        let index = self.holding.state.position().index + 1;
        let twin = self.holding.state.apply(index, 1, proposal).expect("the entry applies");
        assert_eq!(twin, applied);
        assert_eq!(self.holding.state.position().hash, self.reading.state.position().hash);
        self.uncommitted.push(twin);
        if commits {
            self.holding.state.commit().expect("memory takes everything");
            for applied in self.uncommitted.drain(..) {
                self.kept.take_in(&applied);
            }
        }
        applied
    }
}

#[test]
fn what_is_held_in_memory_is_believed() {
    let mut bench = Bench::new();
    bench.results(vec![put("a", "1", Expect::Any)]);
    // As if it were not there: the disk is not asked.
    bench.state.set_residents(Some(Arc::<Kept>::default()));
    assert_eq!(bench.results(vec![put("a", "2", Expect::Absent)]), [done(2, true)]);
    bench.state.set_residents(None);
    let conflict = OpResult::Conflict { current: Some(Revision(2)) };
    assert_eq!(bench.results(vec![put("a", "3", Expect::Absent)]), [conflict]);
}
