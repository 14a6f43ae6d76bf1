//! The control actor: takes all shards for the leader under a new epoch, gives up old history,
//! compares the replicas' states, and has them agree on what all of their builds can do.
//!
//! Way in: [`child`].  Writes: `Leadership::epoch`; grants and compactions, as proposals.
//! Until placement exists the leader holds all shards; a write under the epoch of an earlier leader
//! is refused by every replica, so two leaders can never both act.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use actors_runtime::{Child, Failure, Service};
use store_mvcc::{Epoch, LEVEL_MAX, Op, Proposal, Revision, ShardId, StateHash, Token, Writer};
use store_raft::{Members, NodeId, Role, RoleView};
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior},
};

use crate::{
    Progress, Store,
    agreement::judge,
    locks::lock,
    shared::Shared,
    wire::{Answer, Request},
};

/// How long another member has to tell what its state was.
const ASK_WITHIN: Duration = Duration::from_secs(2);

/// How often the members are asked what their builds can do, until all can do what this one can.
const LEVEL_EVERY: Duration = Duration::from_secs(1);

/// How long to wait before a failed grant is proposed again, unless the role changes first.
const RETRY: Duration = Duration::from_millis(100);

/// The control actor of a group.
pub(crate) fn child(shared: &Arc<Shared>) -> Child {
    let shared = Arc::clone(shared);
    Child::service(move |service| run(Arc::clone(&shared), service))
}

async fn run(shared: Arc<Shared>, service: Service) -> Result<(), Failure> {
    let control = Control { store: Store::new(&shared, service.system()), service, shared };
    let service = control.service.clone();
    tokio::select! {
        () = service.stopping() => Ok(()),
        ended = control.work() => ended,
    }
}

struct Control {
    shared: Arc<Shared>,
    store: Store,
    service: Service,
}

impl Control {
    async fn work(&self) -> Result<(), Failure> {
        let mut leadership = self.shared.leadership.subscribe();
        let period = self.shared.config.history;
        let mut compactions = tokio::time::interval_at(Instant::now() + period, period);
        compactions.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut known = self.store.revision();
        let every = self.shared.config.compare_every;
        let mut members = self.shared.members.subscribe();
        loop {
            let present = *leadership.borrow_and_update();
            if present.role.role == Role::Leader && present.epoch.is_none() {
                let granted = self.take_shards(present.role).await;
                if !granted {
                    drop(tokio::time::timeout(RETRY, leadership.changed()).await);
                }
                continue;
            }
            tokio::select! {
                changed = leadership.changed() => changed?,
                _ = compactions.tick() => {
                    // What was newest one period ago is what stays readable.
                    let below = std::mem::replace(&mut known, self.store.revision());
                    self.compact(below).await;
                }
                () = self.level_due() => self.raise_level().await,
                () = self.comparison_due(&mut members, every) => {
                    let present = members.borrow_and_update().clone();
                    self.compare(&present).await;
                }
            }
        }
    }

    /// Grants all shards to this member under the next epoch; true if it still leads in the same
    /// term then.
    async fn take_shards(&self, role: RoleView) -> bool {
        // Everything that was granted before must be applied here.
        if let Err(error) = self.store.read_barrier().await {
            tracing::debug!(%error, "the shards cannot be granted yet");
            return false;
        }
        let epoch = Epoch(self.shared.progress.borrow().epoch.0 + 1);
        let holder = self.shared.config.holder.clone();
        let op = Op::GrantShard { shard: ShardId::ALL, epoch, holder };
        let proposal = self.proposal(Writer::unplaced("store/control"), op);
        match self.store.propose_here(proposal).await {
            Ok(outcome) if outcome.is_ok() => {}
            Ok(outcome) => {
                tracing::warn!(?outcome, "the shards were not granted");
                return false;
            }
            Err(error) => {
                tracing::debug!(%error, "the shards were not granted");
                return false;
            }
        }
        self.shared.leadership.send_if_modified(|leadership| {
            let same = (leadership.role.role, leadership.role.term) == (Role::Leader, role.term);
            if same {
                leadership.epoch = Some(epoch);
            }
            same
        })
    }

