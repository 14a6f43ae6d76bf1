//! The next step of an update: which set grows, which shrinks, by how much.
//!
//! Way in: [`Rollout::roll`], [`Rollout::recreate`].
//! Order: the new set grows first; only in a run in which it does not, old ones shrink: unhealthy
//! pods first.

use super::rollout::{Fate, Rollout, Which};
use crate::{kinds::POD, pods};

impl Rollout<'_> {
    /// One step of a rolling update.
    pub(super) fn roll(&mut self) {
        self.make_new_set();
        if self.new.is_none() || self.is_new_set_moving() {
            return;
        }
        if self.shrink_old_sets() {
            return;
        }
        if self.is_complete() {
            self.clean_up_history();
        }
    }

    /// One step of an update that ends all old pods before it makes new ones.
    pub(super) fn recreate(&mut self) {
        let running: Vec<usize> =
            (0..self.old.len()).filter(|index| self.old[*index].replicas > 0).collect();
        for index in &running {
            self.resize(Which::Old(*index), 0);
        }
        if !running.is_empty() || self.has_unsettled_old_sets() || self.has_old_pods() {
            return;
        }
        self.make_new_set();
        if self.new.as_ref().is_some_and(|set| set.replicas != self.replicas) {
            self.resize(Which::New, self.replicas);
            return;
        }
        if self.is_complete() {
            self.clean_up_history();
        }
    }

    /// Brings the new set towards its size; true if it was not there yet.
    fn is_new_set_moving(&mut self) -> bool {
        let Some(set) = &self.new else { return false };
        if set.fate == Fate::IsMade {
            return true;
        }
        let current = set.replicas;
        let size = if current > self.replicas {
            self.replicas
        } else {
            let room = (self.most() - self.total()).max(0);
            current + room.min(self.replicas - current)
        };
        if size == current {
            return false;
        }
        self.resize(Which::New, size);
        true
    }

    /// Takes pods from old sets as far as enough available ones remain; true if any was taken.
    fn shrink_old_sets(&mut self) -> bool {
        let Some(new) = &self.new else { return false };
        let least = self.replicas - self.unavailable;
        let not_yet = (new.replicas - new.available()).max(0);
        let mut allowed = self.total() - least - not_yet;
        if allowed <= 0 || self.old.iter().all(|set| set.replicas == 0) {
            return false;
        }
        let before = self.total();
        // Pods that are not available help nobody: they go first, and do not count against
        // availability.
        for index in 0..self.old.len() {
            let set = &self.old[index];
            let unhealthy = (set.replicas - set.available()).clamp(0, allowed.max(0));
            if unhealthy > 0 {
                allowed -= unhealthy;
                let size = set.replicas - unhealthy;
                self.resize(Which::Old(index), size);
            }
        }
        self.shrink_available(least);
        self.total() < before
    }

    /// Takes available pods, oldest set first, while more than `least` are available.
    fn shrink_available(&mut self, least: i64) {
        // A set's status may lag behind its size; no more can be available than there will be.
        let available: i64 = self.sets().map(|set| set.available().min(set.replicas)).sum();
        let mut spare = available - least;
        for index in 0..self.old.len() {
            let taken = self.old[index].replicas.min(spare);
            if taken > 0 {
                spare -= taken;
                let size = self.old[index].replicas - taken;
                self.resize(Which::Old(index), size);
            }
        }
    }

    /// Whether an old set's controller may not have seen yet that it is to have no pods: it may be
    /// about to make one.
    fn has_unsettled_old_sets(&self) -> bool {
        self.old.iter().any(|set| {
            set.count("observedGeneration") < set.object.generation() || set.count("replicas") > 0
        })
    }

    /// Whether pods of old sets have not ended yet, terminating ones included.
    fn has_old_pods(&self) -> bool {
        let mut sets = self.old.iter();
        sets.any(|set| {
            let owned = self.world.owned_by(set.object.uid());
            owned.iter().any(|pod| POD.is_kind_of(pod) && !pods::is_finished(pod))
        })
    }
}
