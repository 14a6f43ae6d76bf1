//! What one server's part of a group must know before it starts.
//!
//! Way in: [`StoreConfig::new`].

use std::time::Duration;

use store_catalog::RingLimits;
use store_mvcc::GroupId;
use store_raft::{NodeId, RaftConfig};

/// The identity, the bounds and the times of one member of one group.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// The group's name: its actors are `store/NAME/log`, `store/NAME/peer`…
    pub name: String,
    /// This member.
    pub node: NodeId,
    /// The cluster's uid.
    pub cluster: [u8; 16],
    /// The group.
    pub group: GroupId,
    /// The voters that a new group begins with, the same on each of them; empty for a member that
    /// joins.
    pub first_voters: Vec<NodeId>,
    /// What [`store_raft::Members::contexts`] says of this member if it is the only first voter;
    /// others are told by [`crate::Store::add_member`].
    pub context: Vec<u8>,
    /// Under which name this member holds shards: the server's.
    pub holder: String,
    /// How long a proposal is waited for before its outcome is called unknown.
    pub propose_within: Duration,
    /// How long a proposal waits for a leader to be known.
    pub leader_within: Duration,
    /// How long a read may take to be confirmed.
    pub read_within: Duration,
    /// The state is made durable this often, so that a restart has little to apply again.
    pub flush_every: Duration,
    /// The state is also made durable after this many entries.
    pub flush_entries: u64,
    /// How much history is kept, and how often what is older is given up.
    pub history: Duration,
    /// How often the leader compares its state with that of the others.
    pub compare_every: Duration,
    /// How many events wait for slow watchers in memory.
    pub ring: RingLimits,
}

impl StoreConfig {
    /// A member of the group that serves everything, with the usual bounds and times.
    #[must_use]
    pub fn new(node: NodeId, cluster: [u8; 16], first_voters: Vec<NodeId>) -> Self {
        Self {
            name: "main".to_owned(),
            node,
            cluster,
            group: GroupId::MAIN,
            first_voters,
            context: Vec::new(),
            holder: format!("server-{}", node.0),
            propose_within: Duration::from_secs(10),
            leader_within: Duration::from_secs(3),
            read_within: Duration::from_secs(5),
            flush_every: Duration::from_secs(30),
            flush_entries: 4_096,
            history: Duration::from_secs(300),
            compare_every: Duration::from_secs(5),
            ring: RingLimits::default(),
        }
    }

    pub(crate) fn raft(&self) -> RaftConfig {
        RaftConfig::new(self.node, self.cluster, self.group.0)
    }
}
