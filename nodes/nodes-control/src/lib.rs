//! Between controllers and the door: a snapshot of the catalog as their world, their plans as requests.
//!
//! Way in: [`SnapshotWorld`], [`requests::of_item`].  Never: a decision; used by the server and by the simulation.

mod changes;
pub mod requests;
mod roles;
mod world;

pub use changes::change_of;
pub use roles::{identity_of, roles_of};
pub use world::SnapshotWorld;
