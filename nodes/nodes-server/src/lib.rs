//! The control plane of one process: store, door, controllers, scheduler and edge as one supervised tree.
//!
//! Way in: [`Server::open`].  Never: a decision; this crate connects machines to their drivers.
//! With a mesh ([`ServerMesh`]) it is one of several servers: each serves requests on its own replica; what only one
//! may do (`acting`) is done by the holder of the shards; machines join through any of them (`operators`, `joins`).

mod acting;
mod actors;
mod bootstrap;
mod certificate;
mod children;
mod config;
mod control;
mod control_plane;
mod endpoints;
mod events;
mod figures;
mod flow_control;
mod gate;
mod health;
mod joins;
mod lanes;
mod marker;
mod node_object;
mod operators;
mod pages;
mod quorum;
mod refusals;
mod revocations;
mod scheduling;
mod server;
mod signing;
mod status;
mod tokens;
mod traces;
mod views;
mod votes;
mod watching;

pub use config::{ServerConfig, ServerMesh};
pub use events::agent_events;
pub use gate::{Gate, GateParts};
pub use server::{Server, ServerError};
pub use store_raft::NodeId;
