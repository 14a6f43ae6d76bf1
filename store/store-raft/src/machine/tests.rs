//! What raft 0.7.0 gets wrong, and what a disk can get wrong, seen through the machine.

use actors_core::{Correlation, Effects, Machine, Mono, Now, Rng, Turn, ports::DiskError};
use raft::{
    ProgressState,
    eraftpb::{Entry, Message, MessageType},
};

use super::RaftMachine;
use crate::{
    Bootstrap, Committed, Mark, MemberChange, NodeId, Proposed, RaftConfig, RaftEffect, RaftEvent,
    RecoverError, Refusal, Role, Sender, Stored,
    record::{Head, encode_entry, frame},
};

const CLUSTER: [u8; 16] = [9; 16];

fn config(node: u64) -> RaftConfig {
    RaftConfig::new(NodeId(node), CLUSTER, 1)
}

fn stored(voters: &[u64], entries: u64) -> Stored {
    let voters: Vec<NodeId> = voters.iter().copied().map(NodeId).collect();
    let Bootstrap { head, mut records } = Bootstrap::new(&config(1), &voters);
    for index in 2..2 + entries {
        let entry = Entry { index, term: 1, data: vec![b'x'; 8], ..Entry::default() };
        records.push(encode_entry(&entry));
    }
    Stored { head: Some(head), records, applied: 0 }
}

/// One member, whose disk answers when the test says so.
struct Bench {
    machine: RaftMachine,
    rng: Rng,
    now: u64,
}

impl Bench {
    fn new(stored: &Stored) -> Self {
        let machine = RaftMachine::recover(config(1), stored).unwrap();
        Self { machine, rng: Rng::from_number(1), now: 0 }
    }

    fn tell(&mut self, event: RaftEvent) -> Vec<RaftEffect> {
        let mut out = Effects::default();
        let now = Now { mono: Mono(self.now), ..Now::default() };
        self.machine.handle(Turn { now, rng: &mut self.rng, view: &() }, event, &mut out);
        self.machine.assert_invariants();
        out.drain().collect()
    }

    fn tick(&mut self) -> Vec<RaftEffect> {
        self.now += 50_000_000;
        self.tell(RaftEvent::Tick)
    }

    /// Ends all writes, and those that follow.
    fn persist(&mut self) -> Vec<RaftEffect> {
        let mut all = Vec::new();
        while let Some(number) = self.machine.writes.back().map(|write| write.number) {
            all.extend(self.tell(RaftEvent::Persisted { number }));
        }
        all
    }

    fn receive(&mut self, from: u64, fill: impl FnOnce(&mut Message)) -> Vec<RaftEffect> {
        let mut message =
            Message { from, to: 1, term: self.machine.role().term, ..Message::default() };
        fill(&mut message);
        let bytes = frame(&config(1), &message);
        self.tell(RaftEvent::Message { from: NodeId(from), bytes })
    }

    /// Makes it the leader of three.
    fn lead(&mut self) {
        while self.machine.role().role == Role::Follower {
            self.tick();
        }
        let next_term = self.machine.role().term + 1;
        self.receive(2, |vote| {
            vote.set_msg_type(MessageType::MsgRequestPreVoteResponse);
            vote.term = next_term;
        });
        self.persist();
        self.receive(2, |vote| vote.set_msg_type(MessageType::MsgRequestVoteResponse));
        self.persist();
        assert_eq!(self.machine.role().role, Role::Leader);
    }

    fn propose(&mut self, id: u64) -> Vec<RaftEffect> {
        let items = vec![Proposed { id: Correlation(id), data: vec![b'p'; 10] }];
        self.tell(RaftEvent::Propose { items })
    }
}

/// Its turn is the first of three, 500 ms after the leader was heard.
#[test]
fn who_outdoes_a_candidate_stands_next_but_not_while_the_leader_is_heard() {
    for (silence, is_leaderless) in [(410, true), (200, false)] {
        let mut bench = Bench::new(&stored(&[1, 2, 3], 3));
        bench.tick();
        bench.receive(2, |beat| beat.set_msg_type(MessageType::MsgHeartbeat));
        let due = bench.machine.next_tick().unwrap();
        bench.now += silence * 1_000_000;
        let term = bench.machine.role().term;
        bench.receive(3, |ask| {
            ask.set_msg_type(MessageType::MsgRequestPreVote);
            (ask.term, ask.log_term, ask.index) = (term + 1, 1, 2);
        });
        let next = bench.machine.next_tick().unwrap();
        assert_eq!(next < due, is_leaderless, "after {silence} ms: {next:?}, it was {due:?}");
        bench.now = next.0;
        bench.tell(RaftEvent::Tick);
        assert_eq!(bench.machine.role().role, Role::PreCandidate, "after {silence} ms of silence");
    }
}

