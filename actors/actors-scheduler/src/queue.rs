//! Pods that wait for a node: which is next, which rest, which wait for the cluster to change.
//!
//! Way in: [`Queue`].  Order: higher priority first, then who came first.
//! Invariant: a pod is in exactly one place: active, resting, stuck, or flying (its binding is on
//! its way).
//! Spec: Kubernetes documentation, "Scheduling Framework", scheduling cycle; waits of 1 s doubling
//! to 10 s.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use actors_core::Mono;

use crate::pod::{PodFacts, PodKey};

/// The wait after the first failure.
const WAIT_FIRST: Duration = Duration::from_secs(1);
/// The wait after a refusal that has nothing to do with the pod: this member may not write just
/// now.
const WAIT_SOON: Duration = Duration::from_millis(100);
/// The longest wait.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// A stuck pod is tried again after this time although nothing has changed.
const STUCK_MAX: Duration = Duration::from_secs(300);
/// The same words about the same pod are not repeated sooner.
const TELL_AGAIN: Duration = Duration::from_secs(60);

/// Which stuck pods may have become placeable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moves {
    /// All: there is more room, or another node.
    All,
    /// Those with rules about other pods: one was placed.
    MindingOthers,
}

#[derive(Debug, Clone)]
struct Waiting {
    facts: Arc<PodFacts>,
    /// Rises with every pod that comes.
    number: u64,
    attempts: u32,
    last_attempt: Mono,
    place: Place,
    /// What was last said about it, and when.
    told: Option<(String, Mono)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Active,
    Resting(Mono),
    /// Since when.
    Stuck(Mono),
    Flying,
}

type Rank = (Reverse<i64>, u64, PodKey);

/// See the module.
#[derive(Debug, Clone, Default)]
pub(crate) struct Queue {
    pods: BTreeMap<PodKey, Waiting>,
    active: BTreeSet<Rank>,
    resting: BTreeSet<(Mono, PodKey)>,
    stuck: BTreeSet<(Mono, PodKey)>,
    next_number: u64,
}

impl Queue {
    pub(crate) fn len(&self) -> usize {
        self.pods.len()
    }

    pub(crate) fn has_active(&self) -> bool {
        !self.active.is_empty()
    }

    /// Takes a pod in. One that waits already keeps its turn; it is tried at once if its rules have
    /// changed.
    pub(crate) fn add(&mut self, facts: Arc<PodFacts>) {
        let key = facts.key.clone();
        match self.pods.get_mut(&key) {
            Some(known) if *known.facts == *facts => {}
            Some(known) if known.facts.uid == facts.uid && known.place == Place::Flying => {
                known.facts = facts;
            }
            known => {
                let same_life = known.filter(|known| known.facts.uid == facts.uid);
                let number = same_life.map(|known| known.number);
                self.remove(&key);
                let number = number.unwrap_or_else(|| {
                    self.next_number += 1;
                    self.next_number
                });
                let waiting = Waiting {
                    facts,
                    number,
                    attempts: 0,
                    last_attempt: Mono(0),
                    place: Place::Flying,
                    told: None,
                };
                self.pods.insert(key.clone(), waiting);
                self.put(&key, Place::Active);
            }
        }
    }

    /// Forgets a pod.
    pub(crate) fn remove(&mut self, key: &PodKey) {
        self.take_out(key);
        self.pods.remove(key);
    }

    /// Takes the next pod; it flies until it is removed, stuck, or tried again.
    pub(crate) fn pop(&mut self, now: Mono) -> Option<Arc<PodFacts>> {
        let (.., key) = self.active.pop_first()?;
        let waiting = self.pods.get_mut(&key)?;
        waiting.place = Place::Flying;
        waiting.attempts = waiting.attempts.saturating_add(1);
        waiting.last_attempt = now;
        Some(Arc::clone(&waiting.facts))
    }

    /// No node fits: the pod waits for the cluster to change. True if this should be told to
    /// people.
    pub(crate) fn set_stuck(&mut self, key: &PodKey, message: &str, now: Mono) -> bool {
        self.take_out(key);
        self.put(key, Place::Stuck(now));
        let Some(waiting) = self.pods.get_mut(key) else { return false };
        let known = waiting.told.as_ref();
        let tell = known.is_none_or(|(old, at)| old != message || now.since(*at) >= TELL_AGAIN);
        if tell {
            waiting.told = Some((message.to_owned(), now));
        }
        tell
    }

    /// The binding was refused: the pod is tried again after a wait.
    pub(crate) fn retry(&mut self, key: &PodKey, now: Mono) {
        self.take_out(key);
        self.wake(key, now);
    }

