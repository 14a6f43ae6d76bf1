//! Seeds of whole simulated clusters: which are run, what they covered, and how a failing one is
//! run again.
//!
//! Way in: [`Seeds::chosen`], [`Sweep::run`], [`table`].

/// Runs allocate a lot.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

mod seeds;
mod sweep;

pub use seeds::Seeds;
pub use sweep::{Sweep, one, table};
