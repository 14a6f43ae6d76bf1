//! What this process knows of its peers, over all lives of their links.
//!
//! Way in: [`Peers`], [`PeerSlot`].  Owns: the wish for a link, the link that is up, its counts.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use actors_core::Wall;
use mesh_wire::Role;
use tokio::sync::{Mutex as Turns, mpsc, watch};

use crate::{LinkState, LinkView, PeerAddress, Traffic, greet::Established, live::Live};

/// Peers that are known at a time: those that are wanted, and those that call.
const PEERS_MAX: usize = 4_096;

/// Links that a peer may have made and that are not looked at yet.
const CALLS_MAX: usize = 4;

/// What has travelled, and what was refused, over all links to one peer.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    sent: [AtomicU64; 2],
    received: [AtomicU64; 2],
    refused: AtomicU64,
}

impl Counters {
    pub(crate) fn sent(&self, frames: u64, bytes: u64) {
        self.sent[0].fetch_add(frames, Ordering::Relaxed);
        self.sent[1].fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn received(&self, bytes: u64) {
        self.received[0].fetch_add(1, Ordering::Relaxed);
        self.received[1].fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    fn traffic(pair: &[AtomicU64; 2]) -> Traffic {
        let [frames, bytes] = pair;
        Traffic { frames: frames.load(Ordering::Relaxed), bytes: bytes.load(Ordering::Relaxed) }
    }
}

/// One peer.
#[derive(Debug)]
pub(crate) struct PeerSlot {
    /// Its node.
    pub(crate) node: String,
    /// Where it is looked for, while a link is wanted.
    pub(crate) wanted: watch::Sender<Option<PeerAddress>>,
    /// Links that it made. Taken by whichever life of its actor is current.
    pub(crate) calls: Turns<mpsc::Receiver<Established>>,
    pub(crate) counters: Counters,
    /// Whether its actor runs.
    pub(crate) is_running: AtomicBool,
    caller: mpsc::Sender<Established>,
    live: RwLock<Option<Arc<Live>>>,
    status: Mutex<Status>,
}

/// What is known of the time without a link.
#[derive(Debug, Clone)]
pub(crate) struct Status {
    /// From the last certificate, else as it was told.
    pub(crate) role: Role,
    /// Since when there is no link.
    pub(crate) since: Wall,
    pub(crate) attempts: u32,
    pub(crate) last_error: Option<String>,
    /// How often a link came up.
    pub(crate) ups: u64,
}

impl PeerSlot {
    fn new(node: &str, role: Role, now: Wall) -> Self {
        let (caller, calls) = mpsc::channel(CALLS_MAX);
        let status = Status { role, since: now, attempts: 0, last_error: None, ups: 0 };
        Self {
            node: node.to_owned(),
            wanted: watch::Sender::new(None),
            calls: Turns::new(calls),
            counters: Counters::default(),
            is_running: AtomicBool::new(false),
            caller,
            live: RwLock::default(),
            status: Mutex::new(status),
        }
    }

    /// The link that is up.
    pub(crate) fn live(&self) -> Option<Arc<Live>> {
        self.live.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Names the link that is up.
    pub(crate) fn set_live(&self, live: Option<Arc<Live>>) {
        *self.live.write().unwrap_or_else(PoisonError::into_inner) = live;
    }

    pub(crate) fn status(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether its actor should run.
    pub(crate) fn is_needed(&self) -> bool {
        self.wanted.borrow().is_some() || self.caller.capacity() < CALLS_MAX
    }

    fn is_idle(&self) -> bool {
        !self.is_needed() && !self.is_running.load(Ordering::Acquire)
    }

    pub(crate) fn view(&self) -> LinkView {
        let status = self.status().clone();
        let wanted = self.wanted.borrow().map(|wanted| wanted.address);
        let live = self.live();
        let state = match &live {
            Some(live) => LinkState::Up { since: live.since, incarnation: live.hello.incarnation },
            None => LinkState::Connecting { since: status.since, attempts: status.attempts },
        };
        LinkView {
            node: self.node.clone(),
            role: status.role,
            address: live.as_ref().map(|live| live.connection.remote_address()).or(wanted),
            state,
            feature_level: live.as_ref().map(|live| live.hello.feature_level),
            last_error: status.last_error.filter(|_| live.is_none()),
            rtt: live.as_ref().map(|live| live.connection.rtt()),
            sent: Counters::traffic(&self.counters.sent),
            received: Counters::traffic(&self.counters.received),
            lanes: live.map(|live| live.depths()).unwrap_or_default(),
            refused: self.counters.refused.load(Ordering::Relaxed),
            reconnects: status.ups.saturating_sub(1),
        }
    }
}

/// All peers, by node.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    slots: RwLock<BTreeMap<String, Arc<PeerSlot>>>,
}

impl Peers {
    /// The peer of this node, if it is known.
    pub(crate) fn get(&self, node: &str) -> Option<Arc<PeerSlot>> {
        self.slots.read().unwrap_or_else(PoisonError::into_inner).get(node).cloned()
    }

    /// All that are known, in order.
    pub(crate) fn all(&self) -> Vec<Arc<PeerSlot>> {
        self.slots.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Wishes for links to these and no others.
    pub(crate) fn set_wanted(&self, peers: &BTreeMap<String, PeerAddress>, now: Wall) {
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        for (node, wanted) in peers {
            if slots.len() < PEERS_MAX || slots.contains_key(node) {
                let fresh = || Arc::new(PeerSlot::new(node, wanted.role, now));
                slots.entry(node.clone()).or_insert_with(fresh);
            }
        }
        for slot in slots.values() {
            let wanted = peers.get(&slot.node).copied();
            slot.wanted.send_if_modified(|present| std::mem::replace(present, wanted) != wanted);
        }
    }

    /// Hands a link that a peer made to its actor, which may have to be started for it. A link that
    /// finds no room comes back.
    pub(crate) fn call(&self, link: Established, now: Wall) -> Result<(), Box<Established>> {
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        let peer = &link.facts.peer;
        if slots.len() >= PEERS_MAX && !slots.contains_key(&peer.node) {
            return Err(Box::new(link));
        }
        let fresh = || Arc::new(PeerSlot::new(&peer.node, peer.role, now));
        let slot = Arc::clone(slots.entry(peer.node.clone()).or_insert_with(fresh));
        // Still under the lock, so that the peer is not forgotten in between.
        slot.caller.try_send(link).map_err(|refused| Box::new(refused.into_inner()))
    }

    /// Forgets peers that nobody wants and that do not call.
    pub(crate) fn forget_idle(&self) {
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        slots.retain(|_, slot| !slot.is_idle());
    }
}
