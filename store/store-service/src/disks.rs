//! Where a member keeps its log and its state, behind the ports of `actors-core`.
//!
//! Way in: [`Disks`].

use std::{fs::File, sync::Arc};

use actors_core::ports::{LogStore, StateStore};

use crate::DiskFailure;

/// Opens the two stores of one member of one group; again after one of them failed.
///
/// Two at once are never asked for: the life that had the first is over before the next one opens
/// it.
pub trait Disks: Send + Sync + 'static {
    /// The log.
    ///
    /// # Errors
    /// The disk's, also for a log that lost what was synced.
    fn open_log(&self) -> Result<Box<dyn LogStore>, DiskFailure>;

    /// The state.
    ///
    /// # Errors
    /// The disk's.
    fn open_state(&self) -> Result<Arc<dyn StateStore>, DiskFailure>;

    /// Where they are, for people who are to make room.
    fn place(&self) -> String;

    /// An empty file for an image on its way in: read and written, and gone when it is closed.
    ///
    /// # Errors
    /// The disk's.
    fn spool(&self) -> Result<File, DiskFailure>;
}
