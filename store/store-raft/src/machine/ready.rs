//! What raft wants done, put in an order that survives a power cut.
//!
//! Way in: `advance`, after every event.
//! Time and order: a leader's messages leave at once, beside its own write (Ongaro's dissertation,
//! 10.2.1); all other messages, votes and acknowledgements, leave when the write they promise has
//! ended. A commit index alone is never written by itself: it goes with the next write, and a voter
//! that forgot it learns it again.

use actors_core::{Correlation, Effects, Mono, Rng, ports::LogRecord};
use raft::{
    ReadState, Ready,
    eraftpb::{ConfChangeV2, Entry, EntryType, Message, MessageType},
};

use super::{RaftMachine, refuse};
use crate::{
    Committed, Mark, Members, NodeId, RaftConfig, RaftEffect, Refusal,
    members::Extra,
    record::{Head, encode_entry, frame},
};

/// A write that was submitted and has not ended.
#[derive(Debug)]
pub(super) struct Write {
    pub(super) number: u64,
    since: Mono,
    /// Ticks that were seen since then.
    pub(super) ticks: u32,
    /// Raft's number for what is durable then, if this write was raft's wish.
    ready: Option<u64>,
    /// What may leave then.
    messages: Vec<Message>,
}

impl Write {
    pub(super) fn is_stalled(&self, now: Mono) -> bool {
        // A process that did not run finds many writes old whose ends it was not told of yet.
        let ticks = RaftConfig::STALL_MAX.as_millis() / (2 * RaftConfig::TICK.as_millis());
        now.since(self.since) > RaftConfig::STALL_MAX && u128::from(self.ticks) >= ticks
    }
}

impl RaftMachine {
    /// Takes everything out of raft that the last event led to.
    pub(super) fn advance(&mut self, now: Mono, rng: &mut Rng, out: &mut Effects<RaftEffect>) {
        loop {
            self.timeout.settle(&mut self.node, rng);
            self.mend_progress();
            self.tell_role(out);
            self.begin_reads(now, rng);
            // While a snapshot is installed nothing may be written behind it: its mark would erase
            // that.
            if self.installing.is_some() || !self.node.has_ready() {
                return;
            }
            self.take_ready(now, out);
        }
    }

    /// Keeps `next > matched`, which raft 0.7.0 breaks on a late rejection of a probe (raft-rs
    /// issue 555). The one message that it sends in between repeats what the follower has, which
    /// does no harm.
    fn mend_progress(&mut self) {
        for (_, progress) in self.node.raft.mut_prs().iter_mut() {
            progress.next_idx = progress.next_idx.max(progress.matched + 1);
        }
    }

    pub(super) fn tell_role(&mut self, out: &mut Effects<RaftEffect>) {
        let role = self.role();
        if role != self.told {
            self.told = role;
            // Raft forgets its reads whenever it changes its term or role, and may not know the new
            // leader's answer.
            self.reads.restart();
            out.push(RaftEffect::RoleChanged(role));
        }
    }

    fn begin_reads(&mut self, now: Mono, rng: &mut Rng) {
        let raft = &self.node.raft;
        // A leader knows what is committed only once it has committed an entry of its own term.
        let asks = if self.is_leader() {
            raft.commit_to_current_term()
        } else {
            raft.leader_id != raft::INVALID_ID
        };
        if asks && let Some(context) = self.reads.begin(self.config.node, now, rng) {
            self.node.read_index(context);
        }
    }

    fn take_ready(&mut self, now: Mono, out: &mut Effects<RaftEffect>) {
        let mut ready = self.node.ready();
        self.send(ready.take_messages(), out);
        self.answer_reads(ready.take_read_states(), out);
        let committed = ready.take_committed_entries();
        if ready.snapshot().is_empty() {
            let entries = ready.take_entries();
            self.write_ready(&mut ready, entries, now, out);
        } else {
            self.begin_install(&mut ready, now, out);
        }
        self.node.advance_append_async(ready);
        self.hand_out(committed, out);
        self.end_empty_readies();
    }

    /// Submits what raft wants durable, and holds back what must not leave before.
    fn write_ready(
        &mut self,
        ready: &mut Ready,
        entries: Vec<Entry>,
        now: Mono,
        out: &mut Effects<RaftEffect>,
    ) {
        let (prompt, messages) =
            ready.take_persisted_messages().into_iter().partition(promises_nothing);
        self.send(prompt, out);
        let number = ready.number();
        if entries.is_empty() && !ready.must_sync() {
            // Nothing to write, but what was promised before may still be on its way to the disk.
            match self.writes.back_mut() {
                Some(write) => {
                    write.ready = Some(number);
                    write.messages.extend(messages);
                }
                None => self.send(messages, out),
            }
            return;
        }
        let records = entries.iter().map(encode_entry).collect();
        self.node.mut_store().append(entries);
        let head = self.head(None);
        let write = Write { number: 0, since: now, ticks: 0, ready: Some(number), messages };
        self.submit(write, records, &head, out);
    }

    /// A ready without a write has nothing to wait for if no other write is under way.
    fn end_empty_readies(&mut self) {
        if self.writes.is_empty() && self.installing.is_none() {
            self.node.on_persist_ready(u64::MAX);
        }
    }

    /// Submits a write; its number is given here.
    pub(super) fn submit(
        &mut self,
        mut write: Write,
        records: Vec<LogRecord>,
        head: &Head,
        out: &mut Effects<RaftEffect>,
    ) {
        write.number = self.take_number();
        out.push(RaftEffect::Persist { number: write.number, records, head: Some(head.encode()) });
        self.writes.push_back(write);
    }

