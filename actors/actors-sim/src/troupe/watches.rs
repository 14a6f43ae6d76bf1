//! Who is to be told of whose end, over a network that loses words.
//!
//! Way in: [`Watches::watch`], [`Watches::end`], [`Watches::beat`].  Owns: the wishes of this
//! node's lives, and those of others about this node's lives.
//! Order: an end is told at once; whoever heard nothing asks; who gets no answer for long enough
//! tells the watchers that the watched are lost.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use actors_core::Mono;

use super::{
    Mistake,
    event::{LifeId, Word},
    stage::Scene,
};
use crate::NodeId;

type Lives = BTreeMap<u32, LifeId>;

/// See the module.
#[derive(Debug)]
pub(super) struct Watches {
    node: NodeId,
    boot: u64,
    next: u64,
    /// What lives here want to be told: who watches whom.
    own: BTreeMap<u64, (LifeId, LifeId)>,
    /// Who wants to be told of the ends of lives here.
    others: BTreeSet<(LifeId, u64, NodeId)>,
    peers: BTreeMap<NodeId, Peer>,
}

#[derive(Debug, Clone, Copy)]
struct Peer {
    boot: u64,
    /// Since when a question may have gone unanswered.
    answered: Mono,
}

impl Watches {
    /// A node that answers nothing for so long is given up.
    const SILENCE_MAX: Duration = Duration::from_secs(3);

    pub(super) fn new(node: NodeId, boot: u64) -> Self {
        let (own, others, peers) = (BTreeMap::new(), BTreeSet::new(), BTreeMap::new());
        Self { node, boot, next: 0, own, others, peers }
    }

    /// A life wants to be told of another's end.
    pub(super) fn watch(&mut self, scene: &mut Scene<'_>, watcher: LifeId, target: LifeId) {
        if self.own.values().any(|watch| *watch == (watcher, target)) {
            return;
        }
        self.next += 1;
        let id = (u64::from(self.node.0) << 48) | (self.boot << 32) | self.next;
        self.own.insert(id, (watcher, target));
        let fresh = Peer { boot: target.boot, answered: scene.now.mono };
        self.peers.entry(target.node).or_insert(fresh);
        scene.judge.watch(id, watcher, target);
        scene.send(target.node, Word::Watch { id, target });
    }

    /// Somebody wants to be told of the end of a life here; at once, if that is past.
    pub(super) fn take(
        &mut self,
        scene: &mut Scene<'_>,
        by: NodeId,
        (id, target): (u64, LifeId),
        lives: &Lives,
    ) {
        if lives.get(&target.worker) == Some(&target) {
            self.others.insert((target, id, by));
        } else {
            scene.send(by, Word::Down { id });
        }
    }

    /// A life here has ended.
    pub(super) fn end(&mut self, scene: &mut Scene<'_>, life: LifeId) {
        self.own.retain(|_, (watcher, _)| *watcher != life);
        let wished = (life, 0, NodeId(0))..=(life, u64::MAX, NodeId(u32::MAX));
        let told: Vec<_> = self.others.range(wished).copied().collect();
        for wish in told {
            self.others.remove(&wish);
            let (_, id, by) = wish;
            scene.send(by, Word::Down { id });
        }
    }

    /// A word came that fulfils a wish; the second such word finds none.
    pub(super) fn down(&mut self, scene: &mut Scene<'_>, id: u64, lives: &Lives) {
        self.tell(scene, id, lives, false);
    }

    fn tell(&mut self, scene: &mut Scene<'_>, id: u64, lives: &Lives, is_lost: bool) {
        let Some((watcher, _)) = self.own.remove(&id) else { return };
        if lives.get(&watcher.worker) == Some(&watcher) {
            scene.judge.told(id, watcher, is_lost);
        }
    }

    /// A node speaks. If it has begun a new life, nothing of the last one lives.
    pub(super) fn meet(&mut self, scene: &mut Scene<'_>, from: NodeId, boot: u64, lives: &Lives) {
        let Some(peer) = self.peers.get_mut(&from) else { return };
        if boot > peer.boot {
            *peer = Peer { boot, answered: scene.now.mono };
            self.lose(scene, lives, |target| target.node == from && target.boot < boot);
        }
    }

    pub(super) fn answered(&mut self, now: Mono, by: NodeId) {
        if let Some(peer) = self.peers.get_mut(&by) {
            peer.answered = now;
        }
    }

    /// Asks after those that are watched, and gives up who does not answer.
    pub(super) fn beat(&mut self, scene: &mut Scene<'_>, lives: &Lives) {
        let mut asked: BTreeMap<NodeId, Vec<(u64, LifeId)>> = BTreeMap::new();
        for (id, (_, target)) in &self.own {
            asked.entry(target.node).or_default().push((*id, *target));
        }
        self.peers.retain(|node, _| asked.contains_key(node));
        for (node, watched) in asked {
            let silent = self.peers.get(&node).map(|peer| scene.now.mono.since(peer.answered));
            if silent.is_none_or(|silent| silent < Self::SILENCE_MAX) {
                scene.send(node, Word::Ask { watched });
                continue;
            }
            self.peers.remove(&node);
            if scene.mistake == Some(Mistake::LostDown) {
                self.own.retain(|_, (_, target)| target.node != node);
            }
            self.lose(scene, lives, |target| target.node == node);
        }
    }

    fn lose(&mut self, scene: &mut Scene<'_>, lives: &Lives, is_lost: impl Fn(&LifeId) -> bool) {
        let lost = self.own.iter().filter(|(_, (_, target))| is_lost(target));
        let lost: Vec<u64> = lost.map(|(id, _)| *id).collect();
        lost.into_iter().for_each(|id| self.tell(scene, id, lives, true));
    }
}
