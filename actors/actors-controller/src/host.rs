//! Runs one controller over many keys: when a key is looked at, what of its plan is sent, and what
//! follows.
//!
//! Way in: [`ControllerHost`].  Owns: the queue, running plans, back-offs, the trace.  Never: a
//! write of its own.
//! Invariants: 1. a key has at most one plan on its way. 2. a key is looked at again only when the
//! world shows all that its last plan wrote (else it would make duplicates). 3. queue, running
//! plans and trace are bounded.
//! Time and order: a change that comes while a plan is on its way is looked at after it, never
//! lost.

mod entry;
mod heat;
mod outcome;
mod queue;
mod run;
mod trace;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use actors_core::{Backoff, Correlation, Effects, Machine, Mono, Turn};
use serde::{Deserialize, Serialize};

pub use self::{
    entry::Cause,
    trace::{Trace, TraceRing},
};
use self::{entry::Running, heat::Heat, queue::Queue};
use crate::{Access, Change, Controller, Key, Plan, Primary, Relations, Verdict, World};

/// The bounds of one host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostLimits {
    /// Most keys that are remembered; beyond it keys are found again by a resync.
    pub keys: usize,
    /// Most plans on their way at once.
    pub running: usize,
    /// Most runs of the controller in one turn.
    pub runs_per_turn: usize,
    /// Waits after refused items.
    pub backoff: Backoff,
    /// Equal plans for one key in a minute that count as a hot loop.
    pub repeats_per_minute: u32,
    /// How long a key with a hot loop rests.
    pub parked_for: Duration,
    /// How many runs the trace remembers.
    pub traces: usize,
}

impl Default for HostLimits {
    fn default() -> Self {
        Self {
            keys: 262_144,
            running: 64,
            runs_per_turn: 64,
            backoff: Backoff {
                initial: Duration::from_millis(20),
                max: Duration::from_secs(300),
                jitter_percent: 20,
            },
            repeats_per_minute: 300,
            parked_for: Duration::from_secs(30),
            traces: 256,
        }
    }
}

/// What can happen to a host.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum HostEvent {
    /// An object changed. The view of this turn shows the change, or a later state.
    Changed(Change),
    /// Several did, in this order; told at once, they are one turn's work.
    Changes(Vec<Change>),
    /// A plan's items have their verdicts.
    PlanDone {
        /// As in [`HostEffect::Apply`].
        id: Correlation,
        /// One for each item.
        verdicts: Vec<Verdict>,
    },
    /// The time that [`HostEffect::SetTimer`] asked for has come.
    Timer,
    /// The view has moved on; of use while [`ControllerHost::waits_for`] says so.
    Advanced,
    /// Look at every object of the primary kind: at the start, and after changes may have been
    /// missed.
    Resync,
    /// Look at one key now, also if it is parked.
    Poke(Key),
}

/// What a host wants done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum HostEffect {
    /// Send the plan's items through the door as the controller's identity; answer with
    /// [`HostEvent::PlanDone`].
    Apply {
        /// The controller's name.
        controller: String,
        /// For which key.
        key: Key,
        /// What to write. No `Item::Event` is left in it: the host has turned them into writes.
        plan: Plan,
        /// To be given back.
        id: Correlation,
    },
    /// Deliver [`HostEvent::Timer`] at this time; replaces an earlier request.
    SetTimer {
        /// When.
        at: Mono,
    },
    /// Tell whoever watches.
    Notice(HostNotice),
}

/// What people should know of a host's work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum HostNotice {
    /// A key made the same changes again and again, and rests.
    Parked {
        /// Which.
        key: Key,
        /// What it kept doing.
        plan: String,
    },
    /// A plan held a write that its controller has not declared; the item was left out. A bug of
    /// the controller.
    Undeclared {
        /// For which key.
        key: Key,
        /// The item.
        item: String,
    },
    /// More keys than are remembered: the rest is found by a resync.
    Overflow,
}

/// Runs one controller. See the module.
pub struct ControllerHost {
    controller: Arc<dyn Controller>,
    access: Access,
    primary: Primary,
    relations: Relations,
    limits: HostLimits,
    queue: Queue,
    running: BTreeMap<Correlation, Running>,
    next_id: Correlation,
    heat: Heat,
    trace: TraceRing,
    /// When the timer that was last asked for fires.
    timer: Option<Mono>,
}

impl ControllerHost {
    /// A host for `controller`; it sleeps until [`HostEvent::Resync`].
    #[must_use]
    pub fn new(controller: Arc<dyn Controller>, limits: HostLimits) -> Self {
        Self {
            access: controller.access(),
            primary: controller.primary(),
            relations: controller.relations(),
            queue: Queue::new(limits.keys),
            running: BTreeMap::new(),
            next_id: Correlation(1),
            heat: Heat::new(limits.repeats_per_minute),
            trace: TraceRing::new(limits.traces),
            timer: None,
            controller,
            limits,
        }
    }

