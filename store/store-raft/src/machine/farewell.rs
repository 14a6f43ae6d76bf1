//! The end of a membership: who is removed learns it, stops, and says so.
//!
//! Way in: `bid_farewell` at any member, `take_farewell` and `end_membership` at the removed one.
//! Invariants: 1. a farewell speaks of committed members.
//! 2. nobody takes a farewell that is older than what it knows itself: a member that has just come
//! knows of its coming. As numbers are never used again, a newer one cannot be overtaken.
//! A member that is removed hears nothing more from the group's log. It would stand for election
//! for ever, in vain; so whatever it sends is answered with the reason. Only if all the members
//! that it knew are gone too, nobody is left to tell it.

use actors_core::Effects;

use super::{Phase, RaftMachine, refuse};
use crate::{
    NodeId, RaftEffect, Refusal,
    record::{Farewell, farewell_frame},
};

impl RaftMachine {
    /// Tells a stranger who speaks to this member that it is none.
    pub(super) fn bid_farewell(&mut self, to: NodeId, out: &mut Effects<RaftEffect>) {
        let knows = self.has_member(self.config.node) && self.installing.is_none();
        if knows && !self.has_member(to) {
            let bytes = farewell_frame(&self.config, &Farewell { to, index: self.members_at });
            out.push(RaftEffect::Send { to, bytes });
        }
    }

    pub(super) fn take_farewell(&mut self, farewell: Farewell, out: &mut Effects<RaftEffect>) {
        let is_news = farewell.index > self.members_at && self.installing.is_none();
        if is_news && self.has_member(self.config.node) {
            self.end_membership(farewell.index, out);
        }
    }

    /// Whether there are members, and this is none of them.
    pub(super) fn is_no_member(&self) -> bool {
        let is_known = self.node.raft.prs().iter().next().is_some();
        is_known && !self.has_member(self.config.node)
    }

    /// Whether a node is a member in whichever way: raft keeps the progress of each, and of nobody
    /// else.
    fn has_member(&self, node: NodeId) -> bool {
        self.node.raft.prs().get(node.0).is_some()
    }

    pub(super) fn end_membership(&mut self, index: u64, out: &mut Effects<RaftEffect>) {
        self.stop_for_good(out);
        out.push(RaftEffect::Removed { index });
    }

    /// Is nobody from now on.
    pub(super) fn stop_for_good(&mut self, out: &mut Effects<RaftEffect>) {
        self.phase = Phase::Retired;
        let term = self.node.raft.term;
        self.node.raft.become_follower(term, raft::INVALID_ID);
        refuse(self.proposals.forget_all(), Refusal::Unknown, out);
        refuse(self.reads.forget_all(), Refusal::NotLeader { leader: None }, out);
        self.tell_role(out);
    }
}
