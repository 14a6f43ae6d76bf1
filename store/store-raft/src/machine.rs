//! One member of a Raft group: takes events, keeps raft's core in step with the disk, gives
//! effects.
//!
//! Way in: [`RaftMachine::recover`], then [`Machine::handle`].  Owns: raft's core, the writes under
//! way, who waits.
//! Invariants: 1. nothing is handed out that is not committed and persisted here.  2. writes end in
//! order.
//! 3. a follower's next index is above what it is known to have (raft-rs pull request 557 is
//! missing in 0.7.0).
//! 4. raft's `applied` is what was handed out, so that it never scans unapplied entries for changes
//! of members when it stands for election (raft-rs pull request 530 is missing in 0.7.0).
//! Time and order: see `machine/ready.rs`.

mod farewell;
mod owed;
mod ready;
mod snapshot;
mod tick;

use std::collections::VecDeque;

use actors_core::{Correlation, Effects, Machine, Mono, Turn, ports::DiskError};
use raft::{Config, RawNode, ReadOnlyOption, StateRole, eraftpb};
use slog::{Discard, Logger, o};

use crate::{
    Mark, MemberChange, Members, NodeId, Proposed, RaftConfig, RaftEffect, RaftEvent, RaftNotice,
    RecoverError, Refusal, Role, RoleView,
    cache::LogCache,
    members::{Extra, to_raft_change},
    proposals::Proposals,
    reads::Reads,
    record::{Framed, open_frame},
    recover::Recovered,
    timeout::ElectionTimeout,
};
use ready::Write;
use snapshot::Installing;
use tick::Pace;

/// A member of a group.
pub struct RaftMachine {
    config: RaftConfig,
    node: RawNode<LogCache>,
    timeout: ElectionTimeout,
    reads: Reads,
    proposals: Proposals,
    /// Writes that were submitted and have not ended, oldest first.
    writes: VecDeque<Write>,
    /// The number of the next write or installation.
    next_number: u64,
    installing: Option<Installing>,
    /// A snapshot without which this member does not know what it acknowledged: until one as new is
    /// installed, it votes for nobody.
    owed: Option<(Mark, Members)>,
    /// The last entry that was handed out to be applied.
    handed: u64,
    /// The last entry that the state machine has applied.
    applied: u64,
    /// Changes of members up to here are in raft's configuration.
    members_at: u64,
    /// Changes of members above what is applied, oldest first; the members before them in front.
    members_history: VecDeque<(u64, Members)>,
    /// What raft does not keep of its members.
    extra: Extra,
    /// The applied index of the last image that was installed.
    image: u64,
    /// The first record of the log on disk, as far as known.
    log_first: u64,
    pace: Pace,
    /// What was last told of the role.
    told: RoleView,
    phase: Phase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// No event was handled yet.
    New,
    Running,
    /// A write failed: only recovery from disk helps.
    Halted,
    /// It is no member any more, or must not be one: nothing helps.
    Retired,
}

/// What a member knows of itself, for people and metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RaftStatus {
    /// Role, term, leader.
    pub role: RoleView,
    /// The last entry of its log, in memory.
    pub last: u64,
    /// The last entry it knows to be committed.
    pub committed: u64,
    /// The last entry that its state machine has applied.
    pub applied: u64,
    /// Writes that have not ended.
    pub writes_pending: usize,
    /// Reads that wait.
    pub reads_waiting: usize,
    /// The members.
    pub members: Members,
}

