//! A fault schedule: what begins when, and how long it lasts.
//!
//! Way in: [`Schedule`].  Plain data, so that a failing one can be saved, shrunk and run again.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Budget, FaultKind};

/// Everything that goes wrong in one experiment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// What it promises to leave alone.
    pub budget: Budget,
    /// What happens, in the order of [`Step::at`].
    pub steps: Vec<Step>,
}

/// One fault, from its beginning to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// When it begins, from the start of the experiment.
    pub at: Duration,
    /// How long it lasts.
    pub span: Duration,
    /// What it is.
    pub fault: FaultKind,
}

impl Step {
    /// When it is over.
    #[must_use]
    pub fn end(&self) -> Duration {
        self.at + self.span
    }

    /// Whether it is there at some moment at which `other` is.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.at < other.end() && other.at < self.end()
    }
}