    /// The controller's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.controller.name()
    }

    /// The revision that the view must reach before some key can be looked at again.
    #[must_use]
    pub fn waits_for(&self) -> Option<u64> {
        self.queue.waits_for()
    }

    /// How many keys wait, rest, or have a plan on its way.
    #[must_use]
    pub fn keys_len(&self) -> usize {
        self.queue.len()
    }

    /// Whether no key waits for anything but a timer.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.running.is_empty() && self.queue.is_quiet()
    }

    /// What was done for `key` and why, newest last.
    pub fn why<'a>(&'a self, key: &'a Key) -> impl Iterator<Item = &'a Trace> {
        self.trace.iter().filter(move |trace| trace.key == *key)
    }

    /// Every remembered run, oldest first.
    #[must_use]
    pub fn traces(&self) -> &TraceRing {
        &self.trace
    }

    fn changed(&mut self, turn: &Turn<'_, dyn World>, change: &Change) {
        let states = [Some(&change.object), change.previous.as_ref()];
        let mut cause = None;
        for object in states.into_iter().flatten() {
            for key in self.relations.keys(&self.primary, object, turn.view) {
                if key.is_of(object) {
                    self.queue.release_if_new(&key, object.generation());
                }
                let cause = cause.get_or_insert_with(|| Cause::Changed {
                    subject: Key::of(&change.object),
                    revision: change.revision,
                });
                self.queue.wake(key, cause.clone(), turn.now.mono);
            }
        }
    }

    /// Wakes every object of the primary kind, from the cursor of an earlier overflow on.
    fn resync(&mut self, turn: &Turn<'_, dyn World>, out: &mut Effects<HostEffect>) {
        let mut kinds = match &self.primary {
            Primary::Of(kind) => vec![kind.clone()],
            Primary::Any => turn.view.kinds().into_iter().map(|served| served.kind).collect(),
        };
        kinds.sort();
        let after = self.queue.take_resync_cursor();
        let mut last = None;
        for object in kinds.iter().flat_map(|kind| turn.view.list(kind, None)) {
            let key = Key::of(&object);
            if after.as_ref().is_some_and(|after| key <= *after) {
                continue;
            }
            if self.queue.wake(key, Cause::Resync, turn.now.mono) {
                last = Some(object);
            } else {
                self.queue.set_resync_cursor(last.map(|last| Key::of(&last)).or(after));
                out.push(HostEffect::Notice(HostNotice::Overflow));
                return;
            }
        }
    }

    fn work(&mut self, turn: &mut Turn<'_, dyn World>, out: &mut Effects<HostEffect>) {
        self.queue.catch_up(turn.view.revision(), turn.now.mono);
        self.queue.fire(turn.now.mono);
        if self.queue.wants_resync() {
            self.resync(turn, out);
        }
        for _ in 0..self.limits.runs_per_turn {
            if self.running.len() >= self.limits.running {
                break;
            }
            let Some(key) = self.queue.take_ready() else { break };
            self.run(turn, key, out);
        }
        self.set_timer(turn.now.mono, out);
    }

    /// Asks for the earliest time at which something is due, if it is not the one already asked
    /// for.
    fn set_timer(&mut self, now: Mono, out: &mut Effects<HostEffect>) {
        /// The backstop for a driver that does not send [`HostEvent::Advanced`].
        const LOOK_AGAIN: Duration = Duration::from_millis(100);
        let more = self.queue.has_ready() && self.running.len() < self.limits.running;
        let lagging = self.queue.waits_for().map(|_| now.after(LOOK_AGAIN));
        let due = [more.then_some(now), lagging, self.queue.next_due()].into_iter().flatten().min();
        let pending = self.timer.filter(|at| *at > now);
        if let Some(at) = due.filter(|at| pending.is_none_or(|pending| *at < pending)) {
            self.timer = Some(at);
            out.push(HostEffect::SetTimer { at });
        }
    }
}

impl Machine for ControllerHost {
    type Event = HostEvent;
    type Effect = HostEffect;
    type View = dyn World;

    fn handle(
        &mut self,
        mut turn: Turn<'_, dyn World>,
        event: HostEvent,
        out: &mut Effects<HostEffect>,
    ) {
        match event {
            HostEvent::Changed(change) => self.changed(&turn, &change),
            HostEvent::Changes(changes) => {
                changes.iter().for_each(|change| self.changed(&turn, change));
            }
            HostEvent::PlanDone { id, verdicts } => self.settle(&mut turn, id, &verdicts, out),
            HostEvent::Timer => self.timer = None,
            HostEvent::Advanced => {}
            HostEvent::Resync => self.resync(&turn, out),
            HostEvent::Poke(key) => {
                self.queue.release(&key);
                self.queue.wake(key, Cause::Poked, turn.now.mono);
            }
        }
        self.work(&mut turn, out);
    }

    fn assert_invariants(&self) {
        assert!(self.running.len() <= self.limits.running, "more plans on their way than allowed");
        self.queue.assert_invariants();
        let busy = self.running.values().all(|running| self.queue.is_busy(&running.key));
        assert!(busy, "a plan is on its way for a key that is not busy");
    }
}

impl std::fmt::Debug for ControllerHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ControllerHost")
            .field("controller", &self.controller.name())
            .field("queue", &self.queue)
            .field("running", &self.running)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
