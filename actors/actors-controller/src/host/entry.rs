//! What a host remembers of a key that has work, and of a plan on its way.
//!
//! Way in: [`Entry`], [`Running`].

use std::{fmt, time::Duration};

use actors_core::Mono;
use serde::{Deserialize, Serialize};

use super::Trace;
use crate::Key;

/// Why a key is looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cause {
    /// An object changed that concerns it.
    Changed {
        /// Which.
        subject: Key,
        /// At which revision.
        revision: u64,
    },
    /// Its last plan was refused in part.
    Retry,
    /// Its last plan asked to look again after a time.
    Requeue,
    /// All keys are looked at.
    Resync,
    /// Somebody asked.
    Poked,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed { subject, revision } => write!(f, "{subject} changed at {revision}"),
            Self::Retry => f.write_str("retry"),
            Self::Requeue => f.write_str("requeue"),
            Self::Resync => f.write_str("resync"),
            Self::Poked => f.write_str("poked"),
        }
    }
}

/// A key that has work. Keys without work are not remembered at all.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) phase: Phase,
    /// Why it is to be looked at; at most [`Entry::CAUSES_MAX`].
    pub(super) causes: Vec<Cause>,
    /// Refusals in a row.
    pub(super) failures: u32,
}

/// Where a key is between two looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// It is in the ready queue.
    Queued,
    /// Its plan is on its way.
    Running,
    /// Its plan is done, but the world does not show it yet.
    CatchingUp {
        /// Until the world has this revision.
        revision: u64,
        /// What comes then.
        then: After,
    },
    /// It waits for a time.
    Resting {
        /// When it is due.
        due: Mono,
        /// The earliest time at which a change may wake it.
        wakes_from: Mono,
    },
    /// It made a hot loop: only time, a new generation, or somebody's request wakes it.
    Parked {
        /// When it is due.
        due: Mono,
        /// The generation of the object when it was parked.
        generation: i64,
    },
}

/// What comes after a plan, once the world shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    /// Nothing, unless a cause came meanwhile.
    Sleep,
    /// Another look at this time; a change may wake it earlier.
    Requeue(Mono),
    /// Another look at this time; a change may wake it not before the second.
    Retry(Mono, Mono),
}

impl Entry {
    /// How many causes are kept; the oldest is always among them.
    pub(super) const CAUSES_MAX: usize = 4;

    pub(super) fn add_cause(&mut self, cause: Cause) {
        if self.causes.len() < Self::CAUSES_MAX {
            self.causes.push(cause);
        }
    }
}

/// A plan on its way.
#[derive(Debug, Clone)]
pub(super) struct Running {
    pub(super) key: Key,
    /// For each item its line of text, and whether its refusal matters.
    pub(super) items: Vec<(String, Matters)>,
    pub(super) requeue_after: Option<Duration>,
    pub(super) stage: Stage,
    pub(super) trace: Trace,
}

/// Whether a key is looked at again because an item was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Matters {
    /// It is.
    Yes,
    /// It is not: an event.
    No,
}

/// Which of a key's two possible plans is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// The controller's plan.
    First,
    /// What is said about the first one's refusals; the key backs off after it.
    Complaint {
        /// The highest revision that the first plan wrote.
        revision: u64,
    },
}
