//! Applies log entries, one after the other, and writes what they did in batches.
//!
//! Way in: [`Mvcc::open`], [`Mvcc::apply`], [`Mvcc::commit`].
//! Owns: all rows of one group; the epochs and remembered tokens in memory, which the rows give
//! back.
//! Invariants: 1. a batch holds the position beside the data, so they never come apart. 2. entries
//! are applied in the order of their indexes, without a gap. 3. the same entries give the same rows
//! and the same hash, however they are split into batches and wherever the process was killed.
//! Time and order: `apply` stages, `commit` writes, `flush` makes durable; the log is kept until
//! then.

use std::{collections::BTreeMap, sync::Arc};

use actors_core::ports::{DiskError, StateStore, Write};

use crate::{
    Change, Epoch, GroupId, Op, OpResult, Outcome, Position, Proposal, Reader, Residents, Revision,
    ShardId,
    guards::Guards,
    rows::{self, GrantRow, Rows, TokenRow},
    staging::Staging,
    tokens::Tokens,
    transfer,
    txn::{Txn, epoch_of},
};

/// Whether what is in memory may be ahead of the disk for good.
fn is_final(error: &DiskError) -> bool {
    !matches!(error, DiskError::Full(_))
}

/// The highest feature level that this build can apply.
///
/// 1: everything but this. 2: [`Op::Check`].
pub const LEVEL_MAX: u16 = 2;

/// The state of one group of one replica.
pub struct Mvcc {
    rows: Rows,
    staging: Staging,
    position: Position,
    epochs: BTreeMap<ShardId, Epoch>,
    tokens: Tokens,
    guards: Guards,
    /// Set when the disk failed: what is in memory may then be ahead of it for good.
    failed: bool,
}

/// What one entry did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// What its proposer is told.
    pub outcome: Outcome,
    /// What changed, in the order of revisions; empty if the token was known already.
    pub changes: Vec<Arc<Change>>,
}

/// Why an entry cannot be applied. Each means that this replica must stop serving.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// An entry is missing or comes twice: the driver has a bug.
    #[error("entry {found} cannot be applied: the next one is {expected}")]
    OutOfOrder {
        /// The index that is next.
        expected: u64,
        /// The index that came.
        found: u64,
    },
    /// The entry is of another group's log.
    #[error("entry of group {found} cannot be applied to group {expected}")]
    WrongGroup {
        /// This group.
        expected: GroupId,
        /// The entry's.
        found: GroupId,
    },
    /// All replicas agreed on what this build cannot do: it must be upgraded.
    #[error("feature level {found} was agreed on; this build knows {LEVEL_MAX} at most")]
    Level {
        /// The level that was agreed on.
        found: u16,
    },
    /// The disk failed before: the state must be opened again.
    #[error("the state failed to be written before")]
    Failed,
    /// The disk's error.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

impl Mvcc {
    /// Opens what the store holds of `group`; an empty store is at index 0.
    ///
    /// # Errors
    /// The disk's; [`ApplyError::Level`] if the state is beyond what this build knows.
    pub fn open(store: Arc<dyn StateStore>, group: GroupId) -> Result<Self, ApplyError> {
        let (staging, rows) = (Staging::new(store, group), Rows(group));
        let mut position = staging.reader().position()?;
        if position.index == 0 {
            // A copy of another replica was cut short: its rows are worth nothing without their
            // position.
            transfer::clear(staging.store().as_ref(), rows)?;
        }
        position.level = position.level.max(1);
        check_level(position.level)?;
        let mut epochs = BTreeMap::new();
        staging.reader().scan(&rows.grants(), |row, bytes| {
            let shard = u16::try_from(Rows::number(row)).unwrap_or(u16::MAX);
            epochs.insert(ShardId(shard), rows::decode::<GrantRow>(row, bytes)?.epoch);
            Ok(true)
        })?;
        let tokens = Tokens::load(&staging, rows)?;
        let guards = Guards::default();
        Ok(Self { rows, staging, position, epochs, tokens, guards, failed: false })
    }

    /// How far this replica is, what is staged included.
    #[must_use]
    pub fn position(&self) -> &Position {
        &self.position
    }

    /// The epoch of a shard: the higher of its own and that of all. [`ShardId::ALL`] has the
    /// highest that any shard has.
    #[must_use]
    pub fn epoch(&self, shard: ShardId) -> Epoch {
        epoch_of(shard, &[&self.epochs])
    }

    /// Reads what is committed; usable beside this writer, from any thread.
    #[must_use]
    pub fn reader(&self) -> Reader {
        self.staging.reader().clone()
    }

    /// Looks the newest versions of keys up in there from now on, and not on the disk; `None` if
    /// nobody holds them. They must be what the last [`Mvcc::commit`] left, whenever
    /// [`Mvcc::apply`] is called.
    pub fn set_residents(&mut self, residents: Option<Arc<dyn Residents>>) {
        self.staging.set_residents(residents);
    }

    /// Applies the entry at `index`. Nothing is on disk before [`Mvcc::commit`].
    ///
    /// # Errors
    /// [`ApplyError`]; the replica must stop serving.
    pub fn apply(
        &mut self,
        index: u64,
        term: u64,
        proposal: &Proposal,
    ) -> Result<Applied, ApplyError> {
        self.check_next(index)?;
        let (expected, found) = (self.rows.0, proposal.group);
        if expected != found {
            return Err(ApplyError::WrongGroup { expected, found });
        }
        for op in &proposal.ops {
            if let Op::RaiseLevel(level) = op {
                check_level(*level)?;
            }
        }
        let applied = match self.tokens.recall(&self.staging, self.rows, proposal.token) {
            Ok(Some(outcome)) => Ok(Applied { outcome, changes: Vec::new() }),
            Ok(None) => self.apply_new(index, proposal),
            Err(cause) => Err(cause),
        };
        match applied {
            Ok(applied) => {
                (self.position.index, self.position.term) = (index, term);
                Ok(applied)
            }
            Err(cause) => {
                self.failed = true;
                Err(cause.into())
            }
        }
    }

