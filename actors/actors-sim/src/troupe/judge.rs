//! An onlooker who sees all nodes at once and keeps books of its own.
//!
//! Way in: what happens, as the host does it.  Never: a word to the host; nothing that happens
//! depends on the judge.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{Breach, LifeId};
use crate::{NodeId, SimTime};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Judge {
    pub(super) breaches: Vec<Breach>,
    /// Ends told, timers fired, keys woken, lives begun.
    pub(super) counts: [u64; 4],
    time: SimTime,
    lives: BTreeSet<LifeId>,
    /// Lives whose work that cannot be interrupted still runs.
    working: BTreeSet<LifeId>,
    /// Watches of lives that live.
    watches: BTreeMap<u64, Watch>,
    /// Those of them whose target has ended, by when.
    due: BTreeSet<(SimTime, u64)>,
    /// The activation of each key that has not rested yet.
    awake: BTreeMap<(NodeId, u32), u64>,
    /// What each key has surely saved.
    saved: BTreeMap<(NodeId, u32), u64>,
}

#[derive(Debug, Clone, Copy)]
struct Watch {
    watcher: LifeId,
    target: LifeId,
}

impl Judge {
    /// A link is given up after three seconds of silence, and asked over twice a second.
    const TOLD_WITHIN: Duration = Duration::from_secs(10);

    pub(super) fn look_at(&mut self, time: SimTime) {
        self.time = time;
        while let Some((ended, id)) = self.due.first().copied() {
            if ended.after(Self::TOLD_WITHIN) > time {
                return;
            }
            self.due.remove(&(ended, id));
            if let Some(Watch { watcher, target }) = self.watches.remove(&id) {
                let within = Self::TOLD_WITHIN.as_secs();
                self.breach(
                    "down-once",
                    format!("{watcher} was not told within {within} s that {target} has ended"),
                );
            }
        }
    }

    fn breach(&mut self, invariant: &'static str, what: String) {
        self.breaches.push(Breach { invariant, at: self.time, what });
    }

    pub(super) fn begin(&mut self, life: LifeId) {
        self.counts[3] += 1;
        let same = |other: &&LifeId| (other.node, other.worker) == (life.node, life.worker);
        let older = self.lives.iter().chain(&self.working).find(same).copied();
        if let Some(older) = older {
            self.breach("one-life", format!("{life} began while {older} had not ended"));
        }
        self.lives.insert(life);
    }

    pub(super) fn work(&mut self, life: LifeId) {
        self.working.insert(life);
    }

    pub(super) fn worked(&mut self, life: LifeId) {
        self.working.remove(&life);
    }

    pub(super) fn end(&mut self, life: LifeId) {
        self.lives.remove(&life);
        self.forget_watches_of(|watcher| watcher == life);
        let time = self.time;
        let due = self.watches.iter().filter(|(_, watch)| watch.target == life);
        self.due.extend(due.map(|(id, _)| (time, *id)));
    }

    /// A node is gone with all that lived there.
    pub(super) fn crash(&mut self, node: NodeId) {
        let gone: Vec<LifeId> =
            self.lives.iter().filter(|life| life.node == node).copied().collect();
        gone.into_iter().for_each(|life| self.end(life));
        self.working.retain(|life| life.node != node);
        self.awake.retain(|(home, _), _| *home != node);
    }

    /// Who does not live need not be told anything.
    fn forget_watches_of(&mut self, is_gone: impl Fn(LifeId) -> bool) {
        self.watches.retain(|_, watch| !is_gone(watch.watcher));
        let watches = &self.watches;
        self.due.retain(|(_, id)| watches.contains_key(id));
    }

    pub(super) fn watch(&mut self, id: u64, watcher: LifeId, target: LifeId) {
        self.watches.insert(id, Watch { watcher, target });
        if !self.lives.contains(&target) {
            self.due.insert((self.time, id));
        }
    }

    /// Whether an end may be told of a life that lives depends on whether it could be reached.
    pub(super) fn told(&mut self, id: u64, watcher: LifeId, is_lost: bool) {
        self.counts[0] += 1;
        let Some(Watch { target, .. }) = self.watches.remove(&id) else {
            return self.breach("down-once", format!("{watcher} was told of watch {id} again"));
        };
        self.due.retain(|(_, due)| *due != id);
        if !is_lost && self.lives.contains(&target) {
            self.breach("down-once", format!("{watcher} was told that {target} ended: it lives"));
        }
    }

    pub(super) fn fired(&mut self, life: LifeId) {
        self.counts[1] += 1;
        if !self.lives.contains(&life) {
            self.breach("timers-die", format!("a timer of {life} fired after its end"));
        }
    }

    pub(super) fn woke(&mut self, key: (NodeId, u32), life: u64, value: u64) {
        self.counts[2] += 1;
        if let Some(other) = self.awake.insert(key, life) {
            let (NodeId(node), number) = key;
            let lives = format!("activations {other} and {life}");
            self.breach("one-activation", format!("k{number} of n{node} is awake twice: {lives}"));
        }
        let saved = self.saved.get(&key).copied().unwrap_or_default();
        if value < saved {
            let (NodeId(node), number) = key;
            let what = format!("k{number} of n{node} woke with {value}, {saved} was saved");
            self.breach("records-last", what);
        }
    }

    pub(super) fn saved(&mut self, key: (NodeId, u32), life: u64, value: u64) {
        self.saved.insert(key, value);
        if self.awake.get(&key) == Some(&life) {
            self.awake.remove(&key);
        }
    }

    /// A watch whose target has ended and whose watcher does not know.
    pub(super) fn untold(&self) -> Option<String> {
        let (_, id) = self.due.first()?;
        let Watch { watcher, target } = self.watches.get(id)?;
        Some(format!("{watcher} watches {target}, which has ended, and"))
    }
}
