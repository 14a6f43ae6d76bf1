//! A plan: one experiment as data, readable and writable by people.
//!
//! Way in: [`Plan::read`] for a file, [`Plan::named`] for one of ours, [`Plan::schedule`] for what
//! a seed makes of it.
//! Invariant: a plan that was read keeps its own budget: where liveness is demanded, what it lists
//! leaves a quorum alone and is over in time.

mod faults;
mod file;

use std::{fmt, time::Duration};

use actors_core::Rng;
use serde::{Deserialize, Serialize};

use crate::{Budget, BudgetError, Schedule, Step};

/// One experiment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// What commands call it: the name of one of ours, or the path of its file.
    pub name: String,
    /// What it is for, in a sentence.
    pub about: String,
    /// What is simulated.
    pub world: Subject,
    /// Machines that vote, 1 to 7.
    pub servers: u8,
    /// Machines that run pods, 1 to 100.
    pub agents: u8,
    /// Machines of users, 1 to 20.
    pub clients: u8,
    /// How long everything is left alone at first.
    pub warm_up: Duration,
    /// How long it meets with faults.
    pub faults_for: Duration,
    /// How long it may take to converge afterwards.
    pub converge_within: Duration,
    /// What is promised of the time after the faults.
    pub liveness: Liveness,
    /// How often all servers may lose their power at once.
    pub power_cuts: u8,
    /// How long nothing that takes a server happens after a power cut.
    pub recovery: Duration,
    /// Which faults each seed draws.
    pub drawn: Drawn,
    /// Faults that every seed meets with, in the order of their beginnings.
    pub faults: Vec<Step>,
    /// What every seed has in common that seeds draw otherwise.
    pub tuning: Tuning,
    /// How far clocks are apart in their rates, in millionths to either side; each seed draws it.
    pub drift_ppm_max: u32,
    /// Whether fault points in the code fire.
    pub fault_points: bool,
    /// Names of mistakes that are made on purpose, so that it is seen that they are found.
    pub planted: Vec<String>,
}

/// What is simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Subject {
    /// The whole cluster.
    #[default]
    Cluster,
    /// Supervised actors that watch each other, and keyed ones that rest.
    Actors,
}

/// What is promised of the time after the faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Liveness {
    /// The faults keep within the budget, so everything must converge in time.
    #[default]
    Demanded,
    /// The faults may take more than a quorum can miss: only safety is judged.
    NotPromised,
}

/// Which faults each seed draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Drawn {
    /// Of every kind.
    #[default]
    All,
    /// Only of machines that run pods.
    Agents,
    /// Only the loss of agents' processes, which are soon started again: then nothing may be
    /// replaced.
    Processes,
    /// None but those that the plan lists.
    Nothing,
}

/// What every seed has in common; what is not set is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tuning {
    /// How many of a million operations of clients are about what control loops work on.
    pub control_ppm: Option<u32>,
    /// The longest pause of a client between two operations.
    pub pause_max: Option<Duration>,
    /// The longest sync of a disk without a fault.
    pub sync_max: Option<Duration>,
}

/// Why a plan is refused. Who wrote it is told; retrying does not help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {why}")]
pub struct PlanError {
    /// Which field, as a path: `faults[2].for`; `plan` is the whole.
    pub field: String,
    /// What is wrong with it.
    pub why: String,
}

impl PlanError {
    /// A refusal of one field.
    #[must_use]
    pub fn of(field: impl fmt::Display, why: impl Into<String>) -> Self {
        Self { field: field.to_string(), why: why.into() }
    }
}

impl Default for Plan {
    /// The plan of which a file says nothing: three servers, twenty agents, four clients, a minute
    /// of all that seeds draw.
    fn default() -> Self {
        Self {
            name: String::new(),
            about: String::new(),
            world: Subject::Cluster,
            servers: 3,
            agents: 20,
            clients: 4,
            warm_up: Duration::from_secs(4),
            faults_for: Duration::from_secs(60),
            converge_within: Duration::from_secs(90),
            liveness: Liveness::Demanded,
            power_cuts: 4,
            recovery: Duration::from_millis(2_500),
            drawn: Drawn::All,
            faults: Vec::new(),
            tuning: Tuning::default(),
            drift_ppm_max: 100,
            fault_points: true,
            planted: Vec::new(),
        }
    }
}

impl Plan {
    /// What the plan promises to leave alone.
    #[must_use]
    pub fn budget(&self) -> Budget {
        Budget {
            until: self.faults_for,
            servers: self.servers,
            agents: self.agents,
            power_cuts: self.power_cuts,
            recovery: self.recovery,
        }
    }

    /// What goes wrong in one run: what the plan lists, and what the seed draws beside it. Of what
    /// is drawn, that is left out which would break the budget together with what is listed.
    #[must_use]
    pub fn schedule(&self, rng: &mut Rng) -> Schedule {
        let budget = self.budget();
        let drawn = match self.drawn {
            Drawn::All => Schedule::draw(budget, rng),
            Drawn::Agents => Schedule::draw_agents(budget, rng),
            Drawn::Processes => Schedule::draw_processes(budget, rng),
            Drawn::Nothing => Schedule { budget, steps: Vec::new() },
        };
        if self.faults.is_empty() {
            return drawn;
        }
        let mut schedule = Schedule { budget, steps: self.faults.clone() };
        for step in drawn.steps {
            let mut larger = schedule.clone();
            let place = larger.steps.partition_point(|other| other.at <= step.at);
            larger.steps.insert(place, step);
            if self.liveness == Liveness::NotPromised || larger.check().is_ok() {
                schedule = larger;
            }
        }
        schedule
    }

    /// Whether what the plan lists keeps its budget.
    ///
    /// # Errors
    /// The fault that breaks it, as a path.
    pub fn check(&self) -> Result<(), PlanError> {
        let listed = Schedule { budget: self.budget(), steps: self.faults.clone() };
        let Err(error) = listed.check() else { return Ok(()) };
        let (field, always) = match &error {
            BudgetError::TooLate { step } => (format!("faults[{step}].for"), true),
            BudgetError::OutOfOrder { step } => (format!("faults[{step}].at"), true),
            BudgetError::NoQuorum { second, .. } => (format!("faults[{second}]"), false),
            BudgetError::PowerCuts { .. } => ("budget.powerCuts".to_owned(), false),
        };
        if always || self.liveness == Liveness::Demanded {
            let way = if always { "" } else { "; without `budget.liveness: none` it must not" };
            return Err(PlanError::of(field, format!("{error}{way}")));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
