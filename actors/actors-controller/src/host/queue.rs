//! Which key is looked at next, which waits for the world, and which rests.
//!
//! Way in: [`Queue`].  Invariants: 1. a key is in exactly one phase. 2. every resting key is in
//! `due`, every key that catches up is in `catching`, every queued one in `ready`. 3. never more
//! than `keys_max` keys.

use std::collections::{BTreeMap, BTreeSet, VecDeque, btree_map};

use actors_core::Mono;

use super::entry::{After, Cause, Entry, Phase};
use crate::Key;

#[derive(Debug)]
pub(super) struct Queue {
    entries: BTreeMap<Key, Entry>,
    ready: VecDeque<Key>,
    due: BTreeSet<(Mono, Key)>,
    catching: BTreeSet<(u64, Key)>,
    keys_max: usize,
    /// Set when a key was not remembered; holds the key behind which a resync goes on.
    missed: Option<Option<Key>>,
}

impl Queue {
    pub(super) fn new(keys_max: usize) -> Self {
        Self {
            entries: BTreeMap::new(),
            ready: VecDeque::new(),
            due: BTreeSet::new(),
            catching: BTreeSet::new(),
            keys_max,
            missed: None,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn is_busy(&self, key: &Key) -> bool {
        self.entries.get(key).is_some_and(|entry| entry.phase == Phase::Running)
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.ready.is_empty() && self.catching.is_empty() && self.missed.is_none()
    }

    pub(super) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    pub(super) fn waits_for(&self) -> Option<u64> {
        self.catching.first().map(|(revision, _)| *revision)
    }

    pub(super) fn next_due(&self) -> Option<Mono> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Has `key` looked at; false if there is no room to remember it. A key that backs off is deaf
    /// to changes for a while, but not to a resync: the cause of its refusals may be over, as when
    /// this member has just become the one that may write.
    pub(super) fn wake(&mut self, key: Key, cause: Cause, now: Mono) -> bool {
        let is_full = self.entries.len() >= self.keys_max;
        let mut known = match self.entries.entry(key) {
            btree_map::Entry::Occupied(known) => known,
            btree_map::Entry::Vacant(_) if is_full => {
                self.missed.get_or_insert(None);
                return false;
            }
            btree_map::Entry::Vacant(place) => {
                self.ready.push_back(place.key().clone());
                place.insert(Entry { phase: Phase::Queued, causes: vec![cause], failures: 0 });
                return true;
            }
        };
        let resync = cause == Cause::Resync;
        let entry = known.get_mut();
        entry.add_cause(cause);
        if let Phase::Resting { due, wakes_from } = entry.phase {
            let earlier = if resync { now } else { wakes_from.max(now) };
            if earlier < due {
                entry.phase = Phase::Resting { due: earlier, wakes_from };
                let mut resting = (due, known.key().clone());
                self.due.remove(&resting);
                resting.0 = earlier;
                self.due.insert(resting);
            }
        }
        true
    }

    /// Queues the keys whose time has come.
    pub(super) fn fire(&mut self, now: Mono) {
        while self.due.first().is_some_and(|(at, _)| *at <= now) {
            let Some((_, key)) = self.due.pop_first() else { return };
            if let Some(entry) = self.entries.get_mut(&key) {
                let cause = if entry.failures > 0 { Cause::Retry } else { Cause::Requeue };
                if entry.causes.is_empty() {
                    entry.add_cause(cause);
                }
                entry.phase = Phase::Queued;
                self.ready.push_back(key);
            }
        }
    }

    /// Takes the next key to look at, with the reasons; it is busy until [`Queue::finish`] or
    /// [`Queue::park`].
    pub(super) fn take_ready(&mut self) -> Option<Key> {
        let key = self.ready.pop_front()?;
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.phase = Phase::Running;
        }
        Some(key)
    }

    /// Why the busy `key` is looked at; what comes after this call is for its next look.
    pub(super) fn take_causes(&mut self, key: &Key) -> Vec<Cause> {
        self.entries.get_mut(key).map(|entry| std::mem::take(&mut entry.causes)).unwrap_or_default()
    }

    /// Counts a look that was refused in part, or forgets them; returns how many there were in a
    /// row.
    pub(super) fn count_failure(&mut self, key: &Key, failed: bool) -> u32 {
        let Some(entry) = self.entries.get_mut(key) else { return 0 };
        entry.failures = if failed { entry.failures.saturating_add(1) } else { 0 };
        entry.failures
    }

    /// The look at `key` is over. It wrote up to `written`; the world is at `seen`.
    pub(super) fn finish(
        &mut self,
        key: Key,
        after: After,
        (written, seen): (u64, u64),
        now: Mono,
    ) {
        if written <= seen {
            return self.follow(key, after, now);
        }
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.phase = Phase::CatchingUp { revision: written, then: after };
            self.catching.insert((written, key));
        }
    }

