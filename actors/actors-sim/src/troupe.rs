//! The simulated host of actors: on each node a supervisor's workers that work, fail and watch each
//! other over the network, and keyed actors that rest on the disk.
//!
//! Way in: [`Troupe`], a [`World`].  Owns: lives, timers, watches, keys.  Restarts are decided by
//! the product's own [`SupervisorMachine`].
//! Invariants (judged by `troupe/judge.rs`, never by the host itself): 1. the end of a watched life
//! is told once, always. 2. a key is awake once, and remembers what it saved. 3. a timer dies with
//! its life. 4. two lives of a worker never overlap.
//! Spec: `actors/SEMANTICS.md`.

mod event;
mod judge;
mod keys;
mod stage;
mod watches;

use std::{collections::BTreeMap, time::Duration};

use actors_core::{Effects, Turn};

pub use self::event::{Effect, Event, LifeId};
use self::{judge::Judge, stage::Stage};
use crate::{Host, NodeId, SimTime, World, buggify, fault_points};

/// A mistake that the host makes on purpose, so that it is seen that the judge finds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mistake {
    /// A link that is given up is forgotten with its watches, and nobody is told.
    LostDown,
    /// A key is woken by a message though its last activation still saves its record.
    TwoActivations,
    /// Timers are not asked whose life they belong to.
    LateTimer,
}

/// How large a troupe is, and which mistake it makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TroupeConfig {
    /// Machines.
    pub nodes: u32,
    /// Supervised workers on each.
    pub workers: u32,
    /// Keyed actors of each.
    pub keys: u32,
    /// What it does wrong.
    pub mistake: Option<Mistake>,
}

fault_points! {
    /// Where the simulated host of actors may stumble.
    pub enum Site {
        /// The word that a life has ended is lost; whoever watches asks again.
        DownLost = "actor.down.lost",
        /// A timer is late.
        TimerLate = "actor.timer.late",
        /// A record's sync begins late.
        SaveLate = "key.save.late",
    }
}

/// Something that must never happen, and did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// Which invariant: `down-once`, `one-activation`, `timers-die`, `one-life`, `records-last`.
    pub invariant: &'static str,
    /// When.
    pub at: SimTime,
    /// What happened.
    pub what: String,
}

/// See the module.
#[derive(Debug)]
pub struct Troupe {
    config: TroupeConfig,
    stages: BTreeMap<NodeId, Stage>,
    judge: Judge,
    is_resting: bool,
}

impl Troupe {
    /// A troupe of which no node is up yet.
    #[must_use]
    pub fn new(config: TroupeConfig) -> Self {
        Self { config, stages: BTreeMap::new(), judge: Judge::default(), is_resting: false }
    }

    /// What was broken, in the order in which it was seen.
    #[must_use]
    pub fn breaches(&self) -> &[Breach] {
        &self.judge.breaches
    }

    /// How many ends were told, timers fired, keys woke and lives began.
    #[must_use]
    pub fn counts(&self) -> [u64; 4] {
        self.judge.counts
    }

    /// From now on nobody fails any more.
    pub fn rest(&mut self) {
        self.is_resting = true;
    }

    /// What keeps the troupe from being whole: a worker that does not live, an end that nobody was
    /// told.
    #[must_use]
    pub fn lacks(&self) -> Option<String> {
        for node in (0..self.config.nodes).map(NodeId) {
            let Some(stage) = self.stages.get(&node) else {
                return Some(format!("n{} is down", node.0));
            };
            if let Some(worker) = (0..self.config.workers).find(|worker| !stage.lives(*worker)) {
                return Some(format!("w{worker} of n{} does not live", node.0));
            }
        }
        self.judge.untold().map(|watch| format!("{watch} was not told"))
    }
}

impl World for Troupe {
    type Event = Event;
    type Effect = Effect;

    fn start(&mut self, node: NodeId, host: &mut Host<'_, Event>) {
        self.stages.insert(node, Stage::new(node, host.boot(), &self.config, host.disk()));
        let after = Duration::from_millis(host.rng().below(200));
        host.after(after, Event::Begin);
    }

    fn crash(&mut self, node: NodeId) {
        self.stages.remove(&node);
        self.judge.crash(node);
    }

    fn look_at(&mut self, time: SimTime) {
        self.judge.look_at(time);
    }

    fn deliver(&mut self, node: NodeId, event: Event, turn: Turn<'_>, out: &mut Effects<Effect>) {
        let (mistake, is_resting) = (self.config.mistake, self.is_resting);
        let (config, judge) = (&self.config, &mut self.judge);
        let Some(stage) = self.stages.get_mut(&node) else { return };
        let now = turn.now;
        let mut scene =
            stage::Scene { config, judge, mistake, is_resting, now, rng: turn.rng, out };
        stage.handle(&mut scene, event);
    }

    fn carry_out(&mut self, node: NodeId, effect: Effect, host: &mut Host<'_, Event>) {
        match effect {
            Effect::Send { to, word } => {
                let is_down = matches!(word, event::Word::Down { .. });
                if is_down && buggify!(host, Site::DownLost) {
                    return;
                }
                let Some(stage) = self.stages.get_mut(&node) else { return };
                let (boot, number) = (host.boot(), stage.number(to));
                host.send(to, Event::Word { from: node, boot, number, word });
            }
            Effect::After { span, event } => {
                let is_late =
                    matches!(event, Event::Timer { .. }) && buggify!(host, Site::TimerLate);
                let late = Duration::from_millis(if is_late { 700 } else { 0 });
                let at = host.now().mono.after(span + late);
                host.at(at, event);
            }
            Effect::Save { key, life, value } => {
                if buggify!(host, Site::SaveLate) {
                    let effect = Event::SaveAgain { key, life, value };
                    return host.after(Duration::from_millis(30), effect);
                }
                let again = Event::SaveAgain { key, life, value };
                let written = self.stages.get(&node).is_some_and(|stage| stage.write(key, value));
                match written {
                    true => host.sync(Event::Saved { key, life, value }, again),
                    false => host.after(Duration::from_millis(100), again),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
