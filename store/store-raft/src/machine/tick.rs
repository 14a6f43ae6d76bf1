//! What the passing of time does: heartbeats, elections, a disk that stalls, learners that are up to
//! date.
//!
//! Way in: `tick`, and [`RaftMachine::next_tick`] for when it is wanted.
//! Time and order: a tick counts for the time since the one before it, or since the leader was
//! heard, but for no more than was asked for: who did not run cannot blame others for silence. Frames
//! that wait in the mailbox are taken before the tick behind them.

use std::time::Duration;

use actors_core::{Effects, Mono};
use raft::{
    ProgressState,
    eraftpb::{Message, MessageType},
};

use super::{Phase, RaftMachine, refuse};
use crate::{
    MemberChange, NodeId, RaftConfig, RaftEffect, RaftNotice, Refusal, members::to_raft_change,
};

/// What is remembered from one tick to the next.
#[derive(Debug, Clone, Default)]
pub(super) struct Pace {
    /// Until when time was counted.
    ticked: Option<Mono>,
    /// The log's end at the last tick.
    last: u64,
    /// The learner that is next to vote, and since when it is up to date.
    heir: Option<(NodeId, Mono)>,
}

impl Pace {
    /// How many ticks have passed that were not counted.
    fn passed(&self, now: Mono) -> u32 {
        let since = self.ticked.map_or(RaftConfig::TICK, |then| now.since(then));
        let passed = since.as_nanos() / RaftConfig::TICK.as_nanos().max(1);
        u32::try_from(passed).unwrap_or(u32::MAX)
    }
}

impl RaftMachine {
    /// When it wants to be told [`crate::RaftEvent::Tick`], as of the last event; at once before the
    /// first. Earlier and more often does no harm. `None`: the passing of time does not matter to it
    /// now.
    ///
    /// A leader without other members has nobody to tell that it lives, and nobody who could stand
    /// against it: only what it waits for (its disk, its reads) can take too long. A follower
    /// sleeps until its leader has been silent for too long.
    #[must_use]
    pub fn next_tick(&self) -> Option<Mono> {
        let rest = self.rest()?;
        let phase = match self.is_leader() || self.waits() {
            true => Duration::ZERO,
            false => self.timeout.phase(),
        };
        let at = |ticked: Mono| ticked.after(RaftConfig::TICK * rest + phase);
        Some(self.pace.ticked.map_or(Mono(0), at))
    }

    /// Whether something is under way that can take too long.
    fn waits(&self) -> bool {
        !self.writes.is_empty() || self.reads.len() > 0 || self.installing.is_some()
    }

    /// After how many ticks something is to be done.
    fn rest(&self) -> Option<u32> {
        let raft = &self.node.raft;
        let has_others = raft.prs().iter().any(|(id, _)| *id != self.config.node.0);
        let ticks = match (self.is_leader(), self.waits()) {
            _ if matches!(self.phase, Phase::Halted | Phase::Retired) => return None,
            (true, false) if !has_others => return None,
            (_, true) => 1,
            (true, false) if !self.extra.joining.is_empty() => 1,
            (true, false) => RaftConfig::HEARTBEAT_TICKS.saturating_sub(raft.heartbeat_elapsed()),
            (false, false) => self.patience().saturating_sub(raft.election_elapsed),
        };
        Some(u32::try_from(ticks).unwrap_or(u32::MAX).max(1))
    }

    /// For how many ticks it waits for its leader.
    fn patience(&self) -> usize {
        match self.node.raft.promotable() {
            true => self.timeout.ticks(),
            false => RaftConfig::ELECTION_TICKS_MAX,
        }
    }

    /// How many ticks a tick counts for.
    fn count(&mut self, now: Mono) -> u32 {
        let rest = self.rest().unwrap_or(1);
        let passed = self.pace.passed(now);
        self.pace.ticked = Some(now);
        match passed > rest.saturating_add(1) {
            true if self.is_leader() => rest,
            true => rest.saturating_sub(RaftConfig::LATE_TICKS).max(1),
            false => passed.max(1),
        }
    }

    /// Counts, before a message is taken, for how long its sender or others were silent: so that
    /// what is decided by it (whether to vote for somebody else than the leader) is decided as of
    /// now. Never so much that the next tick would begin an election.
    pub(super) fn count_silence(&mut self, now: Mono) -> usize {
        let limit = self.patience().saturating_sub(RaftConfig::LATE_TICKS as usize);
        let counted = self.node.raft.election_elapsed;
        let passed = u32::try_from(limit.saturating_sub(counted)).unwrap_or(u32::MAX);
        let passed = passed.min(self.pace.passed(now));
        let is_leader = self.is_leader();
        if let Some(ticked) = self.pace.ticked.as_mut().filter(|_| !is_leader) {
            *ticked = ticked.after(RaftConfig::TICK * passed);
            self.node.raft.election_elapsed += passed as usize;
        }
        self.node.raft.election_elapsed
    }

    /// After the message: if it ended the silence, the next one begins now.
    pub(super) fn end_silence(&mut self, before: usize, now: Mono) {
        if before > 0 && self.node.raft.election_elapsed == 0 {
            self.pace.ticked = Some(now);
        }
    }

