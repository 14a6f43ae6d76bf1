//! What goes wrong in an experiment, and when: fault schedules as plain data, drawn from a seed
//! within a budget, or written down in a plan.
//!
//! Way in: [`Plan::read`] for a plan from a file, [`Plan::named`] for one of ours;
//! [`Schedule::draw`] for what a seed draws, [`Schedule::check`] for one from elsewhere;
//! [`Roster::hit_by`] for whom a fault hits.
//! Never: an injection; engines carry faults out (the simulator, later a live cluster).
//! Invariant: a schedule that passes [`Schedule::check`] leaves a quorum alone but for the power
//! cuts it declares, and mends everything before its end, so that what does not recover after it is
//! a bug.

mod budget;
mod builtin;
mod draw;
mod fault;
mod hit;
mod plan;
mod schedule;

pub use budget::{Budget, BudgetError};
pub use fault::{FaultKind, Rhythm, Severity, Target, Way};
pub use hit::{Machine, Roster};
pub use plan::{Drawn, Liveness, Plan, PlanError, Subject, Tuning};
pub use schedule::{Schedule, Step};

#[cfg(test)]
mod tests;
