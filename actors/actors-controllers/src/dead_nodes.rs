//! What the API says of nodes that nobody hears of: taints, and how many there are at once.
//!
//! Way in: [`is_dead`], [`Silence`].  Writes: nothing; the taint [`NODE_DEAD`] is set and taken
//! away by `nodes-control`'s health, on the word of membership.
//! Spec: Kubernetes documentation, "Nodes", rate limits on eviction; DESIGN of this project,
//! "Agent and node are two words".

use actors_controller::World;
use actors_object::{Object, Value};

use crate::{conditions, kinds::NODE, taints::NO_EXECUTE};

/// The taint of a node that a majority has declared dead; its effect is `NoExecute`. The
/// tolerations of 300 s that admission gives every pod do not bear it.
pub const NODE_DEAD: &str = "starling.dev/node-dead";
/// Kubernetes' taint of a node that nobody hears of.
pub const UNREACHABLE: &str = "node.kubernetes.io/unreachable";
/// Kubernetes' taint of a node whose machine somebody vouches to be off.
pub const OUT_OF_SERVICE: &str = "node.kubernetes.io/out-of-service";

/// Whether the node has the taint [`NODE_DEAD`].
#[must_use]
pub fn is_dead(node: &Object) -> bool {
    node.list_at(&["spec", "taints"]).iter().any(is_dead_taint)
}

/// Whether this is the taint of a dead node, with the effect that evicts.
#[must_use]
pub fn is_dead_taint(taint: &Value) -> bool {
    taint.at("key").as_str() == Some(NODE_DEAD) && taint.at("effect").as_str() == Some(NO_EXECUTE)
}

/// How many of a cluster's nodes are silent at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Silence {
    /// Nodes that nobody hears of.
    pub silent: usize,
    /// All nodes.
    pub all: usize,
}

impl Silence {
    /// From this share on, in percent, it is likelier that we are cut off than that so many
    /// machines died. Upstream's `unhealthy-zone-threshold`.
    const PERCENT: usize = 55;
    /// And from so many nodes on; of fewer, each can well be dead.
    const NODES: usize = 3;

    /// By what the API says: nodes whose `Ready` is unknown, of all that have ever reported it.
    #[must_use]
    pub fn of(world: &dyn World) -> Self {
        let mut silence = Self::default();
        for node in world.list(&NODE, None) {
            silence.all += usize::from(conditions::find(&node, "Ready").is_some());
            silence.silent += usize::from(conditions::is(&node, "Ready", "Unknown"));
        }
        silence
    }

    /// Whether nothing may be evicted for silence, since most of the cluster seems to be dead.
    #[must_use]
    pub fn stops_eviction(self) -> bool {
        self.silent >= Self::NODES && self.silent * 100 >= self.all * Self::PERCENT
    }
}
