//! What is resident: every object of the local replica in order, the indexes over them, and the
//! latest events.
//!
//! Way in: [`Catalog::publish`] (one writer), [`Snapshot`] and [`Cursor`] (any number of readers).
//! Owns: persistent maps and a bounded ring.  Never: a disk, a lock held for a reader, a wait.
//! Invariant: a snapshot never changes; readers share what they read with everybody else.

mod catalog;
mod cursor;
mod event;
mod item;
mod past;
mod ring;
mod shelf;
mod snapshot;

pub use catalog::{Catalog, Published, Tree};
pub use cursor::{Cursor, Polled};
pub use event::{Event, EventKind};
pub use item::{Item, ItemError, Opener};
pub use ring::{Ring, RingLimits};
pub use shelf::{Form, Shelf};
pub use snapshot::Snapshot;

#[cfg(test)]
mod tests;
