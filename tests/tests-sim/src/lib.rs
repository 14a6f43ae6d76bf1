//! Seeds of whole simulated clusters: which are run, what they covered, and how a failing one is
//! run again.
//!
//! Way in: [`Seeds::chosen`], [`Sweep::run`], [`table`].

mod seeds;
mod sweep;

pub use seeds::Seeds;
pub use sweep::{Sweep, one, replay, table};
