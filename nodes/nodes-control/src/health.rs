//! From what membership says of nodes to what the API says of them, and to the end of what cannot
//! be running any longer.
//!
//! Way in: [`HealthMachine`]; [`renewal`] for who confirms fence leases.
//! Owns: the taint `starling.dev/node-dead`; the conditions of a node that is silent; the end of
//! fenced pods whose deadline has surely passed (see `actors_controllers::fencing`).
//! Never: a verdict of its own. Membership says who is dead; here it is decided what follows, and
//! when not yet.
//!
//! What each word does:
//! - *alive*: the taint is taken away once the agent itself has reported Ready; it kills what was
//!   replaced before it does. (Who comes and goes is called alive by membership only after it has
//!   been heard for a while, longer each time.)
//! - *agent lost*, *suspect*: an event, nothing else. Containers run on, or may.
//! - *dead*: the taint, then the conditions become Unknown with the reason `NodeStatusUnknown`.
//!   The taint moves pods (`taint-eviction`), withdraws endpoints and keeps new pods away
//!   (`node-lifecycle`).
//! - *left*: as dead, after [`LEFT_AFTER`]: it said good-bye, and did not come back.
//! - no word at all, though a majority has been in view for [`UNHEARD_AFTER`]: as dead, if an
//!   agent of ours reported it.
//!
//! When a death has no consequences yet (see [`Brake`]): while most nodes are silent at once
//! nothing is evicted, and an event says so; many deaths at once are let through one after the
//! other.
//!
//! Invariants: 1. only a leader with an own view backed by a majority acts ([`Words::majority`]);
//! what it wants is written under its epoch, which its driver sees to. 2. one plan on its way at a
//! time; the next one is made on a world that shows what the last one wrote. 3. a fenced pod is
//! ended only after this machine itself has seen the taint (or the node's absence) for the whole
//! time, by the monotonic clock. It looks on every server, leader or not: a new leader goes on
//! counting, only a new process begins again.
//!
//! How a server wires it, beside the scheduler: one `Child::machine` on *every* server, with a
//! driver as the scheduler's ([`HealthEffect::Apply`] goes through the door as [`identity`], under
//! the epoch of the lent view). Its feed tells it [`HealthEvent::Changed`] and
//! [`HealthEvent::Resync`] as every controller; besides, each new view of membership is a
//! [`HealthEvent::Words`] (made by [`Words::of`]), and gaining or losing leadership a
//! [`HealthEvent::Leading`]. [`roles`] are two more objects of the bootstrap.

mod book;
mod brake;
mod fence;
mod machine;
mod marks;

use std::collections::BTreeMap;

use actors_controller::{Access, WriteVerb};
use actors_controllers::kinds::{NODE, POD};
use actors_kinds::Registry;
use actors_object::Object;
use mesh_member::{MemberState, MemberView};
use nodes_door::Identity;
use serde::{Deserialize, Serialize};
use store_catalog::Event;

pub use self::{
    book::{LEFT_AFTER, UNHEARD_AFTER},
    brake::Brake,
    fence::{NoRenewal, renewal},
    machine::{HealthEffect, HealthEvent, HealthMachine},
};

/// Whether the machine does more with a change than to look at it: of pods only those matter that
/// are to end. It is seen in what is stored, for this is asked on every server of every write.
#[must_use]
pub fn matters(event: &Event) -> bool {
    let stored = std::str::from_utf8(&event.item().stored().value);
    let lives = || stored.is_ok_and(|text| !text.contains("\"deletionTimestamp\":"));
    !event.key.as_bytes().starts_with(b"/registry/pods/") || !lives()
}

/// What membership says of one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum NodeWord {
    /// It is heard.
    Alive,
    /// Its agent's process is gone; its containers run on.
    AgentLost,
    /// It is silent.
    Suspect,
    /// A majority does not hear it.
    Dead,
    /// It left in good order.
    Left,
}

impl NodeWord {
    /// Whether the node is silent, so that nobody can say what it does.
    #[must_use]
    pub fn is_silent(self) -> bool {
        matches!(self, Self::Suspect | Self::Dead)
    }
}

/// A word with what it rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// The word.
    pub word: NodeWord,
    /// Why, for people: who has not heard it for how long. May be empty.
    pub evidence: String,
}

impl From<NodeWord> for Said {
    fn from(word: NodeWord) -> Self {
        Self { word, evidence: String::new() }
    }
}

/// The view of membership of the server that leads.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Words {
    /// Whether this server itself is in touch with a majority of the voters, so that silence is
    /// not its own.
    pub majority: bool,
    /// What is said of each node that membership knows, servers included, by node name.
    pub nodes: BTreeMap<String, Said>,
}

impl Words {
    /// What a server says, by the view of its own membership; `me` is its own node.
    #[must_use]
    pub fn of(me: &str, views: &[MemberView]) -> Self {
        let own = views.iter().find(|view| view.info.node == me);
        // Who does not hear its own majority suspects itself.
        let majority = own.is_some_and(|view| view.state == MemberState::Alive);
        let nodes = views.iter().map(|view| (view.info.node.clone(), said(&view.state))).collect();
        Self { majority, nodes }
    }
}

fn said(state: &MemberState) -> Said {
    let word = match state {
        MemberState::Alive => NodeWord::Alive,
        MemberState::AgentLost { .. } => NodeWord::AgentLost,
        MemberState::Suspect { .. } => NodeWord::Suspect,
        MemberState::Dead { .. } => NodeWord::Dead,
        MemberState::Left => NodeWord::Left,
    };
    let evidence: Vec<String> = state.evidence().iter().map(ToString::to_string).collect();
    Said { word, evidence: evidence.join("; ") }
}

/// The name under which it writes.
const NAME: &str = "node-health";

/// What it may read and write.
#[must_use]
pub fn access() -> Access {
    Access::reads(&[&NODE, &POD])
        .writes(&NODE, WriteVerb::Patch, &["spec.taints"])
        .writes(&NODE, WriteVerb::Status, &["status.conditions"])
        .writes(&POD, WriteVerb::Status, &["status.phase", "status.conditions[DisruptionTarget]"])
        .writes(&POD, WriteVerb::Delete, &[])
}

/// Its identity at the door: a service account of `kube-system`.
#[must_use]
pub fn identity() -> Identity {
    crate::identity(NAME)
}

/// Its ClusterRole and binding.
#[must_use]
pub fn roles(registry: &Registry) -> [Object; 2] {
    crate::roles(NAME, &access(), registry)
}

#[cfg(test)]
mod tests;
