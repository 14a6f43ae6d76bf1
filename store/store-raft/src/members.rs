//! The members of a group as plain data, and their translation to and from raft's own types.
//!
//! Way in: [`Members`].

use std::collections::BTreeSet;

use raft::eraftpb::{ConfChangeSingle, ConfChangeType, ConfChangeV2, ConfState};
use serde::{Deserialize, Serialize};

use crate::{MemberChange, NodeId};

/// Who votes, who only listens; during a joint change, also who votes until it ends.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Members {
    /// Those whose majority decides.
    pub voters: BTreeSet<NodeId>,
    /// Those that receive the log and do not vote.
    pub learners: BTreeSet<NodeId>,
    /// During a joint change: the voters before it, whose majority is needed too.
    pub voters_outgoing: BTreeSet<NodeId>,
    /// During a joint change: voters that become learners when it ends.
    pub learners_next: BTreeSet<NodeId>,
    /// Whether the joint change ends by itself.
    pub auto_leave: bool,
}

impl Members {
    /// Voters only.
    #[must_use]
    pub fn voters(voters: impl IntoIterator<Item = NodeId>) -> Self {
        Self { voters: voters.into_iter().collect(), ..Self::default() }
    }

    /// Whether `node` alone decides.
    #[must_use]
    pub fn is_sole_voter(&self, node: NodeId) -> bool {
        self.voters.len() == 1 && self.voters.contains(&node) && self.voters_outgoing.is_empty()
    }

    pub(crate) fn from_raft(state: &ConfState) -> Self {
        let set = |ids: &[u64]| ids.iter().copied().map(NodeId).collect();
        Self {
            voters: set(&state.voters),
            learners: set(&state.learners),
            voters_outgoing: set(&state.voters_outgoing),
            learners_next: set(&state.learners_next),
            auto_leave: state.auto_leave,
        }
    }

    pub(crate) fn to_raft(&self) -> ConfState {
        let list = |ids: &BTreeSet<NodeId>| ids.iter().map(|id| id.0).collect();
        ConfState {
            voters: list(&self.voters),
            learners: list(&self.learners),
            voters_outgoing: list(&self.voters_outgoing),
            learners_next: list(&self.learners_next),
            auto_leave: self.auto_leave,
        }
    }
}

/// One change is done at once; several go through a joint configuration that ends by itself.
pub(crate) fn to_raft_change(changes: &[MemberChange]) -> ConfChangeV2 {
    let single = |change: &MemberChange| {
        let (kind, node) = match change {
            MemberChange::AddLearner(node) => (ConfChangeType::AddLearnerNode, node),
            MemberChange::AddVoter(node) => (ConfChangeType::AddNode, node),
            MemberChange::Remove(node) => (ConfChangeType::RemoveNode, node),
        };
        let mut single = ConfChangeSingle { node_id: node.0, ..ConfChangeSingle::default() };
        single.set_change_type(kind);
        single
    };
    ConfChangeV2 { changes: changes.iter().map(single).collect(), ..ConfChangeV2::default() }
}
