//! The Raft actor group of one server: its disks, its member, its state, and the handle of the
//! store for users.
//!
//! Way in: [`Group::open`], then [`Group::child`] for the supervisor and [`Group::store`] for
//! users.
//! Owns: the log, the state, the catalog of one group.  Never: a decision about Kubernetes, or
//! about Raft.
//! Time and order: a proposal is gathered (`intake`), replicated (`peer`), synced (`log`), applied
//! and published (`apply`), answered; then watchers are woken (`herald`).

mod agreement;
mod apply;
mod config;
mod control;
mod disks;
mod error;
mod forward;
mod group;
mod herald;
mod image;
mod intake;
mod interest;
mod locks;
mod log;
mod membership;
mod outbox;
mod peer;
mod pulse;
mod queue;
mod rocks;
mod room;
mod shared;
mod store;
mod transport;
mod trees;
mod waiting;
mod watch;
mod wire;
mod worker;

pub use config::StoreConfig;
pub use disks::Disks;
pub use error::{DiskFailure, OpenError, ProposeError, ReadError, WatchEnd};
pub use group::{Group, Ports};
pub use image::{ImageError, IncomingImage, OutgoingImage};
pub use rocks::RocksDisks;
pub use shared::{Health, Leadership, Progress};
pub use store::Store;
pub use transport::{Alone, AskError, Delivery, FRAME_BYTES_MAX, InProcess, Later, Transport};
pub use watch::Watch;