/// raft-rs issue 555, pull request 557: a rejection of a probe that comes late, when the leader
/// probes again.
#[test]
fn a_late_rejection_never_moves_next_below_matched() {
    let mut bench = Bench::new(&stored(&[1, 2, 3], 3));
    bench.lead();
    let last = bench.machine.status().last;
    bench.receive(2, |reply| {
        reply.set_msg_type(MessageType::MsgAppendResponse);
        reply.index = last;
    });
    bench.tell(RaftEvent::Unreachable { peer: NodeId(2) });
    let progress = bench.machine.node.raft.prs().get(2).unwrap();
    assert_eq!((progress.state, progress.matched), (ProgressState::Probe, last));
    bench.receive(2, |late| {
        late.set_msg_type(MessageType::MsgAppendResponse);
        late.reject = true;
        late.index = last;
        late.reject_hint = 1;
        late.log_term = 1;
    });
    let progress = bench.machine.node.raft.prs().get(2).unwrap();
    assert!(progress.next_idx > progress.matched, "{progress:?}");
}

/// raft-rs pull request 530: standing for election must not scan all entries that wait to be
/// applied.
#[test]
fn an_election_does_not_wait_for_or_scan_unapplied_entries() {
    let mut disk = stored(&[1], 5_000);
    disk.applied = 1;
    let mut bench = Bench::new(&disk);
    bench.tick();
    let effects = bench.persist();
    assert_eq!(bench.machine.role().role, Role::Leader);
    let applied: usize = effects
        .iter()
        .map(|effect| if let RaftEffect::Apply { entries } = effect { entries.len() } else { 0 })
        .sum();
    assert_eq!(applied, 5_001, "all old entries and the new leader's own");
    let raft = &bench.machine.node.raft;
    assert_eq!(raft.raft_log.applied, raft.raft_log.committed, "there is something to scan");
    assert_eq!(bench.machine.status().applied, 1, "nobody said that it was applied");
}

#[test]
fn a_failed_write_halts_and_leaves_outcomes_unknown() {
    let mut bench = Bench::new(&stored(&[1], 0));
    bench.tick();
    bench.persist();
    let effects = bench.propose(5);
    let [RaftEffect::Persist { number, .. }] = effects.as_slice() else { panic!("{effects:?}") };
    let error = DiskError::Other("gone".to_owned());
    let effects = bench.tell(RaftEvent::PersistFailed { number: *number, error: error.clone() });
    let id = Correlation(5);
    assert_eq!(
        effects,
        [RaftEffect::Refused { id, refusal: Refusal::Unknown }, RaftEffect::Halt { error }]
    );
    let id = Correlation(6);
    let refusal = Refusal::NotLeader { leader: None };
    assert_eq!(bench.propose(6), [RaftEffect::Refused { id, refusal }]);
}

#[test]
fn nothing_is_applied_before_it_is_on_disk() {
    let mut bench = Bench::new(&stored(&[1], 0));
    bench.tick();
    bench.persist();
    let is_apply = |effect: &RaftEffect| matches!(effect, RaftEffect::Apply { .. });
    assert!(!bench.propose(5).iter().any(is_apply));
    let effects = bench.persist();
    let (index, term) = (bench.machine.status().last, 2);
    let id = Some(Correlation(5));
    let entries = vec![Committed { index, term, id, data: vec![b'p'; 10] }];
    assert_eq!(effects, [RaftEffect::Apply { entries }]);
}

#[test]
fn a_vote_leaves_only_when_it_is_on_disk() {
    let mut bench = Bench::new(&stored(&[1, 2, 3], 0));
    let effects = bench.receive(2, |vote| {
        vote.set_msg_type(MessageType::MsgRequestVote);
        vote.term = 9;
        (vote.index, vote.log_term) = (5, 5);
    });
    let is_send = |effect: &RaftEffect| matches!(effect, RaftEffect::Send { .. });
    assert!(!effects.iter().any(is_send), "{effects:?}");
    assert!(bench.persist().iter().any(is_send));
}