impl RaftMachine {
    pub(crate) fn start(config: RaftConfig, from: Recovered) -> Result<Self, RecoverError> {
        let handed = from.applied.min(from.members_at);
        let log_first = from.cache.base().index;
        let logger = Logger::root(Discard, o!());
        let node = RawNode::new(&raft_config(&config, handed), from.cache, &logger)
            .map_err(|error| RecoverError::Raft(error.to_string()))?;
        let mut machine = Self {
            config,
            node,
            timeout: ElectionTimeout::default(),
            reads: Reads::default(),
            proposals: Proposals::default(),
            writes: VecDeque::new(),
            next_number: 1,
            installing: None,
            owed: from.owed,
            handed,
            applied: from.applied,
            members_at: from.members_at,
            members_history: VecDeque::new(),
            extra: from.extra,
            image: from.image,
            log_first,
            pace: Pace::default(),
            told: RoleView::default(),
            phase: Phase::New,
        };
        machine.told = machine.role();
        machine.members_history.push_back((machine.members_at, machine.members()));
        machine.installing =
            from.unfinished.map(|(mark, members)| Installing::unfinished(mark, members));
        // Nothing may be applied any more before a follower has an image of what is applied now.
        machine.offer_snapshot();
        Ok(machine)
    }

    /// What it is, and whom it follows.
    #[must_use]
    pub fn role(&self) -> RoleView {
        let raft = &self.node.raft;
        let role = match raft.state {
            StateRole::Follower => Role::Follower,
            StateRole::PreCandidate => Role::PreCandidate,
            StateRole::Candidate => Role::Candidate,
            StateRole::Leader => Role::Leader,
        };
        let leader = (raft.leader_id != raft::INVALID_ID).then_some(NodeId(raft.leader_id));
        RoleView { role, term: raft.term, leader }
    }

    /// What it knows of itself.
    #[must_use]
    pub fn status(&self) -> RaftStatus {
        let log = &self.node.raft.raft_log;
        RaftStatus {
            role: self.role(),
            last: log.last_index(),
            committed: log.committed,
            applied: self.applied,
            writes_pending: self.writes.len(),
            reads_waiting: self.reads.len(),
            members: self.members(),
        }
    }

    fn members(&self) -> Members {
        Members::from_raft(&self.node.raft.prs().conf().to_conf_state(), &self.extra)
    }

    fn is_leader(&self) -> bool {
        self.node.raft.state == StateRole::Leader
    }

    fn step(&mut self, from: NodeId, bytes: &[u8], now: Mono, out: &mut Effects<RaftEffect>) {
        let message = match open_frame(&self.config, from, bytes) {
            Ok(Framed::Message(message)) => message,
            Ok(Framed::Farewell(farewell)) => return self.take_farewell(farewell, out),
            Err(why) => {
                let notice = RaftNotice::FrameDropped { from, why: why.to_owned() };
                return out.push(RaftEffect::Notice(notice));
            }
        };
        let Some(message) = self.without_memory(*message) else { return };
        self.bid_farewell(from, out);
        let silence = self.count_silence(now);
        let outdoes = self.outdoes(&message);
        // Proposals are never forwarded: their outcome could not find its way back. What else raft
        // refuses (a message from a member that it does not know any more) is as good as lost on
        // the way.
        if message.get_msg_type() != eraftpb::MessageType::MsgPropose
            && let Err(error) = self.node.step(message)
            && !matches!(error, raft::Error::StepPeerNotFound)
        {
            let notice = RaftNotice::FrameDropped { from, why: error.to_string() };
            out.push(RaftEffect::Notice(notice));
        }
        self.end_silence(silence, now);
        if outdoes {
            self.stand_soon(now);
        }
        self.ask_for_snapshot();
    }

    fn propose(&mut self, items: Vec<Proposed>, out: &mut Effects<RaftEffect>) {
        let refusal = self.refuses_proposals();
        let (ids, entries): (Vec<Correlation>, Vec<eraftpb::Entry>) = items
            .into_iter()
            .map(|item| (item.id, eraftpb::Entry { data: item.data, ..eraftpb::Entry::default() }))
            .unzip();
        if let Some(refusal) = refusal {
            return refuse(ids, refusal, out);
        }
        if entries.is_empty() {
            return;
        }
        let first = self.node.raft.raft_log.last_index() + 1;
        let mut message = eraftpb::Message { from: self.config.node.0, ..Default::default() };
        message.set_msg_type(eraftpb::MessageType::MsgPropose);
        message.set_entries(entries);
        match self.node.raft.step(message) {
            Ok(()) => {
                let term = self.node.raft.term;
                for (index, id) in (first..).zip(ids) {
                    let displaced = self.proposals.track(index, term, id);
                    refuse(displaced, Refusal::Unknown, out);
                }
            }
            // Too many bytes wait for a quorum.
            Err(_) => refuse(ids, Refusal::Busy, out),
        }
    }