    /// Submits a write that raft did not ask for.
    pub(super) fn submit_own(
        &mut self,
        records: Vec<LogRecord>,
        head: &Head,
        now: Mono,
        out: &mut Effects<RaftEffect>,
    ) {
        let messages = Vec::new();
        let write = Write { number: 0, since: now, ticks: 0, ready: None, messages };
        self.submit(write, records, head, out);
    }

    pub(super) fn take_number(&mut self) -> u64 {
        let number = self.next_number;
        self.next_number += 1;
        number
    }

    /// The head as it must be on disk behind all writes submitted so far.
    pub(super) fn head(&self, incoming: Option<(Mark, Members)>) -> Head {
        let hard = self.node.raft.hard_state();
        Head {
            owner: self.config.sender(),
            term: hard.term,
            vote: hard.vote,
            // Raft may know of commits behind entries that it did not get written yet.
            commit: hard.commit.min(self.node.store().last()),
            members: self.members(),
            members_at: self.members_at.max(self.handed),
            incoming: incoming.or_else(|| self.owed.clone()),
            image: self.image,
        }
    }

    pub(super) fn end_writes(&mut self, number: u64, now: Mono, out: &mut Effects<RaftEffect>) {
        let mut ready = None;
        while let Some(write) = self.writes.pop_front_if(|write| write.number <= number) {
            ready = write.ready.or(ready);
            self.send(write.messages, out);
        }
        // A disk that ends writes one after the other is slow; only one that ends none is stalled.
        for write in &mut self.writes {
            (write.since, write.ticks) = (now, 0);
        }
        if let Some(ready) = ready {
            self.node.on_persist_ready(ready);
        }
        self.go_on_installing(number, out);
        self.end_empty_readies();
    }

    pub(super) fn send(&mut self, messages: Vec<Message>, out: &mut Effects<RaftEffect>) {
        for message in messages {
            let to = NodeId(message.to);
            let bytes = frame(&self.config, &message);
            if message.get_msg_type() == MessageType::MsgSnapshot {
                let index = message.get_snapshot().get_metadata().index;
                out.push(RaftEffect::SendSnapshot { to, index, bytes });
            } else {
                out.push(RaftEffect::Send { to, bytes });
            }
        }
    }

    fn answer_reads(&mut self, states: Vec<ReadState>, out: &mut Effects<RaftEffect>) {
        for state in states {
            for id in self.reads.answer(&state.request_ctx) {
                out.push(RaftEffect::ReadReady { id, index: state.index });
            }
        }
    }

    /// Hands out committed entries; changes of members take effect on the way.
    fn hand_out(&mut self, committed: Vec<Entry>, out: &mut Effects<RaftEffect>) {
        let Some(last) = committed.last().map(|entry| entry.index) else { return };
        self.handed = last;
        let mut entries = Vec::with_capacity(committed.len());
        let mut changes = Vec::new();
        for entry in committed {
            let (id, superseded) = self.proposals.settle(entry.index, entry.term);
            refuse(superseded, Refusal::Superseded, out);
            let (index, term) = (entry.index, entry.term);
            if entry.get_entry_type() == EntryType::EntryNormal {
                // Raft empties a change of members that came while another was under way.
                let emptied = entry.data.is_empty();
                refuse(id.filter(|_| emptied), Refusal::Superseded, out);
                entries.push(Committed {
                    index,
                    term,
                    id: id.filter(|_| !emptied),
                    data: entry.data,
                });
            } else {
                entries.push(Committed { index, term, id: None, data: Vec::new() });
                changes.push((id, entry));
            }
        }
        // Who waits for an index to be applied finds the members of that index.
        for (id, entry) in changes {
            self.apply_members(id, &entry, out);
        }
        // A restart begins at the older of state and members: the state may have some of these
        // already.
        entries.retain(|entry| entry.index > self.applied);
        if !entries.is_empty() {
            out.push(RaftEffect::Apply { entries });
        }
        if self.is_no_member() {
            self.end_membership(self.members_at, out);
        }
        self.node.advance_apply_to(last);
        self.offer_snapshot();
    }

    fn apply_members(
        &mut self,
        id: Option<Correlation>,
        entry: &Entry,
        out: &mut Effects<RaftEffect>,
    ) {
        if entry.index <= self.members_at {
            return;
        }
        self.members_at = entry.index;
        let before = self.members().all();
        let change: Result<ConfChangeV2, _> = prost::Message::decode(entry.data.as_slice());
        let applied = change.is_ok_and(|change| {
            let done = self.node.apply_conf_change(&change).is_ok();
            if done {
                let told = Extra::from_bytes(&change.context);
                self.extra.contexts.extend(told.contexts);
                self.extra.joining.extend(told.joining);
            }
            done
        });
        if !applied {
            // Every member refuses it in the same way: the members stay what they were.
            return refuse(id, Refusal::BadChange, out);
        }
        let members = self.members();
        self.extra = members.extra();
        self.members_history.push_back((entry.index, members.clone()));
        let gone = before.into_iter().filter(|node| !members.contains(*node));
        let index = entry.index;
        out.push(RaftEffect::MembersChanged { id, index, members: members.clone() });
        for node in gone {
            self.bid_farewell(node, out);
        }
    }
}

/// Whether a message binds its sender to nothing that a power cut could make it forget: then it
/// need not wait for the disk, and a leader hears from followers whose disks are slow.
///
/// The answer to a heartbeat says that its sender has not heard of a later term. One that forgets
/// the heartbeat's term may vote in it once more, but that term's leader has its majority already.
/// An answer to the question whether one would vote is no vote.
fn promises_nothing(message: &Message) -> bool {
    matches!(
        message.get_msg_type(),
        MessageType::MsgHeartbeatResponse
            | MessageType::MsgReadIndex
            | MessageType::MsgRequestPreVote
            | MessageType::MsgRequestPreVoteResponse
    )
}
