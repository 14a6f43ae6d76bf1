//! The carrier for simulations: gossip that replays from its seed.
//!
//! Way in: [`SeededCarrier::new`], then [`Machine::handle`].  Owns: what members said of
//! themselves.
//! Invariants: 1. at most [`MembershipMachine::KNOWN_MAX`] members are known.  2. what is forgotten
//! does not come back from those who did not forget it yet.
//! Spec: anti-entropy by digests as in van Renesse, Dumitriu, Gough, Thomas, "Efficient
//! Reconciliation and Flow Control for Anti-Entropy Protocols" (2008), without flow control.

mod digest;

use std::collections::{BTreeMap, BTreeSet};

use actors_core::{Effects, Machine, Mono, Rng, Turn, Wall};
use serde::{Deserialize, Serialize};

pub use self::digest::Digest;
use crate::{CarrierCommand, CarrierEvent, MemberInfo, MembershipMachine, Timing};

/// What can happen to a seeded carrier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SeededEvent {
    /// The time of a [`SeededEffect::Wake`] has come. The first one starts it.
    Tick,
    /// From its membership machine.
    Command(CarrierCommand),
    /// From another member's carrier.
    Message {
        /// The node that sent it.
        from: String,
        /// What it says.
        message: SeededMessage,
    },
}

/// What a seeded carrier wants done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SeededEffect {
    /// For its membership machine.
    Event(CarrierEvent),
    /// Send this to another member's carrier, now or never.
    Send {
        /// Its node.
        to: String,
        /// What to say.
        message: SeededMessage,
    },
    /// Deliver [`SeededEvent::Tick`] at this time.
    Wake {
        /// When.
        at: Mono,
    },
}

/// What seeded carriers say to each other: what I know, what you lack and I know, what you lack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SeededMessage {
    /// How much the sender knows of each member.
    Digest {
        /// Life and revision of each node.
        known: Digest,
    },
    /// What the receiver lacks, and how much the sender knows, so that it is told in turn.
    Reply {
        /// Life and revision of each node.
        known: Digest,
        /// What the receiver lacks.
        infos: Vec<MemberInfo>,
    },
    /// What the receiver lacks.
    Infos(Vec<MemberInfo>),
}

/// A carrier whose every choice comes from its seed.
#[derive(Debug, Clone)]
pub struct SeededCarrier {
    me: String,
    /// Spoken to as long as nobody else is known.
    seeds: BTreeSet<String>,
    known: BTreeMap<String, MemberInfo>,
    /// How much is known, if it was told since it changed last.
    digest: Option<Digest>,
    /// Lives that are not taken back in, and when they were forgotten.
    graves: BTreeMap<String, (Wall, Mono)>,
    next_round: Option<Mono>,
}

type Out = Effects<SeededEffect>;

impl SeededCarrier {
    /// Between two rounds of gossip.
    pub const ROUND: std::time::Duration = std::time::Duration::from_secs(1);
    /// How many members are spoken to in a round.
    pub const FANOUT: usize = 3;

    /// The carrier of a node that begins with these peers.
    #[must_use]
    pub fn new(me: impl Into<String>, seeds: impl IntoIterator<Item = String>) -> Self {
        Self {
            me: me.into(),
            seeds: seeds.into_iter().collect(),
            known: BTreeMap::new(),
            digest: None,
            graves: BTreeMap::new(),
            next_round: None,
        }
    }

    /// What is known, by node, its own node among them.
    #[must_use]
    pub fn known(&self) -> &BTreeMap<String, MemberInfo> {
        &self.known
    }

    fn round(&mut self, now: Mono, rng: &mut Rng, out: &mut Out) {
        self.graves.retain(|_, (_, since)| now.since(*since) <= Timing::MEMORY);
        let others = || self.known.keys().filter(|node| **node != self.me);
        let mut peers: Vec<&String> = match others().next() {
            Some(_) => others().collect(),
            None => self.seeds.iter().filter(|node| **node != self.me).collect(),
        };
        let mut greeted = Vec::with_capacity(Self::FANOUT + 1);
        for _ in 0..Self::FANOUT.min(peers.len()) {
            let place = usize::try_from(rng.below(peers.len() as u64)).unwrap_or(0);
            greeted.push(peers.swap_remove(place).clone());
        }
        // One word to a seed now and then joins two meshes that know nothing of each other.
        let seeds: Vec<&String> = self.seeds.iter().filter(|seed| **seed != self.me).collect();
        let is_now = rng.chance(200_000);
        greeted.extend(rng.pick(&seeds).filter(|_| is_now).map(|seed| (*seed).clone()));
        greeted.into_iter().for_each(|to| self.greet(to, out));
    }

