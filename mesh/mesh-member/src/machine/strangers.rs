//! Voters whose names are known, but not where they are: those who do know are asked.
//!
//! Way in: [`MembershipMachine::seek_voters`].
//! Why: two who joined by the same third know each other only through it, and the carrier's rounds
//! are slow. If the third is lost before the next round, they would not find each other, although
//! together they are a majority.

use std::time::Duration;

use actors_core::Mono;

use super::{MembershipMachine, Out};
use crate::{CarrierCommand, MemberEffect, Timing};

/// For how long they are asked at each heartbeat; afterwards the carrier's rounds do.
const SOUGHT_FOR: Duration = Timing::GRACE;

/// How many are asked at a time.
const ASKED_MAX: usize = 3;

impl MembershipMachine {
    /// Exchanges what is known with some who were heard just now, as long as a voter is a stranger.
    pub(super) fn seek_voters(&mut self, now: Mono, out: &mut Out) {
        let is_stranger = |node: &String| *node != self.me.node && !self.members.contains_key(node);
        if !self.voters.iter().any(is_stranger) {
            self.strangers_since = None;
            return;
        }
        let since = *self.strangers_since.get_or_insert(now);
        if now.since(since) > SOUGHT_FOR || self.judged.has_left {
            return;
        }
        let is_near = |at: Mono| now.since(at) < Timing::SUSPECT;
        let near = self.members.iter().filter(|(_, member)| member.heard.is_some_and(is_near));
        for (node, _) in near.take(ASKED_MAX) {
            let command = CarrierCommand::Exchange { node: node.clone() };
            out.push(MemberEffect::Carrier(command));
        }
    }
}
