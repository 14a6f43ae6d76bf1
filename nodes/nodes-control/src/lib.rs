//! Between controllers and the door: a snapshot of the catalog as their world, their plans as
//! requests; and between membership and the API: what becomes of nodes that nobody hears of.
//!
//! Way in: [`SnapshotWorld`], [`requests::of_item`], [`health::HealthMachine`].  Used by the
//! server and by the simulation.

mod changes;
pub mod health;
pub mod requests;
mod roles;
mod world;

pub use changes::change_of;
pub use roles::{identity, identity_of, roles, roles_of};
pub use world::SnapshotWorld;
