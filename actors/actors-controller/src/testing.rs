//! The kit that tests controllers: a world in memory, and scenes that say what a controller plans
//! in it.
//!
//! Way in: [`Scene`].  Never: a store, a door, or time that passes by itself.

mod memory;
mod scene;

pub use memory::MemoryWorld;
pub use scene::{Scene, SettleError};
