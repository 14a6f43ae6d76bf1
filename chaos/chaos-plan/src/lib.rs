//! What goes wrong in an experiment, and when: fault schedules as plain data, drawn from a seed
//! within a budget.
//!
//! Way in: [`Schedule::draw`] for a seeded one, [`Schedule::check`] for one from elsewhere.
//! Never: an injection; engines resolve targets and carry faults out (the simulator, later a live
//! cluster).
//! Invariant: a schedule that passes [`Schedule::check`] leaves a quorum alone but for the power
//! cuts it declares, and mends everything before its end, so that what does not recover after it is
//! a bug.

mod budget;
mod draw;
mod fault;
mod schedule;

pub use budget::{Budget, BudgetError};
pub use fault::{FaultKind, Severity, Target};
pub use schedule::{Schedule, Step};

#[cfg(test)]
mod tests;
