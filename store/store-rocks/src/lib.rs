//! RocksDB behind `LogStore` and `StateStore`: two databases a node, because they want opposite
//! things.
//!
//! Way in: [`RocksLogs`] (synced before anything is acknowledged, files recycled), [`RocksState`]
//! (no log of its own: what a crash takes, the Raft log brings back).  Owns: two folders of the
//! data directory.
//! Never: a decision. The rest of the workspace sees the two ports of `actors-core`.

mod directory;
mod error;
mod log;
mod marks;
mod state;
mod tuning;

pub use directory::ClusterUid;
pub use error::OpenError;
pub use log::{RocksLog, RocksLogs};
pub use state::RocksState;

#[cfg(test)]
mod tests;
