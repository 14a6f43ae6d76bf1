//! One node of a troupe: its supervisor, its workers' lives and their timers.
//!
//! Way in: [`Stage::handle`].  Owns: what of the node dies with it.

use std::{collections::BTreeMap, time::Duration};

use actors_core::{
    Backoff, ChildSpec, Effects, ExitReason, Incarnation, Intensity, Machine, Now, OnLimit, Rng,
    Strategy, SupervisorEffect, SupervisorEvent, SupervisorMachine, TreeSpec, Turn,
};

use super::{
    Mistake, TroupeConfig,
    event::{Effect, Event, LifeId, Word},
    judge::Judge,
    keys::Keys,
    watches::Watches,
};
use crate::{NodeId, SimDisk};

/// What a node is lent for one event.
pub(super) struct Scene<'a> {
    pub(super) config: &'a TroupeConfig,
    pub(super) judge: &'a mut Judge,
    pub(super) mistake: Option<Mistake>,
    pub(super) is_resting: bool,
    pub(super) now: Now,
    pub(super) rng: &'a mut Rng,
    pub(super) out: &'a mut Effects<Effect>,
}

impl Scene<'_> {
    pub(super) fn send(&mut self, to: NodeId, word: Word) {
        self.out.push(Effect::Send { to, word });
    }

    pub(super) fn after(&mut self, span: Duration, event: Event) {
        self.out.push(Effect::After { span, event });
    }

    fn millis(&mut self, low: u64, high: u64) -> Duration {
        Duration::from_millis(self.rng.between(low, high))
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Stage {
    node: NodeId,
    boot: u64,
    supervisor: SupervisorMachine,
    /// Who lives, by worker.
    lives: BTreeMap<u32, LifeId>,
    /// Work that runs on, and how its life has ended meanwhile.
    works: BTreeMap<LifeId, Option<ExitReason>>,
    watches: Watches,
    keys: Keys,
    /// The number of the last word to each node.
    said: BTreeMap<NodeId, u64>,
    /// The last word of each node: of which of its lives, and its number.
    heard: BTreeMap<NodeId, (u64, u64)>,
}

fn tree(config: &TroupeConfig) -> TreeSpec {
    let (initial, max) = (Duration::from_millis(40), Duration::from_secs(1));
    let backoff = Backoff { initial, max, ..Backoff::default() };
    let child = |worker| ChildSpec::permanent(format!("w{worker}")).backoff(backoff);
    TreeSpec {
        name: "troupe".to_owned(),
        intensity: Intensity { restarts: 1_000, period: Duration::from_secs(1) },
        on_limit: OnLimit::Park,
        children: (0..config.workers).map(child).collect(),
        strategy: Strategy::OneForOne,
        auto_shutdown: actors_core::AutoShutdown::Never,
    }
}

impl Stage {
    const BEAT: Duration = Duration::from_millis(500);
    /// Timers of a life; each is set again when it has fired.
    const TIMERS: usize = 2;

    pub(super) fn new(node: NodeId, boot: u64, config: &TroupeConfig, disk: SimDisk) -> Self {
        Self {
            node,
            boot,
            supervisor: SupervisorMachine::new(tree(config)),
            lives: BTreeMap::new(),
            works: BTreeMap::new(),
            watches: Watches::new(node, boot),
            keys: Keys::new(node, disk.state("keys")),
            said: BTreeMap::new(),
            heard: BTreeMap::new(),
        }
    }

    pub(super) fn lives(&self, worker: u32) -> bool {
        self.lives.contains_key(&worker)
    }

    /// The number of the next word to a node.
    pub(super) fn number(&mut self, to: NodeId) -> u64 {
        let said = self.said.entry(to).or_default();
        *said += 1;
        *said
    }

    pub(super) fn write(&self, key: u32, value: u64) -> bool {
        self.keys.write(key, value)
    }

    pub(super) fn handle(&mut self, scene: &mut Scene<'_>, event: Event) {
        match event {
            Event::Begin => {
                self.supervise(scene, SupervisorEvent::Start);
                scene.after(Self::BEAT, Event::Beat);
            }
            Event::Word { from, boot, number, word } => {
                let last = self.heard.entry(from).or_default();
                // Over a connection nothing arrives twice, or behind what was said later.
                if (boot, number) > *last {
                    *last = (boot, number);
                    self.watches.meet(scene, from, boot, &self.lives);
                    self.hear(scene, from, word);
                }
            }
            Event::Supervise(event) => self.supervise(scene, event),
            Event::Timer { life } => {
                let is_current = self.lives.get(&life.worker) == Some(&life);
                if is_current || scene.mistake == Some(Mistake::LateTimer) {
                    self.act(scene, life);
                }
            }
            Event::Worked { life } => {
                scene.judge.worked(life);
                if let Some(Some(reason)) = self.works.remove(&life) {
                    self.report(scene, life, reason);
                }
            }
            Event::Beat => {
                scene.after(Self::BEAT, Event::Beat);
                self.watches.beat(scene, &self.lives);
            }
            Event::Idle { key, life, value } => self.keys.idle(scene, (key, life, value)),
            Event::Saved { key, life, value } => self.keys.saved(scene, (key, life, value)),
            Event::SaveAgain { key, life, value } => {
                scene.out.push(Effect::Save { key, life, value });
            }
        }
    }

    fn hear(&mut self, scene: &mut Scene<'_>, from: NodeId, word: Word) {
        match word {
            Word::Tell { worker, from } => {
                let Some(life) = self.lives.get(&worker).copied() else { return };
                if scene.rng.chance(400_000) && life != from {
                    self.watches.watch(scene, life, from);
                }
            }
            Word::TellKey { key } => self.keys.tell(scene, key),
            Word::Watch { id, target } => {
                self.watches.take(scene, from, (id, target), &self.lives);
            }
            Word::Down { id } => self.watches.down(scene, id, &self.lives),
            Word::Ask { watched } => {
                for wish in watched {
                    self.watches.take(scene, from, wish, &self.lives);
                }
                scene.send(from, Word::Answered);
            }
            Word::Answered => self.watches.answered(scene.now.mono, from),
        }
    }

    /// A worker does something, for its timer fired.
    fn act(&mut self, scene: &mut Scene<'_>, life: LifeId) {
        scene.judge.fired(life);
        let node = NodeId(u32::try_from(scene.rng.below(scene.config.nodes.into())).unwrap_or(0));
        let any =
            |scene: &mut Scene<'_>, of: u32| u32::try_from(scene.rng.below(of.into())).unwrap_or(0);
        match scene.rng.below(100) {
            0..30 => {
                let worker = any(scene, scene.config.workers);
                scene.send(node, Word::Tell { worker, from: life });
            }
            30..60 => {
                let key = any(scene, scene.config.keys);
                scene.send(node, Word::TellKey { key });
            }
            60..70 if !self.works.contains_key(&life) => {
                self.works.insert(life, None);
                scene.judge.work(life);
                let span = scene.millis(5, 80);
                scene.after(span, Event::Worked { life });
            }
            99.. if !scene.is_resting => return self.fail(scene, life),
            _ => {}
        }
        let span = scene.millis(20, 400);
        scene.after(span, Event::Timer { life });
    }

    fn fail(&mut self, scene: &mut Scene<'_>, life: LifeId) {
        let reason = match scene.rng.below(4) {
            0 => ExitReason::Normal,
            1 => ExitReason::Error("it had to".to_owned()),
            2 => ExitReason::Killed,
            _ => ExitReason::Panic("it would not".to_owned()),
        };
        if self.lives.get(&life.worker) != Some(&life) {
            return;
        }
        self.lives.remove(&life.worker);
        scene.judge.end(life);
        self.watches.end(scene, life);
        // The next life waits for what of this one still runs.
        match self.works.get_mut(&life) {
            Some(ended) => *ended = Some(reason),
            None => self.report(scene, life, reason),
        }
    }

    fn report(&mut self, scene: &mut Scene<'_>, life: LifeId, reason: ExitReason) {
        let (name, incarnation) = (format!("w{}", life.worker), Incarnation(life.incarnation));
        self.supervise(scene, SupervisorEvent::Exited { name, incarnation, reason });
    }

    fn supervise(&mut self, scene: &mut Scene<'_>, event: SupervisorEvent) {
        let mut effects = Effects::default();
        let turn = Turn { now: scene.now, rng: &mut *scene.rng, view: &() };
        self.supervisor.handle(turn, event, &mut effects);
        self.supervisor.assert_invariants();
        for effect in effects.drain() {
            match effect {
                SupervisorEffect::Start { spec, incarnation } => {
                    let worker = spec.name[1..].parse().unwrap_or(0);
                    let incarnation = incarnation.0;
                    let life = LifeId { node: self.node, boot: self.boot, worker, incarnation };
                    self.lives.insert(worker, life);
                    scene.judge.begin(life);
                    for _ in 0..Self::TIMERS {
                        let span = scene.millis(1, 200);
                        scene.after(span, Event::Timer { life });
                    }
                }
                SupervisorEffect::Wait { name, incarnation, at } => {
                    let event = SupervisorEvent::Waited { name, incarnation };
                    scene.after(at.since(scene.now.mono), Event::Supervise(event));
                }
                // Nobody stops a child here, and none can fail too often.
                _ => {}
            }
        }
    }
}
