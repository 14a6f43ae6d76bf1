//! Applies log entries, one after the other, and writes what they did in batches.
//!
//! Way in: [`Mvcc::open`], [`Mvcc::apply`], [`Mvcc::commit`].
//! Owns: all rows of one group; the epochs and remembered tokens in memory, which the rows give back.
//! Invariants: 1. a batch holds the position beside the data, so they never come apart. 2. entries are applied in
//! the order of their indexes, without a gap. 3. the same entries give the same rows and the same hash, however
//! they are split into batches and wherever the process was killed.
//! Time and order: `apply` stages, `commit` writes, `flush` makes durable; the log is kept until then.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use actors_core::{
    Wall,
    ports::{DiskError, KeyRange, StateStore},
};

use crate::{
    Change, Epoch, GroupId, Op, OpResult, Outcome, Position, Proposal, Reader, Revision, ShardId,
    Token,
    rows::{self, GrantRow, HistoryRow, Rows, TokenRow},
    staging::Staging,
    txn::Txn,
};

/// The highest feature level that this build can apply.
pub const LEVEL_MAX: u16 = 1;

/// Most tokens that are remembered; about 5 MB of memory when all are.
pub const TOKENS_MAX: usize = 65_536;

/// How long a token is remembered, on the time of the state.
pub const TOKEN_AGE_MAX: Duration = Duration::from_secs(600);

/// Tokens that one entry forgets at most. Each entry remembers one, so the surplus still shrinks.
const TOKENS_FORGOTTEN: usize = 8;

