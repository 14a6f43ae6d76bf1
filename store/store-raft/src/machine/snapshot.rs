//! Snapshots: what a leader offers, how a follower installs one, how far the log is forgotten.
//!
//! Way in: `begin_install`, `note_applied`, `truncate_log`.
//! Time and order: the head says that a snapshot comes in; then the image becomes the state; then
//! the log begins anew behind it. After a power cut the state's applied index tells which of these
//! had happened.

use actors_core::{Effects, Mono};
use raft::{
    Progress, ProgressState, Ready, SnapshotStatus,
    eraftpb::{Entry, Message},
};

use super::RaftMachine;
use crate::{
    Mark, Members, NodeId, RaftConfig, RaftEffect, Refusal, SnapshotDelivery,
    members::Extra,
    record::{encode_entry, encode_mark},
};

/// A snapshot on its way into state and log.
#[derive(Debug)]
pub(super) struct Installing {
    mark: Mark,
    members: Members,
    /// Raft's number for it; `None` if it was begun in an earlier life.
    ready: Option<u64>,
    /// What may leave when it is done.
    messages: Vec<Message>,
    /// Entries that raft already has behind it.
    entries: Vec<Entry>,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The log was marked in an earlier life, up to its new beginning.
    Unfinished,
    /// The head that announces it is being written.
    Announcing(u64),
    /// The image is being made the state.
    Image(u64),
    /// The log's new beginning is being written.
    Marking(u64),
}

impl Installing {
    pub(super) fn unfinished(mark: Mark, members: Members) -> Self {
        let (messages, entries) = (Vec::new(), Vec::new());
        Self { mark, members, ready: None, messages, entries, stage: Stage::Unfinished }
    }
}

impl RaftMachine {
    pub(super) fn begin_install(
        &mut self,
        ready: &mut Ready,
        now: Mono,
        out: &mut Effects<RaftEffect>,
    ) {
        let meta = ready.snapshot().get_metadata();
        let mark = Mark { index: meta.index, term: meta.term };
        let extra = Extra::from_bytes(&ready.snapshot().data);
        let members = Members::from_raft(meta.get_conf_state(), &extra);
        let old_members = self.members_history.back().map(|(_, members)| members.clone());
        let mut head = self.head(Some((mark, members.clone())));
        // Until the image is the state, a restart goes on with the old log and the old members.
        head.commit = head.commit.min(self.handed);
        head.members = old_members.unwrap_or_default();
        let entries = ready.take_entries();
        self.node.mut_store().reset(mark);
        self.node.mut_store().append(entries.clone());
        self.handed = mark.index;
        let lost = self.proposals.forget_through(mark.index);
        super::refuse(lost, Refusal::Unknown, out);
        let number = self.next_number;
        self.installing = Some(Installing {
            mark,
            members,
            ready: Some(ready.number()),
            messages: ready.take_persisted_messages(),
            entries,
            stage: Stage::Announcing(number),
        });
        self.submit_own(Vec::new(), &head, now, out);
    }

    /// Takes up an installation whose image was already the state when the last life ended.
    pub(super) fn resume_install(&mut self, now: Mono, out: &mut Effects<RaftEffect>) {
        if self.installing.is_some() {
            self.write_mark(now, out);
        }
    }

    /// The next stage after a write has ended.
    pub(super) fn go_on_installing(&mut self, number: u64, out: &mut Effects<RaftEffect>) {
        let Some(installing) = &mut self.installing else { return };
        match installing.stage {
            Stage::Announcing(write) if write <= number => {
                let index = installing.mark.index;
                let number = self.take_number();
                if let Some(installing) = &mut self.installing {
                    installing.stage = Stage::Image(number);
                }
                out.push(RaftEffect::InstallSnapshot { number, index });
            }
            Stage::Marking(write) if write <= number => self.end_install(out),
            _ => {}
        }
    }

    pub(super) fn note_installed(
        &mut self,
        number: u64,
        applied: u64,
        now: Mono,
        out: &mut Effects<RaftEffect>,
    ) {
        let expected = self.installing.as_ref().is_some_and(|it| it.stage == Stage::Image(number));
        if expected {
            self.applied = self.applied.max(applied);
            self.image = applied;
            self.write_mark(now, out);
        }
    }

