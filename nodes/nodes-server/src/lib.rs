//! The control plane of one process: store, door, controllers, scheduler and edge as one supervised tree.
//!
//! Way in: [`Server::open`].  Never: a decision; this crate connects machines to their drivers.

mod bootstrap;
mod config;
mod control;
mod events;
mod gate;
mod scheduling;
mod server;
mod status;
mod tokens;
mod watching;

pub use config::{ServerConfig, ServerMesh};
pub use gate::Gate;
pub use server::{Server, ServerError};
pub use store_raft::NodeId;