/// The state of one group of one replica.
pub struct Mvcc {
    rows: Rows,
    staging: Staging,
    position: Position,
    epochs: BTreeMap<ShardId, Epoch>,
    tokens: BTreeMap<Token, u64>,
    /// The same tokens, oldest first.
    token_ages: VecDeque<(u64, Wall, Token)>,
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

/// What one pass over compacted history did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Swept {
    /// Rows that were deleted.
    pub rows: usize,
    /// Whether nothing compacted is left.
    pub done: bool,
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
        let staging = Staging::new(store, group);
        let mut position = staging.reader().position()?;
        position.level = position.level.max(1);
        let mut state = Self {
            rows: Rows(group),
            staging,
            position,
            epochs: BTreeMap::new(),
            tokens: BTreeMap::new(),
            token_ages: VecDeque::new(),
            failed: false,
        };
        check_level(position.level)?;
        state.load()?;
        Ok(state)
    }

    fn load(&mut self) -> Result<(), DiskError> {
        let Self { staging, rows, epochs, tokens, token_ages, .. } = self;
        staging.reader().scan(&rows.grants(), |row, bytes| {
            let shard = u16::try_from(Rows::number(row)).unwrap_or(u16::MAX);
            epochs.insert(ShardId(shard), rows::decode::<GrantRow>(row, bytes)?.epoch);
            Ok(true)
        })?;
        staging.reader().scan(&rows.tokens(), |row, bytes| {
            let TokenRow { token, at, .. } = rows::decode(row, bytes)?;
            let index = Rows::number(row);
            tokens.insert(token, index);
            token_ages.push_back((index, at, token));
            Ok(true)
        })
    }

    /// How far this replica is, what is staged included.
    #[must_use]
    pub fn position(&self) -> &Position {
        &self.position
    }

    /// The epoch of a shard: the higher of its own and that of all.
    #[must_use]
    pub fn epoch(&self, shard: ShardId) -> Epoch {
        [ShardId::ALL, shard]
            .iter()
            .filter_map(|shard| self.epochs.get(shard))
            .max()
            .copied()
            .unwrap_or_default()
    }

    /// Reads what is committed; usable beside this writer, from any thread.
    #[must_use]
    pub fn reader(&self) -> Reader {
        self.staging.reader().clone()
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
        let applied = match self.recall(proposal.token) {
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

    /// Writes everything that is staged, and the position, in one batch.
    ///
    /// # Errors
    /// The disk's: this state must not be used any more.
    pub fn commit(&mut self) -> Result<(), ApplyError> {
        if self.failed {
            return Err(ApplyError::Failed);
        }
        let mut writes = self.staging.take();
        writes.push((self.rows.position(), Some(rows::encode(&self.position)?)));
        let written = self.staging.store().batch(writes);
        self.failed = written.is_err();
        Ok(written?)
    }

    /// Commits, and makes everything durable. Gives the index up to which the log may be forgotten.
    ///
    /// # Errors
    /// The disk's: this state must not be used any more.
    pub fn flush(&mut self) -> Result<u64, ApplyError> {
        self.commit()?;
        let flushed = self.staging.store().flush();
        self.failed = flushed.is_err();
        flushed?;
        Ok(self.position.index)
    }

    /// Deletes some of what was compacted: at most `limit` revisions, so that nothing waits for it.
    ///
    /// Called when there is time, until [`Swept::done`]. It is this replica's own matter: no reader can tell.
    ///
    /// # Errors
    /// The disk's: this state must not be used any more.
    pub fn sweep(&mut self, limit: usize) -> Result<Swept, ApplyError> {
        // A row may only go when the compaction that allows it is on disk.
        self.commit()?;
        let cursor = self.rows.sweep();
        let from = self
            .staging
            .get(&cursor)?
            .map(|bytes| rows::decode::<Revision>(&cursor, &bytes))
            .transpose()?;
        let (start, _) = self.rows.history_after(from.unwrap_or_default());
        let (end, _) = self.rows.history_after(self.position.compacted);
        if start >= end {
            return Ok(Swept { rows: 0, done: true });
        }
        let range = KeyRange { start: &start, end: Some(&end), limit, reverse: false };
        let page = self.staging.store().range(range)?;
        let mut writes = Vec::new();
        let mut reached = self.position.compacted;
        for (row, bytes) in &page {
            let HistoryRow { key, kind, prev } = rows::decode(row, bytes)?;
            let revision = Revision(Rows::number(row));
            // Each revision ends the one before it; a deletion also ends itself.
            let ended = [prev, (kind == crate::ChangeKind::Delete).then_some(revision)];
            writes.extend(
                ended.into_iter().flatten().map(|ended| (self.rows.version(&key, ended), None)),
            );
            writes.push((row.clone(), None));
            if page.len() == limit {
                reached = revision;
            }
        }
        let swept = Swept { rows: writes.len(), done: reached == self.position.compacted };
        writes.push((cursor, Some(rows::encode(&reached)?)));
        let written = self.staging.store().batch(writes);
        self.failed = written.is_err();
        written?;
        Ok(swept)
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
        let Self { rows, staging, position, epochs, .. } = self;
        let mut before = *position;
        before.clock = before.clock.max(proposal.at);
        let (granted, changes) = Default::default();
        let mut txn = Txn { staging, rows: *rows, position: before, epochs, granted, changes };
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
            (position, granted, changes) = (before, BTreeMap::new(), Vec::new());
            for result in results.iter_mut().filter(|result| result.is_ok()) {
                *result = OpResult::Aborted;
            }
        }
        let outcome = Outcome { index, results };
        self.position = position;
        self.epochs.append(&mut granted);
        self.remember(index, proposal.token, &outcome)?;
        self.position.hash = self.staging.end_entry(self.position.hash);
        Ok(Applied { outcome, changes })
    }

    /// The outcome of a token that was applied before.
    fn recall(&self, token: Token) -> Result<Option<Outcome>, DiskError> {
        let Some(index) = self.tokens.get(&token) else { return Ok(None) };
        let row = self.rows.token(*index);
        let missing = || DiskError::Damaged(format!("outcome of entry {index} is missing"));
        let bytes = self.staging.get(&row)?.ok_or_else(missing)?;
        Ok(Some(rows::decode::<TokenRow>(&row, &bytes)?.outcome))
    }

    fn remember(&mut self, index: u64, token: Token, outcome: &Outcome) -> Result<(), DiskError> {
        let at = self.position.clock;
        if token != Token::NONE {
            let row = TokenRow { token, at, outcome: outcome.clone() };
            self.staging.put(self.rows.token(index), rows::encode(&row)?);
            self.tokens.insert(token, index);
            self.token_ages.push_back((index, at, token));
        }
        for _ in 0..TOKENS_FORGOTTEN {
            let full = self.token_ages.len() > TOKENS_MAX;
            let Some(oldest) = self
                .token_ages
                .pop_front_if(|(_, then, _)| full || at.since(*then) > TOKEN_AGE_MAX)
            else {
                break;
            };
            self.tokens.remove(&oldest.2);
            self.staging.delete(self.rows.token(oldest.0));
        }
        Ok(())
    }
}

/// Why all of a proposal is refused, if it is.
fn refusal(txn: &Txn<'_>, proposal: &Proposal) -> Option<OpResult> {
    let level = txn.position.level;
    if proposal.feature_level > level {
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
