//! Deterministic host: many nodes in one thread, under virtual time, from one seed.
//!
//! Way in: [`Sim`] over a [`World`]; [`troupe`] is a world of supervised actors.  Owns: time, the order of events, the network, the disks, the
//! trace.
//! Never: a thread, a clock, a socket or a file; the same seed always gives the same [`Sim::hash`].

mod buggify;
mod clock;
mod disk;
mod fault;
mod net;
mod sim;
pub mod suite;
mod trace;
pub mod troupe;

pub use clock::{NodeClock, SimTime};
pub use disk::{DiskFaults, DiskTally, Mark, SimDisk, SimLog, SimState};
pub use fault::Fault;
pub use net::{Cut, Flap, Net, NetFaults};
pub use sim::{Host, NodeId, Sim, World};
pub use trace::Digest;

#[cfg(test)]
mod tests;