#[test]
fn a_log_that_cannot_be_trusted_is_refused() {
    let refused = |stored: &Stored| RaftMachine::recover(config(1), stored).err();
    let good = stored(&[1], 3);
    assert_eq!(refused(&good), None);
    let applied = 9;
    assert_eq!(
        refused(&Stored { applied, ..good.clone() }),
        Some(RecoverError::LogBehindState { last: 4, applied })
    );
    let records = good.records[2..].to_vec();
    assert_eq!(
        refused(&Stored { records, ..good.clone() }),
        Some(RecoverError::StateBehindLog { base: 3, applied: 0 })
    );
    let mut records = good.records.clone();
    records.remove(2);
    assert_eq!(refused(&Stored { records, ..good.clone() }), Some(RecoverError::Gap { index: 4 }));
    assert_eq!(refused(&Stored { head: None, ..good.clone() }), Some(RecoverError::NoHead));
    let mut bad = good.clone();
    bad.records[1].data[0] = 7;
    assert_eq!(refused(&bad), Some(RecoverError::Record { index: 2 }));
    let sender = |node| Sender { cluster: CLUSTER, group: 1, node: NodeId(node) };
    let other = RaftMachine::recover(config(2), &good).err();
    assert_eq!(other, Some(RecoverError::Foreign { found: sender(1), expected: sender(2) }));
    assert_eq!(Bootstrap::BEGIN, Mark { index: 1, term: 1 });
}

#[test]
fn a_leader_without_others_needs_ticks_only_while_it_waits_for_something() {
    let mut bench = Bench::new(&stored(&[1], 3));
    assert!(bench.machine.next_tick().is_some(), "it may have to stand for election");
    bench.tick();
    bench.persist();
    assert_eq!(bench.machine.role().role, Role::Leader);
    assert_eq!(bench.machine.next_tick(), None);
    bench.propose(1);
    assert!(bench.machine.next_tick().is_some(), "the disk may stall");
    bench.persist();
    assert_eq!(bench.machine.next_tick(), None);
    let changes = vec![MemberChange::AddLearner(NodeId(2))];
    bench.tell(RaftEvent::ConfChange { id: Correlation(2), changes });
    bench.persist();
    assert!(bench.machine.next_tick().is_some(), "the learner must hear of its leader");
    let mut three = Bench::new(&stored(&[1, 2, 3], 3));
    three.lead();
    three.persist();
    assert!(three.machine.next_tick().is_some());
}

/// An image is read while entries are applied, so it may be ahead of the snapshot it came for.
#[test]
fn a_state_that_an_image_brought_ahead_of_the_log_is_trusted() {
    let disk = stored(&[1, 2, 3], 3);
    let mut head = Head::decode(disk.head.as_ref().unwrap()).unwrap();
    head.image = 9;
    let head = Some(head.encode());
    let bench = |applied| {
        let disk = Stored { applied, head: head.clone(), records: disk.records.clone() };
        RaftMachine::recover(config(1), &disk)
    };
    assert_eq!(bench(9).unwrap().status().applied, 9);
    assert_eq!(bench(10).err(), Some(RecoverError::LogBehindState { last: 4, applied: 10 }));
}

/// Followers may miss more than a frame can hold.
#[test]
fn what_a_follower_misses_comes_in_messages_of_bounded_size() {
    let mut bench = Bench::new(&stored(&[1, 2, 3], 0));
    bench.lead();
    for id in 0..40 {
        let items = vec![Proposed { id: Correlation(id), data: vec![b'p'; 400_000] }];
        bench.tell(RaftEvent::Propose { items });
    }
    let last = bench.machine.status().last;
    let effects = bench.receive(2, |reply| {
        reply.set_msg_type(MessageType::MsgAppendResponse);
        reply.index = 1;
    });
    let mut sent = 0;
    for effect in &effects {
        let RaftEffect::Send { to: NodeId(2), bytes } = effect else { continue };
        assert!(bytes.len() < 2 << 20, "a message of {} bytes", bytes.len());
        sent += bytes.len();
    }
    assert!(sent > 39 * 400_000, "{sent} bytes up to {last}");
}

/// Everything may be applied already when a leader starts again; a follower that needs an image of
/// it must not wait for more.
#[test]
fn a_member_offers_an_image_of_what_it_had_applied_before_it_started() {
    let mut disk = stored(&[1, 2, 3], 3);
    let mut head = Head::decode(disk.head.as_ref().unwrap()).unwrap();
    (head.commit, head.members_at, disk.applied) = (4, 4, 4);
    disk.head = Some(head.encode());
    let machine = RaftMachine::recover(config(1), &disk).unwrap();
    let offered = raft::Storage::snapshot(machine.node.store(), 0, 2);
    assert_eq!(offered.unwrap().get_metadata().index, 4);
}