    /// Resolves when the states should be compared: never, unless this member leads others.
    async fn comparison_due(&self, members: &mut watch::Receiver<Members>, every: Duration) {
        let own = self.shared.config.node;
        let leads = self.shared.leadership.borrow().epoch.is_some();
        let has_others = |members: &Members| members.all().iter().any(|node| *node != own);
        if !leads || members.wait_for(has_others).await.is_err() {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep_until(Instant::now() + every).await;
    }

    /// Resolves when the members should be asked what they can do: never, unless this member leads
    /// and its build can do more than was agreed on.
    async fn level_due(&self) {
        let leads = self.shared.leadership.borrow().epoch.is_some();
        let known = |progress: &Progress| progress.position.level >= LEVEL_MAX;
        if !leads || known(&self.shared.progress.borrow()) {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep_until(Instant::now() + LEVEL_EVERY).await;
    }

    /// Proposes the level of this build, once all members have said that theirs can do as much.
    async fn raise_level(&self) {
        let own = self.shared.config.node;
        let members = self.shared.members.borrow().all();
        for node in members.into_iter().filter(|node| *node != own) {
            match self.store.ask_within(node, Request::Level, ASK_WITHIN).await {
                Some(Answer::Level(level)) if level >= LEVEL_MAX => {}
                _ => return,
            }
        }
        let Some(epoch) = self.store.epoch() else { return };
        let writer = Writer { shard: ShardId::ALL, epoch, name: "store/control".to_owned() };
        match self.store.propose_here(self.proposal(writer, Op::RaiseLevel(LEVEL_MAX))).await {
            Ok(outcome) if outcome.is_ok() => {
                tracing::info!(level = LEVEL_MAX, "all replicas agreed on a feature level");
            }
            Ok(outcome) => tracing::warn!(?outcome, "the feature level was not raised"),
            Err(error) => tracing::debug!(%error, "the feature level was not raised"),
        }
    }

    /// Compares this replica's state with that of the other members, at equal indices, and tells
    /// those whose state is not that of the most.
    async fn compare(&self, members: &Members) {
        let own = self.shared.config.node;
        let indices = lock(&self.shared.samples).indices();
        let mut known: BTreeMap<u64, BTreeMap<NodeId, StateHash>> = BTreeMap::new();
        for node in members.all().into_iter().filter(|node| *node != own) {
            let answer = self.store.ask_within(node, Request::Hashes(indices.clone()), ASK_WITHIN);
            let Some(Answer::Hashes(hashes)) = answer.await else { continue };
            for (index, hash) in hashes {
                known.entry(index).or_default().insert(node, hash);
            }
        }
        for (index, mut hashes) in known {
            let of_leader = lock(&self.shared.samples).at(index);
            hashes.extend(of_leader.map(|hash| (own, hash)));
            let Some((hash, wrong)) = judge(own, &hashes) else { continue };
            tracing::error!(index, ?wrong, "replicas have different states");
            for node in wrong {
                let differs = Request::Differs { index, hash };
                if node == own {
                    self.store.serve_differs(own, index, hash);
                } else {
                    self.store.ask_within(node, differs, ASK_WITHIN).await;
                }
            }
        }
    }

    /// Gives up history before `below`; the next period tries again what failed.
    async fn compact(&self, below: Revision) {
        let Some(epoch) = self.store.epoch() else { return };
        if below <= self.store.snapshot().compacted() {
            return;
        }
        let name = "store/control".to_owned();
        let writer = Writer { shard: ShardId::ALL, epoch, name };
        let proposal = self.proposal(writer, Op::Compact { below });
        match self.store.propose_here(proposal).await {
            Ok(outcome) if outcome.is_ok() => tracing::debug!(%below, "history was compacted"),
            Ok(outcome) => tracing::warn!(?outcome, "history was not compacted"),
            Err(error) => tracing::debug!(%error, "history was not compacted"),
        }
    }

    fn proposal(&self, writer: Writer, op: Op) -> Proposal {
        Proposal {
            group: self.shared.config.group,
            writer,
            // Grants and compactions are conditions in themselves: nothing is lost by doing one
            // twice.
            token: Token::NONE,
            feature_level: 1,
            at: self.service.system().now().wall,
            atomic: true,
            ops: vec![op],
        }
    }
}
