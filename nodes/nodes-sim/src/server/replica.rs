//! A server's replica: the Raft machine with its log, the state, the catalog, and the drivers
//! between them.
//!
//! Way in: [`Replica::open`], [`Server::handle_raft`], [`Server::apply`].
//! Order: the log is written in the order of the machine's effects, one sync is under way at a time
//! and ends all writes before it; entries are committed to the state, then published, then the
//! machine is told.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use actors_core::{
    Correlation, Effects, Machine, Mono, Turn,
    ports::{DiskError, LogStore, StateStore},
};
use actors_sim::{NodeId, SimDisk, SimLog};
use store_catalog::{Catalog, RingLimits, Snapshot};
use store_mvcc::{ApplyError, GroupId, Key, Mvcc, Proposal, Token, Writer};
use store_raft::{
    Bootstrap, Committed, RaftConfig, RaftEffect, RaftEvent, RaftMachine, Role, RoleView, Stored,
};

use super::{Ctx, Inner, Server};
use crate::{
    config::{Planted, Shared},
    event::{Bytes, Effect, Image, Local, Message},
    knobs::Knobs,
    report::Invariant,
    versions::Versions,
};

/// Compacted revisions whose rows are given back at once.
const SWEEP: usize = 200;

/// A replica that is open.
pub(crate) struct Replica {
    raft: RaftMachine,
    pub(super) mvcc: Mvcc,
    pub(super) catalog: Catalog,
    pub(super) store: Arc<dyn StateStore>,
    pub(crate) log: SimLog,
    /// The write that the sync under way covers, and the newest write.
    pub(crate) syncing: Option<(u64, Mono)>,
    pub(crate) written: u64,
    /// What was proposed here as leader: whose token, and which server asked.
    pub(super) proposed: BTreeMap<Correlation, (Token, Option<NodeId>)>,
    pub(super) next_id: Correlation,
    /// Committed entries that wait to be applied, one batch at a time.
    committed: VecDeque<Vec<Committed>>,
    /// The newest image that came.
    pub(super) image: Option<Image>,
    /// Followers that were sent an image and have not confirmed it.
    pub(super) imaging: Vec<NodeId>,
}

/// Why a server cannot start.
#[derive(Debug)]
pub(crate) enum OpenError {
    /// The disk does not work now; another try may help.
    Disk,
    /// What is on disk cannot be: something that was promised is lost.
    Damaged(String),
}

impl From<DiskError> for OpenError {
    fn from(_: DiskError) -> Self {
        Self::Disk
    }
}

/// The Raft group's name of a node.
pub(crate) fn raft_id(node: NodeId) -> store_raft::NodeId {
    store_raft::NodeId(u64::from(node.0) + 1)
}

/// The node of one of the group's names.
pub(crate) fn node_id(raft: store_raft::NodeId) -> NodeId {
    NodeId(u32::try_from(raft.0.saturating_sub(1)).unwrap_or(u32::MAX))
}

fn raft_config(me: NodeId, knobs: &Knobs) -> RaftConfig {
    let Knobs { cache_entries_max, log_keep, .. } = *knobs;
    RaftConfig { cache_entries_max, log_keep, ..RaftConfig::new(raft_id(me), [7; 16], 0) }
}

