//! The machine around the book: when it looks, and what is on its way.
//!
//! Way in: [`HealthMachine`].

use std::time::Duration;

use actors_controller::{Change, Item, Kind, Plan, Verdict, World, event_item};
use actors_controllers::kinds::{NODE, POD};
use actors_core::{Backoff, Correlation, Effects, Machine, Mono, Now, Turn};
use serde::{Deserialize, Serialize};

use super::{NAME, Words, book::Book, fence};

/// What can happen to it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum HealthEvent {
    /// This server leads now, or no longer. What it has heard and seen meanwhile counts on.
    Leading(bool),
    /// Membership's newest view.
    Words(Words),
    /// An object changed. The view of this turn shows the change, or a later state.
    Changed(Change),
    /// Look at everything: at the start, and after changes may have been missed.
    Resync,
    /// A plan's items have their verdicts.
    PlanDone {
        /// As in [`HealthEffect::Apply`].
        id: Correlation,
        /// One for each item.
        verdicts: Vec<Verdict>,
    },
    /// The time that [`HealthEffect::SetTimer`] asked for has come.
    Timer,
}

/// What it wants done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum HealthEffect {
    /// Send the plan's items through the door as [`super::identity`], under the epoch of the lent
    /// view; answer with [`HealthEvent::PlanDone`].
    Apply {
        /// What to write. No `Item::Event` is left in it.
        plan: Plan,
        /// To be given back.
        id: Correlation,
    },
    /// Deliver [`HealthEvent::Timer`] at this time; replaces an earlier request.
    SetTimer {
        /// When.
        at: Mono,
    },
}

/// Where its last plan is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing is on its way.
    Free,
    /// The plan of this number is on its way.
    Flying(Correlation),
    /// The view does not show what was written until this revision.
    Catching(u64),
    /// Some writes were refused; the next plan waits.
    Resting(Mono),
}

/// See the module of [`super`].
#[derive(Debug, Clone)]
pub struct HealthMachine {
    leading: bool,
    words: Words,
    book: Book,
    stage: Stage,
    failures: u32,
    next_id: Correlation,
    /// When it wants to look although nothing happens.
    due: Option<Mono>,
    timer: Option<Mono>,
}

impl Default for HealthMachine {
    fn default() -> Self {
        Self {
            leading: false,
            words: Words::default(),
            book: Book::default(),
            stage: Stage::Free,
            failures: 0,
            next_id: Correlation(1),
            due: None,
            timer: None,
        }
    }
}

impl HealthMachine {
    /// The kinds of whose changes it must be told.
    pub const HEARD: [Kind; 2] = [NODE, POD];

    /// After writes that were refused: a conflict with an agent's own report, usually.
    const BACKOFF: Backoff = Backoff {
        initial: Duration::from_millis(10),
        max: Duration::from_secs(1),
        jitter_percent: 20,
    };
    /// The backstop for a driver that does not tell when its view moves on.
    const LOOK_AGAIN: Duration = Duration::from_millis(20);

    fn settle(&mut self, turn: &mut Turn<'_, dyn World>, id: Correlation, verdicts: &[Verdict]) {
        if self.stage != Stage::Flying(id) {
            return;
        }
        let mut written = 0;
        let mut refused = false;
        for verdict in verdicts {
            match verdict {
                Verdict::Done { revision } => written = written.max(*revision),
                Verdict::Refused(refusal) => refused |= refusal.reason != "NotFound",
            }
        }
        self.failures = if refused { self.failures.saturating_add(1) } else { 0 };
        self.stage = match refused {
            true => {
                let wait = Self::BACKOFF.wait(self.failures, turn.rng);
                Stage::Resting(turn.now.mono.after(wait))
            }
            false => Stage::Catching(written),
        };
    }

    fn is_free(&mut self, view: &dyn World, now: Now) -> bool {
        match self.stage {
            Stage::Catching(written) if view.revision() >= written => self.stage = Stage::Free,
            Stage::Resting(due) if due <= now.mono => self.stage = Stage::Free,
            _ => {}
        }
        self.stage == Stage::Free
    }

    fn look(&mut self, turn: &Turn<'_, dyn World>, out: &mut Effects<HealthEffect>) {
        let (mut plan, due) = self.book.plan(&self.words, turn.view, turn.now);
        self.due = due;
        plan.items.retain(|item| !item.is_idle(turn.view));
        if plan.items.len() > Plan::ITEMS_MAX {
            plan.items.truncate(Plan::ITEMS_MAX);
            self.due = Some(turn.now.mono);
        }
        if plan.items.is_empty() {
            return;
        }
        for item in &mut plan.items {
            if let Item::Event(happening) = item {
                *item = event_item(happening, NAME, turn.view, turn.now.wall);
            }
        }
        let id: Correlation = self.next_id.take();
        self.stage = Stage::Flying(id);
        out.push(HealthEffect::Apply { plan, id });
    }

    fn set_timer(&mut self, now: Now, out: &mut Effects<HealthEffect>) {
        let wanted = match self.stage {
            Stage::Free => self.due,
            Stage::Flying(_) => None,
            Stage::Catching(_) => Some(now.mono.after(Self::LOOK_AGAIN)),
            Stage::Resting(due) => Some(due),
        };
        let pending = self.timer.filter(|at| *at > now.mono);
        if let Some(at) = wanted.filter(|at| pending.is_none_or(|pending| *at < pending)) {
            self.timer = Some(at);
            out.push(HealthEffect::SetTimer { at });
        }
    }
}

impl Machine for HealthMachine {
    type Event = HealthEvent;
    type Effect = HealthEffect;
    type View = dyn World;

    fn handle(
        &mut self,
        mut turn: Turn<'_, dyn World>,
        event: HealthEvent,
        out: &mut Effects<HealthEffect>,
    ) {
        match event {
            HealthEvent::Leading(leading) if leading != self.leading => {
                let (words, next_id) = (std::mem::take(&mut self.words), self.next_id);
                let book = std::mem::take(&mut self.book).renewed();
                *self = Self { leading, words, book, next_id, ..Self::default() };
                self.book.vanished = fence::missing_nodes(turn.view);
            }
            HealthEvent::Leading(_) => {}
            HealthEvent::Words(words) => {
                if words.majority && !self.words.majority {
                    self.book.begin_again(turn.now);
                }
                self.words = words;
            }
            HealthEvent::Changed(change) if NODE.is_kind_of(&change.object) => {
                if change.deleted {
                    self.book.vanished.push(change.object.name().to_owned());
                }
            }
            // Of pods only the end of one matters, that of a fenced one on a node that is dead.
            HealthEvent::Changed(change)
                if POD.is_kind_of(&change.object) && change.object.is_terminating() => {}
            HealthEvent::Changed(_) if matches!(self.stage, Stage::Catching(_)) => {}
            HealthEvent::Changed(_) => return,
            HealthEvent::Resync => self.book.vanished = fence::missing_nodes(turn.view),
            HealthEvent::PlanDone { id, verdicts } => self.settle(&mut turn, id, &verdicts),
            HealthEvent::Timer => self.timer = None,
        }
        if self.words.majority {
            self.book.hear(&self.words, turn.view, turn.now);
        }
        if !self.leading || !self.words.majority {
            return self.book.watch(turn.view, turn.now);
        }
        if self.is_free(turn.view, turn.now) {
            self.look(&turn, out);
        }
        self.set_timer(turn.now, out);
    }
}
