//! What a member says of itself.
//!
//! Way in: [`MemberInfo`].  Writes: only its owner does; all others pass it on.

use actors_core::Wall;
use mesh_wire::Role;
use serde::{Deserialize, Serialize};

/// What a member says of itself: where it is reached, what it is, roughly how much room it has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberInfo {
    /// The name of its node; unique in the cluster.
    pub node: String,
    /// Server or agent, as its certificate says.
    pub role: Role,
    /// Where it stands; `default` unless it was configured.
    pub site: String,
    /// Its number among the members of the store's Raft group; none for an agent.
    pub member: Option<u64>,
    /// Where its mesh endpoint is, `ADDRESS:PORT`.
    pub mesh_address: String,
    /// Where its API listens, `ADDRESS:PORT`; empty for an agent.
    pub api_address: String,
    /// The version of its program.
    pub version: String,
    /// The newest format of the store that it can apply.
    pub feature_level: u16,
    /// How much room it has; a hint.
    pub free: Capacity,
    /// When its process began: its **incarnation**. A greater one is a later life of the same node.
    pub started: Wall,
    /// Rises with each change within a life; set by the machine.
    pub revision: u64,
}

/// How much room a node has: a hint for people and for choices that may be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Capacity {
    /// Thousandths of a processor.
    pub cpu_milli: u64,
    /// Bytes.
    pub memory_bytes: u64,
    /// How many more pods it takes.
    pub pods: u64,
}

impl MemberInfo {
    /// A member that says only who it is and since when; the rest is empty.
    #[must_use]
    pub fn new(node: impl Into<String>, role: Role, started: Wall) -> Self {
        Self {
            node: node.into(),
            role,
            site: "default".to_owned(),
            member: None,
            mesh_address: String::new(),
            api_address: String::new(),
            version: String::new(),
            feature_level: 0,
            free: Capacity::default(),
            started,
            revision: 0,
        }
    }

    /// Whether this says something newer than `other`: a later life, or more of the same life.
    #[must_use]
    pub fn is_newer_than(&self, other: &Self) -> bool {
        (self.started, self.revision) > (other.started, other.revision)
    }
}
