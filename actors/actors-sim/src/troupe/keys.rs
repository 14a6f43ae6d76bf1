//! Keyed actors of a node: woken by a message, at rest a record on the disk.
//!
//! Way in: [`Keys::tell`].  Invariant: a key is not woken before its record is durable; what comes
//! meanwhile waits, up to a bound.

use std::{collections::BTreeMap, time::Duration};

use actors_core::ports::StateStore;

use super::{
    Mistake,
    event::{Effect, Event},
    stage::Scene,
};
use crate::{NodeId, SimState};

/// See the module.
#[derive(Debug)]
pub(super) struct Keys {
    node: NodeId,
    records: SimState,
    keys: BTreeMap<u32, Key>,
}

#[derive(Debug, Default)]
struct Key {
    /// Rises with each activation.
    life: u64,
    value: u64,
    phase: Phase,
    /// Messages that came while it saved.
    waiting: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Phase {
    #[default]
    Resting,
    Awake,
    Saving,
}

impl Keys {
    /// Most messages that wait for a key that saves; the oldest is shed.
    const WAITING_MAX: u32 = 16;
    const IDLE: Duration = Duration::from_millis(60);

    pub(super) fn new(node: NodeId, records: SimState) -> Self {
        Self { node, records, keys: BTreeMap::new() }
    }

    pub(super) fn write(&self, key: u32, value: u64) -> bool {
        let (name, record) = (key.to_be_bytes().to_vec(), value.to_be_bytes().to_vec());
        self.records.batch(vec![(name, Some(record))]).is_ok()
    }

    fn read(&self, key: u32) -> u64 {
        let record = self.records.get(&key.to_be_bytes()).ok().flatten();
        let bytes = record.and_then(|record| record.try_into().ok());
        bytes.map_or(0, u64::from_be_bytes)
    }

    /// A message for a key.
    pub(super) fn tell(&mut self, scene: &mut Scene<'_>, key: u32) {
        let phase = self.keys.entry(key).or_default().phase;
        match phase {
            Phase::Resting => self.wake(scene, key, 1),
            Phase::Awake => self.act(scene, key, 1),
            Phase::Saving if scene.mistake == Some(Mistake::TwoActivations) => {
                self.wake(scene, key, 1);
            }
            Phase::Saving => {
                let key = self.keys.entry(key).or_default();
                key.waiting = (key.waiting + 1).min(Self::WAITING_MAX);
            }
        }
    }

    fn wake(&mut self, scene: &mut Scene<'_>, number: u32, messages: u32) {
        let value = self.read(number);
        let key = self.keys.entry(number).or_default();
        key.life += 1;
        (key.phase, key.value) = (Phase::Awake, value);
        scene.judge.woke((self.node, number), key.life, value);
        self.act(scene, number, messages);
    }

    fn act(&mut self, scene: &mut Scene<'_>, number: u32, messages: u32) {
        let key = self.keys.entry(number).or_default();
        key.value += u64::from(messages);
        let (life, value) = (key.life, key.value);
        scene.after(Self::IDLE, Event::Idle { key: number, life, value });
    }

    /// Rests, if nothing came since.
    pub(super) fn idle(&mut self, scene: &mut Scene<'_>, (number, life, value): (u32, u64, u64)) {
        let key = self.keys.entry(number).or_default();
        if (key.phase, key.life, key.value) == (Phase::Awake, life, value) {
            key.phase = Phase::Saving;
            scene.out.push(Effect::Save { key: number, life, value });
        }
    }

    /// The record is durable.
    pub(super) fn saved(&mut self, scene: &mut Scene<'_>, (number, life, value): (u32, u64, u64)) {
        scene.judge.saved((self.node, number), life, value);
        let key = self.keys.entry(number).or_default();
        if (key.phase, key.life) != (Phase::Saving, life) {
            return;
        }
        key.phase = Phase::Resting;
        let waiting = std::mem::take(&mut key.waiting);
        if waiting > 0 {
            self.wake(scene, number, waiting);
        }
    }
}
