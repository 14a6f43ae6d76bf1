//! The whole cluster in one thread, from one seed: three voters of the store with the door in front
//! of each, controllers, scheduler and health on the leader, machines with hollow pods, membership
//! between all of them, and clients whose every answer is judged.
//!
//! Way in: [`run`], with a plan of `chaos-plan`.  Owns: the drivers that the simulator needs; every decision is made by the
//! machines that the product runs (`store-raft`, `store-mvcc`, `nodes-door`, `actors-controller`,
//! `actors-scheduler`, `nodes-control`, `mesh-member`, `nodes-pods`).
//! Never: a clock, a thread, a socket; the same seed always gives the same [`Report::hash`].

mod actors;
mod agent;
mod ask;
mod census;
mod client;
mod cluster;
mod config;
mod convergence;
mod event;
mod faults;
mod fences;
mod hollow;
mod knobs;
mod mesh;
mod record;
mod report;
mod run;
mod seen;
mod server;
mod sites;
mod strike;
mod versions;
mod watcher;
mod wire;
mod workload;

pub use config::{Planted, RunConfig};
pub use record::Counts;
pub use report::{Coverage, Invariant, Report, Violation, command};
pub use run::run;

#[cfg(test)]
mod tests;