    pub(super) fn tick(&mut self, now: Mono, out: &mut Effects<RaftEffect>) {
        let ticks = self.count(now);
        for write in &mut self.writes {
            write.ticks += 1;
        }
        let stalled = self.writes.front().is_some_and(|write| write.is_stalled(now));
        let is_sole = self.members().is_sole_voter(self.config.node);
        // Nobody else could lead in its place, and what it has in memory can be read.
        if self.is_leader() && stalled && !is_sole {
            // Others can have a leader whose disk works; this one answers nobody until it has
            // caught up.
            let term = self.node.raft.term;
            self.node.raft.become_follower(term, raft::INVALID_ID);
            out.push(RaftEffect::Notice(RaftNotice::DiskStalled));
        }
        // A member whose log is not on disk must not stand for election: raft asserts that a
        // candidate's is. A sole voter would elect itself on the spot, the others could only vote
        // once the disk answers.
        let waits = stalled || self.installing.is_some();
        let alone = !self.writes.is_empty() && is_sole;
        for _ in 0..ticks {
            if self.is_leader() || !(waits || alone) {
                self.node.tick();
            }
        }
        if !waits {
            self.doubt_silent_leader();
        }
        self.promote_learner(now);
        let leader = self.role().leader;
        for id in self.reads.expire(now) {
            refuse([id], Refusal::NotLeader { leader }, out);
        }
    }

    /// A learner stands for no election, so raft lets it believe in a silent leader for ever; and it
    /// would never hear that it was removed while it was away. It asks the voters that it knows: a
    /// leader goes on with it, others tell it if it is no member.
    fn doubt_silent_leader(&mut self) {
        let raft = &mut self.node.raft;
        if raft.promotable() || raft.election_elapsed < RaftConfig::ELECTION_TICKS_MAX {
            return;
        }
        let (term, from) = (raft.term, raft.id);
        raft.become_follower(term, raft::INVALID_ID);
        for voter in self.members().voters {
            // Without a term it cannot disturb anybody.
            let mut question = Message { from, to: voter.0, ..Message::default() };
            question.set_msg_type(MessageType::MsgHeartbeatResponse);
            self.node.raft.msgs.push(question);
        }
    }

    /// Makes a learner that joins a voter, one at a time, when for a while it had everything that
    /// was in the log a tick before: then its vote hinders nobody (Ongaro's dissertation, 4.2.1).
    fn promote_learner(&mut self, now: Mono) {
        let before = std::mem::replace(&mut self.pace.last, self.node.raft.raft_log.last_index());
        let is_up_to_date = |node: &NodeId| {
            let progress = self.node.raft.prs().get(node.0);
            progress.is_some_and(|progress| {
                // `recent_active`: it answered since the last look at the quorum.
                progress.state == ProgressState::Replicate
                    && progress.recent_active
                    && progress.matched >= before
            })
        };
        let heir = self.extra.joining.iter().copied().find(is_up_to_date);
        let heir = heir.filter(|_| self.is_leader());
        self.pace.heir = match (heir, self.pace.heir) {
            (Some(heir), Some((known, since))) if heir == known => Some((heir, since)),
            (heir, _) => heir.map(|heir| (heir, now)),
        };
        let is_due = |since: Mono| now.since(since) >= RaftConfig::PROMOTION_AFTER;
        let Some((heir, _)) = self.pace.heir.filter(|(_, since)| is_due(*since)) else { return };
        let members = self.members();
        let hindered = !members.voters_outgoing.is_empty() || self.node.raft.has_pending_conf();
        if !hindered && self.refuses_proposals().is_none() {
            let change = to_raft_change(&[MemberChange::AddVoter(heir)], &members);
            // Refused, it is proposed again at a later tick.
            drop(self.node.propose_conf_change(Vec::new(), change));
            self.pace.heir = None;
        }
    }

    /// Whether somebody asks for votes, no leader was heard lately, and this one's log is the newer:
    /// the other cannot be elected by it.
    pub(super) fn outdoes(&self, message: &Message) -> bool {
        let raft = &self.node.raft;
        let is_asked = message.get_msg_type() == MessageType::MsgRequestPreVote;
        let own = (raft.raft_log.last_term(), raft.raft_log.last_index());
        let is_leaderless =
            raft.election_elapsed >= RaftConfig::LEASE_TICKS || raft.leader_id == raft::INVALID_ID;
        is_asked
            && is_leaderless
            && !self.is_leader()
            && raft.promotable()
            && own > (message.log_term, message.index)
    }

    /// It need not wait for its turn if the one before it could not be elected.
    pub(super) fn stand_soon(&mut self, now: Mono) {
        let raft = &mut self.node.raft;
        raft.election_elapsed = raft.election_elapsed.max(self.timeout.ticks().saturating_sub(1));
        self.pace.ticked = Some(now);
    }

    /// A process that has ended leads nobody: its followers need not wait for its silence. The
    /// others are asked first, as always (pre-vote), so a mistake disturbs nobody.
    pub(super) fn note_gone(&mut self, peer: NodeId, now: Mono) {
        if self.is_leader() {
            return self.node.report_unreachable(peer.0);
        }
        let raft = &mut self.node.raft;
        if raft.leader_id != peer.0 {
            return;
        }
        let term = raft.term;
        raft.become_follower(term, raft::INVALID_ID);
        // One after the other, lest they stand against each other; and none before the others can
        // have noticed too, for they would not answer it.
        let own = self.config.node;
        let voters = self.members().voters;
        let rank = voters.iter().filter(|voter| voter.0 != peer.0 && **voter < own).count();
        self.node.raft.election_elapsed = self.timeout.ticks().saturating_sub(2 + 2 * rank);
        self.pace.ticked = Some(now);
    }
}
