//! What the simulated drivers of a node can do: send, set timers, write and sync.
//!
//! Way in: [`Host`].  Never: another node's disk or clock.

use std::time::Duration;

use actors_core::{Buggify, Mono, Now, Rng};

use super::{Core, Item, NodeId};
use crate::SimDisk;

/// The outside of one node, for the length of one effect or start.
#[derive(Debug)]
pub struct Host<'a, E> {
    pub(super) core: &'a mut Core<E>,
    pub(super) node: NodeId,
}

impl<E: Clone> Host<'_, E> {
    /// The node.
    #[must_use]
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// What its clocks show.
    #[must_use]
    pub fn now(&self) -> Now {
        self.core.node(self.node).clock.now(self.core.time)
    }

    /// The node's own stream of randomness, which its machines draw from too.
    pub fn rng(&mut self) -> &mut Rng {
        &mut self.core.node_mut(self.node).rng
    }

    /// The fault points of this run.
    pub fn buggify(&mut self) -> &mut Buggify {
        &mut self.core.buggify
    }

    /// Which of its lives the node is in, 1 for the first.
    #[must_use]
    pub fn boot(&self) -> u64 {
        self.core.node(self.node).boot
    }

    /// Sends a message over the network: it arrives as an event of `to`, later, once, twice or
    /// never.
    pub fn send(&mut self, to: NodeId, event: E) {
        let [first, second] = self.core.net.route(self.core.time, self.node, to);
        let from = self.node;
        if let Some(at) = second {
            self.core.push(at, Item::Message { from, to, event: event.clone() });
        }
        if let Some(at) = first {
            self.core.push(at, Item::Message { from, to, event });
        }
    }

    /// Delivers an event to this node when its own clock shows `at`; at once if that is past.
    pub fn at(&mut self, at: Mono, event: E) {
        let node = self.core.node(self.node);
        let (time, boot) = (node.clock.when(at), node.boot);
        self.core.push(time, Item::Timer { node: self.node, boot, due: at, event });
    }

    /// Delivers an event to this node after `span` of true time: the end of an effect that takes so
    /// long.
    pub fn after(&mut self, span: Duration, event: E) {
        let boot = self.boot();
        self.core.push(self.core.time.after(span), Item::Local { node: self.node, boot, event });
    }

    /// The node's disk. What is written is durable after [`Host::sync`], or by the port's own
    /// `sync` at once.
    #[must_use]
    pub fn disk(&self) -> SimDisk {
        self.core.node(self.node).disk.clone()
    }

    /// Begins to sync everything that was written up to now; delivers `done` when it is durable, or
    /// `failed`.
    pub fn sync(&mut self, done: E, failed: E) {
        let disk = self.disk();
        let (mark, delay, boot) = (disk.mark(), disk.sync_delay(), self.boot());
        let item = Item::Synced { node: self.node, boot, mark, ends: Box::new((done, failed)) };
        self.core.push(self.core.time.after(delay), item);
    }
}