    /// Goes on with the keys whose writes the world now shows.
    pub(super) fn catch_up(&mut self, seen: u64, now: Mono) {
        while self.catching.first().is_some_and(|(revision, _)| *revision <= seen) {
            let Some((_, key)) = self.catching.pop_first() else { return };
            let phase = self.entries.get(&key).map(|entry| entry.phase);
            if let Some(Phase::CatchingUp { then, .. }) = phase {
                self.follow(key, then, now);
            }
        }
    }

    fn follow(&mut self, key: Key, after: After, now: Mono) {
        let btree_map::Entry::Occupied(mut known) = self.entries.entry(key) else { return };
        let woken = !known.get().causes.is_empty();
        let (due, wakes_from) = match after {
            After::Sleep if !woken => {
                known.remove();
                return;
            }
            After::Requeue(at) if !woken => (at, now),
            After::Retry(at, from) if woken => (at.min(from.max(now)), from),
            After::Retry(at, from) => (at, from),
            After::Sleep | After::Requeue(_) => {
                known.get_mut().phase = Phase::Queued;
                self.ready.push_back(known.key().clone());
                return;
            }
        };
        known.get_mut().phase = Phase::Resting { due, wakes_from };
        self.due.insert((due, known.key().clone()));
    }

    /// Lets the busy `key` rest until `due`, whatever happens around it.
    pub(super) fn park(&mut self, key: Key, due: Mono, generation: i64) {
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.phase = Phase::Parked { due, generation };
            self.due.insert((due, key));
        }
    }

    /// Ends the rest of a parked key whose object has another generation than when it was parked.
    pub(super) fn release_if_new(&mut self, key: &Key, current: i64) {
        let phase = self.entries.get(key).map(|entry| entry.phase);
        if let Some(Phase::Parked { generation: parked, .. }) = phase
            && parked != current
        {
            self.release(key);
        }
    }

    /// Ends the rest of a key.
    pub(super) fn release(&mut self, key: &Key) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        if let Phase::Parked { due, .. } | Phase::Resting { due, .. } = entry.phase {
            entry.phase = Phase::Queued;
            self.due.remove(&(due, key.clone()));
            self.ready.push_back(key.clone());
        }
    }

    /// Whether keys were not remembered and there is room for them now.
    pub(super) fn wants_resync(&self) -> bool {
        self.missed.is_some() && self.entries.len() <= self.keys_max / 2
    }

    /// Where a resync goes on; `None`: at the start.
    pub(super) fn take_resync_cursor(&mut self) -> Option<Key> {
        self.missed.take().flatten()
    }

    /// A resync had to stop behind `last`.
    pub(super) fn set_resync_cursor(&mut self, last: Option<Key>) {
        self.missed = Some(last);
    }

    pub(super) fn assert_invariants(&self) {
        assert!(self.entries.len() <= self.keys_max, "more keys than the bound");
        let (mut queued, mut resting, mut catching) = (0, 0, 0);
        for entry in self.entries.values() {
            match entry.phase {
                Phase::Queued => queued += 1,
                Phase::Running => {}
                Phase::CatchingUp { .. } => catching += 1,
                Phase::Resting { .. } | Phase::Parked { .. } => resting += 1,
            }
        }
        assert_eq!(queued, self.ready.len(), "ready queue");
        assert_eq!(resting, self.due.len(), "timers");
        assert_eq!(catching, self.catching.len(), "keys that catch up");
    }
}
