//! The members of a group as plain data, and their translation to and from raft's own types.
//!
//! Way in: [`Members`].
//! Raft knows numbers only. What else belongs to a member travels beside them: in the context of
//! the change that brought it, in the data of a snapshot.

use std::collections::{BTreeMap, BTreeSet};

use raft::eraftpb::{ConfChangeSingle, ConfChangeType, ConfChangeV2, ConfState};
use serde::{Deserialize, Serialize};

use crate::{
    MemberChange, NodeId,
    record::{decode, encode},
};

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
    /// What members were said to be when they came (a node's name, for instance), as opaque bytes;
    /// only of those that are members now, and only of those of whom something was said.
    pub contexts: BTreeMap<NodeId, Vec<u8>>,
    /// Learners that the leader makes voters as soon as they have caught up.
    pub joining: BTreeSet<NodeId>,
}

/// What raft does not keep of its members.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Extra {
    pub(crate) contexts: BTreeMap<NodeId, Vec<u8>>,
    pub(crate) joining: BTreeSet<NodeId>,
}

impl Extra {
    /// The bytes beside raft's own; none if there is nothing to say.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        if *self == Self::default() { Vec::new() } else { encode(self) }
    }

    /// Reads what [`Extra::to_bytes`] wrote; every member reads the same from the same bytes.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        decode(bytes).unwrap_or_default()
    }
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

    /// Whether `node` is one of them, in whichever way.
    #[must_use]
    pub fn contains(&self, node: NodeId) -> bool {
        let sets = [&self.voters, &self.learners, &self.voters_outgoing, &self.learners_next];
        sets.iter().any(|set| set.contains(&node))
    }

    /// All of them, in order.
    #[must_use]
    pub fn all(&self) -> BTreeSet<NodeId> {
        let sets = [&self.voters, &self.learners, &self.voters_outgoing, &self.learners_next];
        sets.into_iter().flatten().copied().collect()
    }

    pub(crate) fn from_raft(state: &ConfState, extra: &Extra) -> Self {
        let set = |ids: &[u64]| ids.iter().copied().map(NodeId).collect();
        let mut members = Self {
            voters: set(&state.voters),
            learners: set(&state.learners),
            voters_outgoing: set(&state.voters_outgoing),
            learners_next: set(&state.learners_next),
            auto_leave: state.auto_leave,
            contexts: BTreeMap::new(),
            joining: extra.joining.clone(),
        };
        members.joining.retain(|node| members.learners.contains(node));
        let of_members = extra.contexts.iter().filter(|(node, _)| members.contains(**node));
        members.contexts = of_members.map(|(node, bytes)| (*node, bytes.clone())).collect();
        members
    }

    pub(crate) fn extra(&self) -> Extra {
        Extra { contexts: self.contexts.clone(), joining: self.joining.clone() }
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
pub(crate) fn to_raft_change(changes: &[MemberChange], present: &Members) -> ConfChangeV2 {
    let mut extra = Extra::default();
    let mut list = Vec::with_capacity(changes.len());
    for change in changes {
        let (kind, node) = match change {
            MemberChange::AddLearner(node) => (ConfChangeType::AddLearnerNode, node),
            MemberChange::AddVoter(node) => (ConfChangeType::AddNode, node),
            MemberChange::Remove(node) => (ConfChangeType::RemoveNode, node),
            MemberChange::Join { node, context } => {
                extra.contexts.insert(*node, context.clone());
                if present.voters.contains(node) {
                    (ConfChangeType::AddNode, node)
                } else {
                    extra.joining.insert(*node);
                    (ConfChangeType::AddLearnerNode, node)
                }
            }
        };
        let mut single = ConfChangeSingle { node_id: node.0, ..ConfChangeSingle::default() };
        single.set_change_type(kind);
        list.push(single);
    }
    ConfChangeV2 { changes: list, context: extra.to_bytes(), ..ConfChangeV2::default() }
}