    /// Passes over an entry that is none of ours: a leader's empty one, a change of members.
    ///
    /// # Errors
    /// [`ApplyError::OutOfOrder`], [`ApplyError::Failed`].
    pub fn skip(&mut self, index: u64, term: u64) -> Result<(), ApplyError> {
        self.check_next(index)?;
        (self.position.index, self.position.term) = (index, term);
        Ok(())
    }

    /// Passes over what a new group's log begins with, which is no entry. The state is empty, and
    /// its revision is [`Revision::EMPTY`] from here on.
    ///
    /// # Errors
    /// [`ApplyError::Failed`].
    pub fn begin(&mut self, index: u64, term: u64) -> Result<(), ApplyError> {
        self.position.index = index.saturating_sub(1);
        self.skip(index, term)?;
        self.position.revision = self.position.revision.max(Revision::EMPTY);
        Ok(())
    }

    /// Writes everything that is staged, and the position, in one batch.
    ///
    /// # Errors
    /// The disk's: this state must not be used any more, unless the disk is full; then nothing is
    /// lost, and it can be called again.
    pub fn commit(&mut self) -> Result<(), ApplyError> {
        if self.failed {
            return Err(ApplyError::Failed);
        }
        let mut writes = self.staging.writes();
        writes.push((self.rows.position(), Some(rows::encode(&self.position)?)));
        self.write(writes)?;
        self.staging.clear();
        Ok(())
    }

    /// Commits, and makes everything durable. Gives the index up to which the log may be forgotten.
    ///
    /// # Errors
    /// Those of [`Mvcc::commit`].
    pub fn flush(&mut self) -> Result<u64, ApplyError> {
        self.commit()?;
        let flushed = self.staging.store().flush();
        self.failed = flushed.as_ref().is_err_and(is_final);
        flushed?;
        Ok(self.position.index)
    }

    /// Writes a batch; if that fails for another reason than a full disk, this state is at its end.
    pub(crate) fn write(&mut self, writes: Vec<Write>) -> Result<(), ApplyError> {
        let written = self.staging.store().batch(writes);
        self.failed = written.as_ref().is_err_and(is_final);
        Ok(written?)
    }

    pub(crate) fn rows(&self) -> Rows {
        self.rows
    }

    pub(crate) fn store(&self) -> &Arc<dyn StateStore> {
        self.staging.store()
    }

    fn check_next(&self, found: u64) -> Result<(), ApplyError> {
        let expected = self.position.index + 1;
        match (self.failed, found == expected) {
            (true, _) => Err(ApplyError::Failed),
            (false, false) => Err(ApplyError::OutOfOrder { expected, found }),
            (false, true) => Ok(()),
        }
    }

    fn apply_new(&mut self, index: u64, proposal: &Proposal) -> Result<Applied, DiskError> {
        let mut before = self.position;
        before.clock = before.clock.max(proposal.at);
        let mut txn = Txn {
            staging: &mut self.staging,
            rows: self.rows,
            position: before,
            epochs: &self.epochs,
            granted: BTreeMap::new(),
            changes: Vec::new(),
            guards: &mut self.guards,
        };
        let refusal = refusal(&txn, proposal);
        let mut results = Vec::with_capacity(proposal.ops.len());
        for op in &proposal.ops {
            results.push(match &refusal {
                Some(refusal) => refusal.clone(),
                None => txn.apply(op)?,
            });
        }
        let Txn { mut position, mut granted, mut changes, .. } = txn;
        if proposal.atomic && !results.iter().all(OpResult::is_ok) {
            self.staging.undo_entry();
            // What a check saw of this entry's own writes is not there.
            changes.iter().for_each(|change| self.guards.forget(change));
            (position, granted, changes) = (before, BTreeMap::new(), Vec::new());
            for result in results.iter_mut().filter(|result| result.is_ok()) {
                *result = OpResult::Aborted;
            }
        }
        let outcome = Outcome { index, results };
        self.position = position;
        self.epochs.append(&mut granted);
        let row = TokenRow { token: proposal.token, at: position.clock, outcome: outcome.clone() };
        self.tokens.remember(&mut self.staging, self.rows, row)?;
        self.position.hash = self.staging.end_entry(self.position.hash);
        Ok(Applied { outcome, changes })
    }
}

/// Why all of a proposal is refused, if it is.
fn refusal(txn: &Txn<'_>, proposal: &Proposal) -> Option<OpResult> {
    let level = txn.position.level;
    if proposal.feature_level.max(Proposal::level_of(&proposal.ops)) > level {
        return Some(OpResult::LevelTooLow { level });
    }
    let writer = &proposal.writer;
    let current = txn.epoch(writer.shard);
    let fenced = writer.shard != ShardId::UNPLACED && writer.epoch != current;
    fenced.then_some(OpResult::OldEpoch { current })
}

fn check_level(found: u16) -> Result<(), ApplyError> {
    if found > LEVEL_MAX { Err(ApplyError::Level { found }) } else { Ok(()) }
}

impl std::fmt::Debug for Mvcc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mvcc")
            .field("group", &self.rows.0)
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}
