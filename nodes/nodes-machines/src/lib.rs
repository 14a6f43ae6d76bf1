//! The machines of a cluster: which there are, and, where one host carries them all, how each gets a network
//! namespace, an interface and a control group of its own.
//!
//! Way in: [`Plan`] (pure: names, addresses, paths), [`MachineRecord`] (what one process is told), [`network`],
//! [`group`], [`forwarder`].
//! Never: a look at the API's objects. Everything made here is named by the plan alone, so that it can be found and
//! removed after a crash at any moment.

pub mod forwarder;
pub mod group;
pub mod namespace;
pub mod network;
mod plan;
mod record;

pub use nodes_pki::NodeRole as Role;
pub use plan::{Machine, MachinePlan, Plan, PlanError, Segment};
pub use record::{MachineRecord, RecordError, Seed};

/// UDP port of the mesh on every machine.
pub const MESH_PORT: u16 = 7443;

/// TCP port of the API on every server's machine.
pub const API_PORT: u16 = 6443;
