//! Changes of `spec.replicas` while an update is under way: every set grows or shrinks in
//! proportion.
//!
//! Way in: [`Rollout::scale`].  Spec: Kubernetes documentation, "Deployments", proportional
//! scaling.

use super::{
    DESIRED_REPLICAS, MAX_REPLICAS,
    rollout::{Rollout, Set, Strategy, Which},
};

impl Rollout<'_> {
    /// Whether some set was last sized for another number of replicas.
    pub(super) fn is_scaling_event(&self) -> bool {
        let resized = |set: &Set| {
            set.number(DESIRED_REPLICAS).is_some_and(|desired| desired != self.replicas)
        };
        self.sets().any(|set| set.replicas > 0 && resized(set))
    }

    /// Sizes the sets for the current number of replicas, without moving the update on.
    pub(super) fn scale(&mut self) {
        if let Some(only) = self.only_active_set() {
            self.resize(only, self.replicas);
            return;
        }
        if self.new.as_ref().is_some_and(|set| self.is_saturated(set)) {
            for index in 0..self.old.len() {
                if self.old[index].replicas > 0 {
                    self.resize(Which::Old(index), 0);
                }
            }
            return;
        }
        if self.strategy() == Strategy::RollingUpdate {
            self.scale_in_proportion();
        }
    }

    /// The one set with pods; without any, the newest. `None` if several have pods.
    fn only_active_set(&self) -> Option<Which> {
        let active: Vec<Which> = self.active_sets();
        match (active.as_slice(), &self.new) {
            ([only], _) => Some(*only),
            ([], Some(_)) => Some(Which::New),
            ([], None) => self.old.len().checked_sub(1).map(Which::Old),
            _ => None,
        }
    }

    fn active_sets(&self) -> Vec<Which> {
        let old = (0..self.old.len()).filter(|index| self.old[*index].replicas > 0).map(Which::Old);
        let new = self.new.iter().filter(|set| set.replicas > 0).map(|_| Which::New);
        old.chain(new).collect()
    }

    fn is_saturated(&self, set: &Set) -> bool {
        set.replicas == self.replicas
            && set.number(DESIRED_REPLICAS) == Some(self.replicas)
            && set.available() == self.replicas
    }

    fn scale_in_proportion(&mut self) {
        let allowed = if self.replicas > 0 { self.most() } else { 0 };
        let change = allowed - self.total();
        // What rounding leaves over goes to the largest set: the newest of them when growing, the
        // oldest when shrinking.
        let mut order = self.active_sets();
        order.reverse();
        if change < 0 {
            order.reverse();
        }
        order.sort_by_key(|which| std::cmp::Reverse(self.size(*which)));
        let mut added = 0;
        let mut sizes = Vec::with_capacity(order.len());
        for which in order {
            let share = self.share(which, change - added);
            added += share;
            sizes.push((which, self.size(which) + share));
        }
        if let Some((_, largest)) = sizes.first_mut() {
            *largest = (*largest + change - added).max(0);
        }
        for (which, size) in sizes {
            self.resize(which, size);
        }
    }

    fn set(&self, which: Which) -> Option<&Set> {
        match which {
            Which::Old(index) => self.old.get(index),
            Which::New => self.new.as_ref(),
        }
    }

    fn size(&self, which: Which) -> i64 {
        self.set(which).map_or(0, |set| set.replicas)
    }

    /// How much of `rest` a set gets: its share of the Deployment when it was last sized, of the
    /// Deployment now.
    fn share(&self, which: Which, rest: i64) -> i64 {
        let Some(set) = self.set(which) else { return 0 };
        if self.replicas == 0 {
            return -set.replicas;
        }
        let seen = self.deployment.status().at("replicas").as_i64().unwrap_or(0);
        let then = set.number(MAX_REPLICAS).unwrap_or(seen).max(1);
        let size = round_half_up(set.replicas * self.most(), then);
        let change = size - set.replicas;
        if rest > 0 { change.clamp(0, rest) } else { change.clamp(rest, 0) }
    }
}

fn round_half_up(numerator: i64, denominator: i64) -> i64 {
    (2 * numerator + denominator) / (2 * denominator)
}
