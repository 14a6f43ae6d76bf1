//! What others may see of links: their state now, and what happens to them.
//!
//! Way in: [`LinkView`], [`LinkEvent`].

use std::{net::SocketAddr, time::Duration};

use actors_core::Wall;
use mesh_wire::{Lane, Peer, Role};
use serde::{Deserialize, Serialize};

/// One link, as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkView {
    /// The other end's node.
    pub node: String,
    /// Its role: from its certificate if there was a link, else as it was told.
    pub role: Role,
    /// Where it is: of the link if there is one, else where it is looked for.
    pub address: Option<SocketAddr>,
    /// Whether there is a link.
    pub state: LinkState,
    /// What the other process can do, as it says; while there is a link.
    pub feature_level: Option<u16>,
    /// What the last attempt failed with, or the last link ended with; `None` while a link is up.
    pub last_error: Option<String>,
    /// The smoothed round-trip time, while there is a link.
    pub rtt: Option<Duration>,
    /// Frames and messages of streams are counted from the start of this process.
    pub sent: Traffic,
    /// The same for what came.
    pub received: Traffic,
    /// How much waits in each lane.
    pub lanes: Vec<LaneView>,
    /// Frames and streams of this peer that were refused because its role may not send them.
    pub refused: u64,
    /// How often a link came up again.
    pub reconnects: u64,
}

/// Whether there is a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum LinkState {
    /// There is.
    Up {
        /// Since when.
        since: Wall,
        /// Rises with each start of the other process.
        incarnation: u64,
    },
    /// There is none; it is tried, or the other end is waited for.
    Connecting {
        /// Since when there is none.
        since: Wall,
        /// How often it was tried since.
        attempts: u32,
    },
}

/// What went one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Traffic {
    /// Frames of lanes.
    pub frames: u64,
    /// Bytes of their bodies.
    pub bytes: u64,
}

/// What waits in one lane for the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneView {
    /// Which.
    pub lane: Lane,
    /// Frames.
    pub frames: usize,
    /// Bytes of their bodies.
    pub bytes: usize,
    /// Messages that found it full.
    pub full: u64,
}

/// What happened to a link. Whoever lags behind looks at [`crate::Mesh::links`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum LinkEvent {
    /// A link came up, or a restarted process has replaced it.
    Up {
        /// To whom.
        peer: Peer,
        /// Rises with each start of the other process.
        incarnation: u64,
    },
    /// A link went down; or, for [`DownReason::Refused`], one did not come up.
    Down {
        /// To whom.
        peer: Peer,
        /// Why.
        why: DownReason,
    },
}

/// Why there is no link any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum DownReason {
    /// One end left in order, or does not want the link any more.
    #[error("the link was closed in order")]
    Closed,
    /// The other process does not know the link: it was restarted.
    #[error("the other process was restarted")]
    Reset,
    /// Nothing was heard for the idle time.
    #[error("nothing was heard for {} s", crate::IDLE.as_secs())]
    Idle,
    /// One end refused the other, in this sentence.
    #[error("{0}")]
    Refused(String),
    /// Something else.
    #[error("{0}")]
    Error(String),
}