impl Replica {
    pub(super) fn open(me: NodeId, disk: &SimDisk, shared: &Shared) -> Result<Self, OpenError> {
        let config = raft_config(me, &shared.knobs);
        let mut log = disk.log("raft");
        if log.head()?.is_none() {
            let voters: Vec<_> = shared.config.server_ids().map(raft_id).collect();
            let first = Bootstrap::new(&config, &voters);
            log.append(&first.records)?;
            log.set_head(&first.head)?;
        }
        // What an earlier life wrote and did not sync is believed from here on.
        log.sync()?;
        let store: Arc<dyn StateStore> = Arc::new(disk.state("state"));
        let mvcc = open_state(&store)?;
        let head = log.head()?;
        let records = log.read_from(0, usize::MAX)?;
        let applied = mvcc.position().index;
        let raft = RaftMachine::recover(config, &Stored { head, records, applied })
            .map_err(|error| OpenError::Damaged(error.to_string()))?;
        let limits = RingLimits { events: shared.knobs.ring_events, ..RingLimits::default() };
        let mut catalog = Catalog::new(limits, shared.door.opener());
        catalog.load(&mvcc.reader()).map_err(|_| OpenError::Disk)?;
        Ok(Self {
            raft,
            mvcc,
            catalog,
            store,
            log,
            syncing: None,
            written: 0,
            proposed: BTreeMap::new(),
            next_id: Correlation(1),
            committed: VecDeque::new(),
            image: None,
            imaging: Vec::new(),
        })
    }

    pub(crate) fn role(&self) -> RoleView {
        self.raft.role()
    }

    pub(crate) fn is_leader(&self) -> bool {
        self.role().role == Role::Leader
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        self.catalog.snapshot()
    }

    /// Lets every version that this replica has loaded have the tree of another one's copy.
    pub(crate) fn share(&self, versions: &mut Versions) {
        let snapshot = self.catalog.snapshot();
        let all = snapshot.list(&Key::from("/registry/"), None, usize::MAX);
        all.for_each(|item| versions.share(item));
    }

    pub(crate) fn mvcc(&self) -> &Mvcc {
        &self.mvcc
    }
}

fn apply_later(ctx: &mut Ctx<'_>) {
    let span = Duration::from_micros(ctx.rng.between(20, 400));
    ctx.out.push(Effect::After { span, local: Local::Apply });
}

pub(super) fn open_state(store: &Arc<dyn StateStore>) -> Result<Mvcc, OpenError> {
    let failed = |_: ApplyError| OpenError::Disk;
    let mut mvcc = Mvcc::open(Arc::clone(store), GroupId::MAIN).map_err(failed)?;
    if mvcc.position().index == 0 {
        mvcc.skip(Bootstrap::BEGIN.index, Bootstrap::BEGIN.term).map_err(failed)?;
    }
    Ok(mvcc)
}

impl Server {
    pub(super) fn handle_raft(&mut self, ctx: &mut Ctx<'_>, event: RaftEvent) {
        let mut effects = Effects::default();
        let turn = Turn { now: ctx.now, rng: &mut *ctx.rng, view: &() };
        self.replica.raft.handle(turn, event, &mut effects);
        self.replica.raft.assert_invariants();
        for effect in effects.drain() {
            self.carry_out_raft(ctx, effect);
        }
    }

    fn carry_out_raft(&mut self, ctx: &mut Ctx<'_>, effect: RaftEffect) {
        match effect {
            RaftEffect::Persist { number, records, head } => {
                ctx.out.push(Effect::Persist { number, records, head: head.map(Bytes) });
            }
            RaftEffect::Truncate { below } => ctx.out.push(Effect::Truncate { below }),
            RaftEffect::Send { to, bytes } => ctx.send(node_id(to), Message::Raft(Bytes(bytes))),
            RaftEffect::Apply { entries } => {
                self.replica.committed.push_back(entries);
                if self.replica.committed.len() == 1 {
                    apply_later(ctx);
                }
            }
            RaftEffect::ReadReady { id, index } => {
                self.inbox.push_back(Inner::ReadReady { id, index });
            }
            RaftEffect::Refused { id, refusal } => {
                self.inbox.push_back(Inner::Refused { id, refusal });
            }
            RaftEffect::RoleChanged(role) => {
                if role.role == Role::Leader {
                    ctx.record.leads(self.me, role.term);
                }
                self.inbox.push_back(Inner::Role(role));
            }
            RaftEffect::SendSnapshot { to, bytes, .. } => self.send_image(ctx, node_id(to), bytes),
            RaftEffect::InstallSnapshot { number, index } => {
                let span = Duration::from_millis(ctx.rng.between(1, 20));
                ctx.out.push(Effect::After { span, local: Local::Install { number, index } });
            }
            RaftEffect::MembersChanged { .. }
            | RaftEffect::Removed { .. }
            | RaftEffect::Notice(_) => {}
            RaftEffect::Halt { .. } => ctx.out.push(Effect::Restart),
        }
    }