    fn refuses_proposals(&self) -> Option<Refusal> {
        if !self.is_leader() {
            return Some(Refusal::NotLeader { leader: self.role().leader });
        }
        if let Some(heir) = self.node.raft.lead_transferee {
            return Some(Refusal::NotLeader { leader: Some(NodeId(heir)) });
        }
        let unapplied = self.node.raft.raft_log.last_index().saturating_sub(self.applied);
        (unapplied > self.config.unapplied_max).then_some(Refusal::Busy)
    }

    fn change_members(
        &mut self,
        id: Correlation,
        changes: &[MemberChange],
        out: &mut Effects<RaftEffect>,
    ) {
        let joint = !self.members().voters_outgoing.is_empty();
        let refusal = match self.refuses_proposals() {
            Some(refusal) => Some(refusal),
            None if changes.is_empty() => Some(Refusal::BadChange),
            None if joint || self.node.raft.has_pending_conf() => Some(Refusal::Busy),
            None => None,
        };
        if let Some(refusal) = refusal {
            return refuse([id], refusal, out);
        }
        let index = self.node.raft.raft_log.last_index() + 1;
        match self.node.propose_conf_change(Vec::new(), to_raft_change(changes, &self.members())) {
            Ok(()) => {
                let displaced = self.proposals.track(index, self.node.raft.term, id);
                refuse(displaced, Refusal::Unknown, out);
            }
            Err(_) => refuse([id], Refusal::Busy, out),
        }
    }

    /// Nothing may be assumed of what was written: only a recovery from disk can tell what the log
    /// is now.
    fn halt(&mut self, error: DiskError, out: &mut Effects<RaftEffect>) {
        self.phase = Phase::Halted;
        refuse(self.proposals.forget_all(), Refusal::Unknown, out);
        refuse(self.reads.forget_all(), Refusal::NotLeader { leader: None }, out);
        out.push(RaftEffect::Halt { error });
    }

    fn dispatch(&mut self, now: Mono, event: RaftEvent, out: &mut Effects<RaftEffect>) {
        match event {
            RaftEvent::Tick => self.tick(now, out),
            RaftEvent::Message { from, bytes } => self.step(from, &bytes, now, out),
            RaftEvent::Propose { items } => self.propose(items, out),
            RaftEvent::Read { id } => {
                if !self.reads.add(id, now) {
                    refuse([id], Refusal::Busy, out);
                }
            }
            RaftEvent::Persisted { number } => self.end_writes(number, now, out),
            RaftEvent::PersistFailed { error, .. } => self.halt(error, out),
            RaftEvent::Applied { index } => self.note_applied(index),
            RaftEvent::Flushed { index } => self.truncate_log(index, now, out),
            RaftEvent::ConfChange { id, changes } => self.change_members(id, &changes, out),
            RaftEvent::Transfer { to } => {
                if self.is_leader() {
                    self.node.transfer_leader(to.0);
                }
            }
            RaftEvent::Unreachable { peer } => self.node.report_unreachable(peer.0),
            RaftEvent::Gone { peer } => self.note_gone(peer, now),
            RaftEvent::Retire => self.stop_for_good(out),
            RaftEvent::SnapshotSent { to, delivery } => self.note_snapshot_sent(to, delivery),
            RaftEvent::SnapshotInstalled { number, applied } => {
                self.note_installed(number, applied, now, out);
            }
        }
    }
}

