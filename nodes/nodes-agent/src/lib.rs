//! What makes a machine a node: it registers the node, runs its pods, and keeps its Services
//! reachable.
//!
//! Way in: [`Agent::open`], then [`Agent::tree`] for the supervisor and [`Agent::handle`] for logs
//! and exec.
//! Owns: what is on disk and in the kernel for this node's pods.  Writes: the Node, its Lease,
//! pods' statuses, events.
//! Never: a decision about a pod; that is `nodes-pods`. Drivers here carry out its effects and tell
//! their ends.
//! Where to look: `pods` (machines, sandboxes, containers, probes, fences, what an agent remembers
//! through outages), `volumes`, `node` (registration, readings), `neighbours` (ways to other nodes'
//! pods), `services` (the proxy), `streams` (logs, exec), `mirror` (how the API is followed).

mod agent;
mod blocking;
mod config;
mod events;
mod mirror;
mod neighbours;
mod node;
mod pods;
mod services;
mod shared;
mod streams;
mod teardown;
mod volumes;
mod writes;

pub use agent::{Agent, AgentError, StartError};
pub use config::{AgentConfig, Paths};
pub use streams::AgentHandle;
pub use teardown::{TearDownError, tear_down};