    /// Begins the log anew behind the snapshot; what it had from there on is replaced.
    fn write_mark(&mut self, now: Mono, out: &mut Effects<RaftEffect>) {
        let number = self.next_number;
        let Some(installing) = &mut self.installing else { return };
        installing.stage = Stage::Marking(number);
        let mark = installing.mark;
        self.owed = None;
        self.members_at = mark.index;
        self.members_history.clear();
        self.members_history.push_back((mark.index, installing.members.clone()));
        self.extra = installing.members.extra();
        let members = installing.members.clone();
        let mut records = vec![encode_mark(mark)];
        records.extend(installing.entries.iter().map(encode_entry));
        self.log_first = mark.index;
        // The old log goes first, so that the mark need not follow it. Without its mark the log is
        // nothing, but the head on disk says so: it still announces the snapshot.
        out.push(RaftEffect::Truncate { below: mark.index });
        // Raft may have taken up the next snapshot already: its members, and what it says is
        // committed, are none of this one's business.
        let mut head = self.head(None);
        (head.members, head.members_at, head.commit) = (members, mark.index, mark.index);
        self.submit_own(records, &head, now, out);
    }

    fn end_install(&mut self, out: &mut Effects<RaftEffect>) {
        let Some(installing) = self.installing.take() else { return };
        if let Some(ready) = installing.ready {
            self.node.on_persist_ready(ready);
        }
        self.node.advance_apply_to(installing.mark.index);
        self.send(installing.messages, out);
        let Installing { mark, members, .. } = installing;
        out.push(RaftEffect::MembersChanged { id: None, index: mark.index, members });
        self.offer_snapshot();
    }

    pub(super) fn note_snapshot_sent(&mut self, to: NodeId, delivery: SnapshotDelivery) {
        let status = match delivery {
            SnapshotDelivery::Delivered => SnapshotStatus::Finish,
            SnapshotDelivery::Failed => SnapshotStatus::Failure,
        };
        self.node.report_snapshot(to.0, status);
    }

    pub(super) fn note_applied(&mut self, index: u64) {
        self.applied = self.applied.max(index);
        self.offer_snapshot();
        let cache = self.node.store();
        let is_sending =
            |(_, progress): (&u64, &Progress)| progress.state == ProgressState::Snapshot;
        let stretch = match self.node.raft.prs().iter().any(is_sending) {
            true => RaftConfig::CACHE_STRETCH,
            false => 1,
        };
        if cache.len() > self.config.cache_entries_max.saturating_mul(stretch)
            || cache.bytes() > self.config.cache_bytes_max.saturating_mul(stretch)
        {
            // Half goes, so that this is rare; what is not applied yet must stay, raft may still
            // hand it out.
            let half = cache.base().index + cache.len() as u64 / 2;
            let keep = half.min(self.applied).min(self.handed);
            self.node.mut_store().truncate(keep);
        }
    }

    /// Remembers the newest state of which an image could be sent, with the members as of then.
    pub(super) fn offer_snapshot(&mut self) {
        if self.applied > self.handed || self.installing.is_some() {
            return;
        }
        while self.members_history.get(1).is_some_and(|(at, _)| *at <= self.applied) {
            self.members_history.pop_front();
        }
        if let Some((at, members)) = self.members_history.front()
            && *at <= self.applied
        {
            let members = members.clone();
            self.node.mut_store().set_applied(self.applied, members);
        }
    }

    /// Forgets records on disk that a flushed state covers, but for some that followers may want
    /// after a restart.
    pub(super) fn truncate_log(&mut self, flushed: u64, now: Mono, out: &mut Effects<RaftEffect>) {
        let below = flushed.min(self.handed).saturating_sub(self.config.log_keep);
        if below <= self.log_first || self.installing.is_some() {
            return;
        }
        self.log_first = below;
        // The head must know the members as of the log's new beginning before the older changes are
        // forgotten.
        let head = self.head(None);
        self.submit_own(Vec::new(), &head, now, out);
        out.push(RaftEffect::Truncate { below });
    }
}
