//! What can go wrong in a simulation, as plain data, so that a plan of faults can be saved and
//! shrunk.
//!
//! Way in: [`Fault`], given to `Sim::schedule` or `Sim::inject`.

use serde::{Deserialize, Serialize};

use crate::{Cut, DiskFaults, NetFaults, NodeId};

/// One thing that goes wrong, or right again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fault {
    /// A node stops between two events: its machines, timers and unsynced writes are gone.
    Crash(NodeId),
    /// A node stops right behind one of its next events, before anything else happens.
    CrashAfter {
        /// Which.
        node: NodeId,
        /// Behind how many events; 0 takes the order back.
        events: u32,
    },
    /// A node stops in the middle of what one of its next events brings about: the first of its effects
    /// are carried out, at least one, and the others, at least one, never are.
    CrashAmid {
        /// Which.
        node: NodeId,
        /// In which of those that have at least two effects; 0 takes the order back.
        events: u32,
    },
    /// A node that crashed starts again from its disk. Nothing if it is up.
    Start(NodeId),
    /// All links behave like this from now on, but those with faults of their own.
    Net(NetFaults),
    /// One direction of one link behaves like this from now on.
    Link {
        /// The sender.
        from: NodeId,
        /// The receiver.
        to: NodeId,
        /// How it behaves.
        faults: NetFaults,
    },
    /// Messages between these nodes are lost, until the cut of this name is healed.
    Cut(Cut),
    /// Ends the cut of this name.
    Heal(String),
    /// Ends all cuts, and faults of links.
    HealAll,
    /// A node's disk behaves like this from now on.
    Disk {
        /// Whose.
        node: NodeId,
        /// How.
        faults: DiskFaults,
    },
    /// A node's wall clock jumps by so many nanoseconds.
    WallJump {
        /// Whose.
        node: NodeId,
        /// How far; negative is back.
        by_ns: i64,
    },
    /// A node's clocks run this much faster than true time from now on.
    Drift {
        /// Whose.
        node: NodeId,
        /// In millionths; negative is slower, above -1,000,000.
        ppm: i32,
    },
}
