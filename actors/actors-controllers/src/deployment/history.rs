//! Old sets that nobody needs any longer.
//!
//! Way in: [`Rollout::clean_up_history`].  Never: a set with pods, or one whose status has not
//! caught up.

use super::rollout::{Fate, Rollout, Set};

impl Rollout<'_> {
    /// Deletes the oldest revisions beyond `revisionHistoryLimit` (10).
    pub(super) fn clean_up_history(&mut self) {
        let limit = self.deployment.spec().at("revisionHistoryLimit").as_i64().unwrap_or(10);
        let Ok(limit) = usize::try_from(limit) else { return };
        let mut alive: Vec<&mut Set> =
            self.old.iter_mut().filter(|set| !set.object.is_terminating()).collect();
        let surplus = alive.len().saturating_sub(limit);
        alive.sort_by_key(|set| set.revision());
        for set in alive.into_iter().take(surplus).filter(|set| is_idle(set)) {
            set.fate = Fate::IsDeleted;
        }
    }
}

fn is_idle(set: &Set) -> bool {
    let observed = set.count("observedGeneration") >= set.object.generation();
    set.replicas == 0 && set.count("replicas") == 0 && observed
}
