//! How much a schedule may break, so that safety is judged always and liveness where it was
//! promised.
//!
//! Way in: [`Schedule::check`].

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{FaultKind, Schedule, Severity, Step};

/// The bounds of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// Until when faults may begin or last, from the start; afterwards everything is whole.
    pub until: Duration,
    /// How many servers there are. Fewer than half of them may be taken at once.
    pub servers: u8,
    /// How many machines run pods.
    pub agents: u8,
    /// How often all servers may lose their power at once.
    pub power_cuts: u8,
    /// How long nothing that takes a server happens after a power cut.
    pub recovery: Duration,
}

/// Why a schedule breaks more than it says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BudgetError {
    /// Faults must be over when the budget ends.
    #[error("step {step} lasts beyond the end of the budget")]
    TooLate {
        /// Which step.
        step: usize,
    },
    /// Steps are in the order of their beginnings.
    #[error("step {step} begins before the one in front of it")]
    OutOfOrder {
        /// Which step.
        step: usize,
    },
    /// A quorum must be left alone.
    #[error("steps {first} and {second} take too many servers at once")]
    NoQuorum {
        /// The earlier step.
        first: usize,
        /// The later step.
        second: usize,
    },
    /// More power cuts than declared.
    #[error("there are {found} power cuts; {allowed} are declared")]
    PowerCuts {
        /// How many there are.
        found: usize,
        /// How many are declared.
        allowed: u8,
    },
}

impl Schedule {
    /// Whether the schedule keeps its budget.
    ///
    /// # Errors
    /// The first bound that it breaks.
    pub fn check(&self) -> Result<(), BudgetError> {
        let Budget { until, servers, power_cuts, .. } = self.budget;
        let cuts = self.steps.iter().filter(|step| step.fault == FaultKind::PowerCut).count();
        if cuts > usize::from(power_cuts) {
            return Err(BudgetError::PowerCuts { found: cuts, allowed: power_cuts });
        }
        let minority = usize::from(servers.saturating_sub(1) / 2);
        for (step, one) in self.steps.iter().enumerate() {
            if one.end() > until {
                return Err(BudgetError::TooLate { step });
            }
            if step > 0 && self.steps[step - 1].at > one.at {
                return Err(BudgetError::OutOfOrder { step });
            }
            let earlier = &self.steps[..step];
            let together = |other: &Step| takes(other) && self.lasting(other).overlaps(one);
            let taken = earlier.iter().filter(|other| together(other)).count();
            if takes(one) && taken >= minority.max(1) {
                let first = earlier.iter().rposition(together).unwrap_or(0);
                return Err(BudgetError::NoQuorum { first, second: step });
            }
        }
        Ok(())
    }

    /// A step with the time that its servers need to come back.
    fn lasting(&self, step: &Step) -> Step {
        let after = match step.fault.severity() {
            Severity::TakesAll => self.budget.recovery,
            _ => Duration::ZERO,
        };
        Step { span: step.span + after, ..*step }
    }
}

fn takes(step: &Step) -> bool {
    step.fault.severity() >= Severity::TakesOne
}
