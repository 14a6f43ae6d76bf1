//! The port to what spreads facts between members: gossip of some sort.
//!
//! Way in: [`CarrierCommand`], [`CarrierEvent`].  Never: a verdict; a carrier says what it was
//! told, however late.
//! A carrier owes: what is published reaches every member that is connected to it by a chain of
//! members, in the end; the newest of a member's life wins over older ones; a later life wins over
//! an earlier one. It owes no order and no time.

use actors_core::Wall;
use serde::{Deserialize, Serialize};

use crate::MemberInfo;

/// What the machine wants of its carrier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum CarrierCommand {
    /// Tell all members this of ourselves; takes the place of what was published before.
    Publish(MemberInfo),
    /// A peer can be reached now: exchange with it at once instead of at the next round.
    Exchange {
        /// Its node.
        node: String,
    },
    /// Drop what is known of this member's life and earlier ones.
    Forget {
        /// Its node.
        node: String,
        /// Its life.
        incarnation: Wall,
    },
}

/// What a carrier tells the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum CarrierEvent {
    /// A member says this of itself; new, or changed. Never about ourselves.
    Info(MemberInfo),
    /// More members are known than a mesh may have: later ones are left out.
    Full {
        /// How many are known.
        known: u32,
    },
}