fn refuse(
    ids: impl IntoIterator<Item = Correlation>,
    refusal: Refusal,
    out: &mut Effects<RaftEffect>,
) {
    for id in ids {
        out.push(RaftEffect::Refused { id, refusal });
    }
}

fn raft_config(config: &RaftConfig, applied: u64) -> Config {
    Config {
        id: config.node.0,
        applied,
        heartbeat_tick: RaftConfig::HEARTBEAT_TICKS,
        election_tick: RaftConfig::LEASE_TICKS,
        min_election_tick: RaftConfig::ELECTION_TICKS_MIN,
        max_election_tick: RaftConfig::ELECTION_TICKS_MAX + 1,
        pre_vote: true,
        check_quorum: true,
        read_only_option: ReadOnlyOption::Safe,
        // What a follower misses would become one message, however much that is.
        batch_append: false,
        max_inflight_msgs: RaftConfig::INFLIGHT_MAX,
        max_size_per_msg: RaftConfig::MESSAGE_BYTES_MAX,
        max_uncommitted_size: RaftConfig::UNCOMMITTED_BYTES_MAX,
        max_committed_size_per_ready: RaftConfig::APPLY_BYTES_MAX,
        ..Config::default()
    }
}

impl Machine for RaftMachine {
    type Event = RaftEvent;
    type Effect = RaftEffect;
    type View = ();

    fn handle(&mut self, turn: Turn<'_>, event: RaftEvent, out: &mut Effects<RaftEffect>) {
        let Turn { now, rng, .. } = turn;
        if matches!(self.phase, Phase::Halted | Phase::Retired) {
            return self.refuse_halted(event, out);
        }
        if self.phase == Phase::New {
            self.phase = Phase::Running;
            if self.is_no_member() {
                self.end_membership(self.members_at, out);
                return self.refuse_halted(event, out);
            }
            self.timeout.settle(&mut self.node, rng);
            self.resume_install(now.mono, out);
            self.advance(now.mono, rng, out);
            self.elect_sole_voter();
        }
        self.timeout.settle(&mut self.node, rng);
        self.dispatch(now.mono, event, out);
        self.advance(now.mono, rng, out);
    }

    fn assert_invariants(&self) {
        let log = &self.node.raft.raft_log;
        log.store.assert_invariants();
        if self.installing.is_none() {
            let safe = log.committed.min(log.persisted);
            assert!(self.handed <= safe, "handed out what is not safe");
            assert_eq!(self.handed, log.applied, "raft's applied index is not what was handed out");
        }
        let numbers = self.writes.iter().map(|write| write.number);
        assert!(numbers.is_sorted_by(|a, b| a < b), "writes out of order");
        for (id, progress) in self.node.raft.prs().iter() {
            assert!(progress.next_idx > progress.matched, "member {id}: next is not above matched");
        }
        if self.phase == Phase::Running {
            let timeout = self.node.raft.randomized_election_timeout();
            assert_eq!(timeout, self.timeout.ticks(), "raft drew a timeout by itself");
        }
        if let Some(last) = self.proposals.last_index() {
            assert!(self.handed < last, "somebody waits for what was handed out");
        }
    }
}

impl RaftMachine {
    fn elect_sole_voter(&mut self) {
        // Nobody else could lead: waiting for a timeout would only delay the start.
        let ready = self.writes.is_empty() && self.installing.is_none();
        if ready && self.members().is_sole_voter(self.config.node) {
            // Raft refuses only messages from outside here.
            self.node.campaign().unwrap_or_default();
        }
    }

    fn refuse_halted(&self, event: RaftEvent, out: &mut Effects<RaftEffect>) {
        let refusal = Refusal::NotLeader { leader: None };
        match event {
            RaftEvent::Propose { items } => {
                refuse(items.into_iter().map(|item| item.id), refusal, out)
            }
            RaftEvent::Read { id } | RaftEvent::ConfChange { id, .. } => refuse([id], refusal, out),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
