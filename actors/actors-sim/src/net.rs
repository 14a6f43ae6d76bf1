//! The simulated network: which message arrives, when, and how often.
//!
//! Way in: [`Net::route`].  Owns: cuts and the state of each link.
//! Invariant: messages of one link arrive in order unless `reorder_ppm` draws one out of it.

use std::{collections::BTreeMap, time::Duration};

use actors_core::Rng;
use serde::{Deserialize, Serialize};

use crate::{NodeId, SimTime};

/// How links behave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetFaults {
    /// The shortest way of a message.
    pub latency_min: Duration,
    /// The longest way of a message that is not reordered.
    pub latency_max: Duration,
    /// How many of a million messages are lost.
    pub loss_ppm: u32,
    /// How many of a million messages arrive twice.
    pub duplicate_ppm: u32,
    /// How many of a million messages are late by up to ten times `latency_max`, and overtaken.
    pub reorder_ppm: u32,
}

impl Default for NetFaults {
    /// A local network without faults: 100 to 300 microseconds.
    fn default() -> Self {
        Self {
            latency_min: Duration::from_micros(100),
            latency_max: Duration::from_micros(300),
            loss_ppm: 0,
            duplicate_ppm: 0,
            reorder_ppm: 0,
        }
    }
}

/// A partition: messages from `from` to `to` are lost, also those under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// Names it, so that it can be healed. A cut of the same name takes its place.
    pub name: String,
    /// One side.
    pub from: Vec<NodeId>,
    /// The other side.
    pub to: Vec<NodeId>,
    /// Whether messages from `to` still reach `from`.
    pub is_one_way: bool,
    /// If set, the cut comes and goes.
    pub flap: Option<Flap>,
}

/// The rhythm of a cut that comes and goes; it begins cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flap {
    /// How long messages are lost.
    pub cut: Duration,
    /// How long they pass.
    pub open: Duration,
}

impl Cut {
    /// Both sides lose each other.
    #[must_use]
    pub fn between(name: impl Into<String>, from: Vec<NodeId>, to: Vec<NodeId>) -> Self {
        Self { name: name.into(), from, to, is_one_way: false, flap: None }
    }

    fn blocks(&self, since: SimTime, now: SimTime, link: Link) -> bool {
        let (from, to) = link;
        let is_forward = self.from.contains(&from) && self.to.contains(&to);
        let is_backward = self.from.contains(&to) && self.to.contains(&from);
        if !is_forward && (self.is_one_way || !is_backward) {
            return false;
        }
        let Some(flap) = self.flap else { return true };
        let round = (flap.cut + flap.open).as_nanos().max(1);
        u128::from(now.0 - since.0) % round < flap.cut.as_nanos()
    }
}

type Link = (NodeId, NodeId);

/// The network between all nodes.
#[derive(Debug)]
pub struct Net {
    rng: Rng,
    faults: NetFaults,
    links: BTreeMap<Link, NetFaults>,
    cuts: BTreeMap<String, (SimTime, Cut)>,
    /// The latest arrival of each link, by sender and receiver, to keep its messages in order.
    latest: Vec<Vec<SimTime>>,
}

impl Net {
    pub(crate) fn new(rng: Rng) -> Self {
        Self {
            rng,
            faults: NetFaults::default(),
            links: BTreeMap::new(),
            cuts: BTreeMap::new(),
            latest: Vec::new(),
        }
    }

    pub(crate) fn set_faults(&mut self, faults: NetFaults) {
        self.faults = faults;
    }

    pub(crate) fn set_link(&mut self, from: NodeId, to: NodeId, faults: NetFaults) {
        self.links.insert((from, to), faults);
    }

    pub(crate) fn cut(&mut self, now: SimTime, cut: Cut) {
        self.cuts.insert(cut.name.clone(), (now, cut));
    }

    pub(crate) fn heal(&mut self, name: &str) {
        self.cuts.remove(name);
    }

    pub(crate) fn heal_all(&mut self) {
        self.cuts.clear();
        self.links.clear();
    }

    /// Whether messages of this link are lost now.
    #[must_use]
    pub fn is_cut(&self, now: SimTime, from: NodeId, to: NodeId) -> bool {
        self.cuts.values().any(|(since, cut)| cut.blocks(*since, now, (from, to)))
    }

    /// When a message arrives: never, once, or twice.
    pub(crate) fn route(&mut self, now: SimTime, from: NodeId, to: NodeId) -> [Option<SimTime>; 2] {
        if from == to {
            return [Some(now), None];
        }
        let faults = self.links.get(&(from, to)).copied().unwrap_or(self.faults);
        if self.is_cut(now, from, to) || draws(&mut self.rng, faults.loss_ppm) {
            return [None, None];
        }
        let first = self.arrival(now, (from, to), &faults);
        let is_twice = draws(&mut self.rng, faults.duplicate_ppm);
        [Some(first), is_twice.then(|| self.arrival(now, (from, to), &faults))]
    }

    fn arrival(&mut self, now: SimTime, link: Link, faults: &NetFaults) -> SimTime {
        if draws(&mut self.rng, faults.reorder_ppm) {
            let late = self.rng.between(nanos(faults.latency_max), nanos(faults.latency_max) * 10);
            return SimTime(now.0.saturating_add(late));
        }
        let way = self.rng.between(nanos(faults.latency_min), nanos(faults.latency_max));
        let latest = self.latest(link);
        *latest = (*latest).max(SimTime(now.0.saturating_add(way)));
        *latest
    }

    fn latest(&mut self, (from, to): Link) -> &mut SimTime {
        let (from, to) = (from.0 as usize, to.0 as usize);
        if self.latest.len() <= from {
            self.latest.resize(from + 1, Vec::new());
        }
        let latest = &mut self.latest[from];
        if latest.len() <= to {
            latest.resize(to + 1, SimTime::default());
        }
        &mut latest[to]
    }
}

/// Draws only if the fault can happen, so that switching one on does not shift a run without it.
fn draws(rng: &mut Rng, per_million: u32) -> bool {
    per_million > 0 && rng.chance(per_million)
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX / 16)
}