    /// Applies the oldest entries that wait; the next ones come after some time.
    pub(super) fn apply_next(&mut self, ctx: &mut Ctx<'_>) {
        if let Some(entries) = self.replica.committed.pop_front() {
            self.apply(ctx, entries);
        }
        if !self.replica.committed.is_empty() {
            apply_later(ctx);
        }
    }

    /// Applies entries, publishes what they changed, and lets everybody know.
    fn apply(&mut self, ctx: &mut Ctx<'_>, entries: Vec<Committed>) {
        let (mut changes, mut outcomes) = (Vec::new(), Vec::new());
        // What is published is what is committed, here.
        let residents = Arc::new(self.replica.catalog.snapshot());
        self.replica.mvcc.set_residents(Some(residents));
        for entry in entries {
            // Already part of an image that was installed meanwhile.
            if entry.index <= self.replica.mvcc.position().index {
                continue;
            }
            if let Some(id) = entry.id {
                self.replica.proposed.remove(&id);
            }
            if entry.data.is_empty() {
                if let Err(error) = self.replica.mvcc.skip(entry.index, entry.term) {
                    return self.stop(ctx, &error);
                }
                ctx.record.check_hash(self.me, self.replica.mvcc.position());
                continue;
            }
            let mut proposal = match Proposal::decode(&entry.data) {
                Ok(proposal) => proposal,
                Err(error) => {
                    let what = format!("entry {}: {error}", entry.index);
                    ctx.record.violation(Invariant::EntriesApply, what);
                    return ctx.out.push(Effect::Restart);
                }
            };
            if ctx.shared.config.has(Planted::DoubleActivation) {
                proposal.writer = Writer::unplaced(std::mem::take(&mut proposal.writer.name));
            }
            match self.replica.mvcc.apply(entry.index, entry.term, &proposal) {
                Ok(applied) => {
                    let position = self.replica.mvcc.position();
                    ctx.record.applied(self.me, position, &proposal, &applied);
                    changes.extend(applied.changes);
                    outcomes.push((proposal.token, applied.outcome));
                }
                Err(error) => return self.stop(ctx, &error),
            }
        }
        if let Err(error) = self.replica.mvcc.commit() {
            return self.stop(ctx, &error);
        }
        // Whoever holds the state as it was would have the catalog copy what it changes.
        self.replica.mvcc.set_residents(None);
        let position = *self.replica.mvcc.position();
        let published = self.replica.catalog.publish(&changes, position.revision);
        published.events.iter().for_each(|event| ctx.record.versions.share(event.item()));
        self.replica.catalog.set_compacted(position.compacted);
        self.replica.catalog.set_level(position.level);
        self.inbox.push_back(Inner::Published { outcomes });
        self.inbox.push_back(Inner::Raft(RaftEvent::Applied { index: position.index }));
    }

    /// The state cannot be changed any more: only a new life helps.
    pub(super) fn stop(&mut self, ctx: &mut Ctx<'_>, error: &ApplyError) {
        if !matches!(error, ApplyError::Disk(_) | ApplyError::Failed) {
            let what = format!("server {} cannot apply: {error}", self.me.0);
            ctx.record.violation(Invariant::EntriesApply, what);
        }
        ctx.out.push(Effect::Restart);
    }

    pub(super) fn flush(&mut self, ctx: &mut Ctx<'_>) {
        let wait = Duration::from_millis(Self::FLUSH_MS);
        ctx.at(ctx.now.mono.after(wait), Local::Flush);
        if let Err(error) = self.replica.mvcc.sweep(SWEEP) {
            return self.stop(ctx, &error);
        }
        let index = self.replica.mvcc.position().index;
        ctx.out.push(Effect::SyncState { index });
    }
}