    /// The binding could not be written just now: the pod is tried again soon, and that it was
    /// tried does not count.
    pub(crate) fn retry_soon(&mut self, key: &PodKey, now: Mono) {
        self.take_out(key);
        let Some(waiting) = self.pods.get_mut(key) else { return };
        waiting.attempts = waiting.attempts.saturating_sub(1);
        self.put(key, Place::Resting(now.after(WAIT_SOON)));
    }

    /// Tries stuck pods again, each when its wait is over.
    pub(crate) fn move_stuck(&mut self, moves: Moves, now: Mono) {
        let concerned = |key: &PodKey| match moves {
            Moves::All => true,
            Moves::MindingOthers => {
                self.pods.get(key).is_some_and(|waiting| waiting.facts.minds_others())
            }
        };
        let keys: Vec<PodKey> =
            self.stuck.iter().map(|(_, key)| key).filter(|key| concerned(key)).cloned().collect();
        for key in keys {
            self.take_out(&key);
            self.wake(&key, now);
        }
    }

    /// Whether this life of a pod waits here, flying or not.
    pub(crate) fn is_waiting(&self, pod: &PodFacts) -> bool {
        self.pods.get(&pod.key).is_some_and(|waiting| waiting.facts.uid == pod.uid)
    }

    /// Its binding is on its way.
    pub(crate) fn set_flying(&mut self, key: &PodKey) {
        self.take_out(key);
    }

    /// It has its node, or is gone: this life of it does not wait any longer.
    pub(crate) fn land(&mut self, pod: &PodFacts) {
        if self.is_waiting(pod) {
            self.remove(&pod.key);
        }
    }

    /// Ends the waits whose time has come.
    pub(crate) fn fire(&mut self, now: Mono) {
        while self.resting.first().is_some_and(|(due, _)| *due <= now) {
            let Some((_, key)) = self.resting.pop_first() else { return };
            self.put(&key, Place::Active);
        }
        while self.stuck.first().is_some_and(|(since, _)| now.since(*since) >= STUCK_MAX) {
            let Some((_, key)) = self.stuck.pop_first() else { return };
            self.put(&key, Place::Active);
        }
    }

    /// When something is due next.
    pub(crate) fn next_due(&self) -> Option<Mono> {
        let rested = self.resting.first().map(|(due, _)| *due);
        let flushed = self.stuck.first().map(|(since, _)| since.after(STUCK_MAX));
        [rested, flushed].into_iter().flatten().min()
    }

    fn wake(&mut self, key: &PodKey, now: Mono) {
        let Some(waiting) = self.pods.get(key) else { return };
        let doublings = waiting.attempts.saturating_sub(1).min(16);
        let wait = WAIT_FIRST.saturating_mul(1 << doublings).min(WAIT_MAX);
        let due = waiting.last_attempt.after(wait);
        self.put(key, if due <= now { Place::Active } else { Place::Resting(due) });
    }

    fn put(&mut self, key: &PodKey, place: Place) {
        let Some(waiting) = self.pods.get_mut(key) else { return };
        waiting.place = place;
        match place {
            Place::Active => {
                let rank = (Reverse(waiting.facts.priority), waiting.number, key.clone());
                self.active.insert(rank);
            }
            Place::Resting(due) => {
                self.resting.insert((due, key.clone()));
            }
            Place::Stuck(since) => {
                self.stuck.insert((since, key.clone()));
            }
            Place::Flying => {}
        }
    }

    /// Takes a pod out of the place where it is; it flies.
    fn take_out(&mut self, key: &PodKey) {
        let Some(waiting) = self.pods.get_mut(key) else { return };
        match waiting.place {
            Place::Active => {
                let rank = (Reverse(waiting.facts.priority), waiting.number, key.clone());
                self.active.remove(&rank);
            }
            Place::Resting(due) => {
                self.resting.remove(&(due, key.clone()));
            }
            Place::Stuck(since) => {
                self.stuck.remove(&(since, key.clone()));
            }
            Place::Flying => {}
        }
        waiting.place = Place::Flying;
    }

    pub(crate) fn assert_invariants(&self) {
        let count = |wanted: fn(&Place) -> bool| {
            self.pods.values().filter(|waiting| wanted(&waiting.place)).count()
        };
        assert_eq!(count(|place| *place == Place::Active), self.active.len(), "active pods");
        let resting = |place: &Place| matches!(place, Place::Resting(_));
        assert_eq!(count(resting), self.resting.len(), "resting pods");
        let stuck = |place: &Place| matches!(place, Place::Stuck(_));
        assert_eq!(count(stuck), self.stuck.len(), "stuck pods");
    }
}