    fn digest(&mut self) -> Digest {
        self.digest.get_or_insert_with(|| Digest::of(self.known.values())).clone()
    }

    fn greet(&mut self, to: String, out: &mut Out) {
        let known = self.digest();
        out.push(SeededEffect::Send { to, message: SeededMessage::Digest { known } });
    }

    /// What somebody with this digest lacks.
    fn lacking(&mut self, theirs: &Digest) -> Vec<MemberInfo> {
        if self.digest() == *theirs {
            return Vec::new();
        }
        let mut theirs = theirs.rows().iter().peekable();
        let lacks = |info: &&MemberInfo| {
            let mut lacks = true;
            while let Some((node, started, revision)) =
                theirs.next_if(|(node, ..)| *node <= info.node)
            {
                lacks = *node != info.node || (*started, *revision) < (info.started, info.revision);
            }
            lacks
        };
        self.known.values().filter(lacks).cloned().collect()
    }

    fn take(&mut self, infos: Vec<MemberInfo>, out: &mut Out) {
        for info in infos {
            let is_own = info.node == self.me;
            let is_buried =
                self.graves.get(&info.node).is_some_and(|(life, _)| info.started <= *life);
            let known = self.known.get(&info.node);
            let is_news = known.is_none_or(|known| info.is_newer_than(known));
            if is_buried || !is_news || is_own {
                if is_own && is_news {
                    // A later life of this node than this one is known: the machine must outlive
                    // it.
                    out.push(SeededEffect::Event(CarrierEvent::Info(info)));
                }
                continue;
            }
            if known.is_none() && self.known.len() >= MembershipMachine::KNOWN_MAX {
                let known = u32::try_from(self.known.len()).unwrap_or(u32::MAX);
                out.push(SeededEffect::Event(CarrierEvent::Full { known }));
                return;
            }
            self.digest = None;
            self.known.insert(info.node.clone(), info.clone());
            out.push(SeededEffect::Event(CarrierEvent::Info(info)));
        }
    }

    fn handle_command(&mut self, now: Mono, command: CarrierCommand, out: &mut Out) {
        match command {
            CarrierCommand::Publish(info) => {
                self.digest = None;
                self.known.insert(self.me.clone(), info);
            }
            CarrierCommand::Exchange { node } => self.greet(node, out),
            CarrierCommand::Forget { node, incarnation } => {
                if self.known.get(&node).is_some_and(|info| info.started <= incarnation) {
                    self.digest = None;
                    self.known.remove(&node);
                }
                if self.graves.len() < MembershipMachine::KNOWN_MAX {
                    self.graves.insert(node, (incarnation, now));
                }
            }
        }
    }

    fn handle_message(&mut self, from: String, message: SeededMessage, out: &mut Out) {
        match message {
            SeededMessage::Digest { known } => {
                let infos = self.lacking(&known);
                let message = SeededMessage::Reply { known: self.digest(), infos };
                out.push(SeededEffect::Send { to: from, message });
            }
            SeededMessage::Reply { known, infos } => {
                self.take(infos, out);
                let infos = self.lacking(&known);
                if !infos.is_empty() {
                    let message = SeededMessage::Infos(infos);
                    out.push(SeededEffect::Send { to: from, message });
                }
            }
            SeededMessage::Infos(infos) => self.take(infos, out),
        }
    }
}

impl Machine for SeededCarrier {
    type Event = SeededEvent;
    type Effect = SeededEffect;
    type View = ();

    fn handle(&mut self, turn: Turn<'_>, event: SeededEvent, out: &mut Out) {
        let now = turn.now.mono;
        match event {
            SeededEvent::Tick => {
                if self.next_round.is_some_and(|at| now < at) {
                    return;
                }
                self.round(now, turn.rng, out);
                let at = now.after(Self::ROUND);
                self.next_round = Some(at);
                out.push(SeededEffect::Wake { at });
            }
            SeededEvent::Command(command) => self.handle_command(now, command, out),
            SeededEvent::Message { from, message } => self.handle_message(from, message, out),
        }
    }

    fn assert_invariants(&self) {
        let max = MembershipMachine::KNOWN_MAX;
        assert!(self.known.len() <= max, "{} members are known", self.known.len());
        assert!(self.graves.len() <= max, "{} graves are kept", self.graves.len());
    }
}
