//! What the operations of one entry do, each seeing what those before it did.
//!
//! Way in: [`Txn::apply`].  Writes: versions, history, grants, leases, the keys tied to them; all
//! into [`Staging`].
//! Invariants: 1. an operation is checked completely before it writes, so one that is refused
//! leaves no trace.
//! 2. the revisions of an entry are consecutive.

use std::{collections::BTreeMap, sync::Arc};

use actors_core::ports::DiskError;
use bytes::Bytes;

use crate::{
    Change, ChangeKind, Columns, Condition, Epoch, Expect, Flaw, Key, LeaseId, Op, OpResult,
    Position, Revision, ShardId, Splice, Stored, VALUE_BYTES_MAX,
    guards::Guards,
    rows::{self, GrantRow, HistoryRow, LeaseRow, Rows},
    staging::Staging,
};

/// One entry while it is being applied.
pub(crate) struct Txn<'a> {
    pub(crate) staging: &'a mut Staging,
    pub(crate) rows: Rows,
    pub(crate) position: Position,
    pub(crate) epochs: &'a BTreeMap<ShardId, Epoch>,
    pub(crate) granted: BTreeMap<ShardId, Epoch>,
    pub(crate) changes: Vec<Arc<Change>>,
    pub(crate) guards: &'a mut Guards,
}

/// A version that is about to be written.
struct Draft {
    value: Bytes,
    columns: Columns,
    lease: Option<LeaseId>,
}

impl Txn<'_> {
    /// Does one operation, or says why not.
    pub(crate) fn apply(&mut self, op: &Op) -> Result<OpResult, DiskError> {
        match op {
            Op::Put { key, value, columns, expect, lease } => {
                let draft = Draft { value: value.clone(), columns: columns.clone(), lease: *lease };
                self.apply_put(key, *expect, draft)
            }
            Op::Delta { key, expect, splices, columns } => {
                self.apply_delta((key, *expect), splices, columns)
            }
            Op::Delete { key, expect } => self.apply_delete(key, *expect),
            Op::GrantShard { shard, epoch, holder } => self.apply_grant(*shard, *epoch, holder),
            Op::LeaseGrant { id, ttl_ms } => self.apply_lease(*id, *ttl_ms),
            Op::LeaseRevoke { id } => self.apply_revoke(*id),
            Op::Compact { below } => Ok(self.apply_compact(*below)),
            Op::RaiseLevel(level) => {
                self.position.level = self.position.level.max(*level);
                Ok(self.done())
            }
            Op::Check { key, condition } => self.apply_check(key, condition),
        }
    }

    /// The epoch that a shard has now.
    pub(crate) fn epoch(&self, shard: ShardId) -> Epoch {
        epoch_of(shard, &[self.epochs, &self.granted])
    }

    fn apply_put(
        &mut self,
        key: &Key,
        expect: Expect,
        draft: Draft,
    ) -> Result<OpResult, DiskError> {
        if let Some(flaw) = flaw_of(key, &draft) {
            return Ok(OpResult::Invalid(flaw));
        }
        let current = self.current(key)?;
        if let Some(conflict) = conflict(expect, current.as_deref()) {
            return Ok(conflict);
        }
        if let Some(id) = draft.lease
            && self.staging.get(&self.rows.lease(id))?.is_none()
        {
            return Ok(OpResult::Invalid(Flaw::UnknownLease));
        }
        self.write(key, current, draft)
    }

    fn apply_delta(
        &mut self,
        (key, expect): (&Key, Revision),
        splices: &[Splice],
        columns: &Columns,
    ) -> Result<OpResult, DiskError> {
        let Some(current) = self.current(key)?.filter(|stored| stored.mod_revision == expect)
        else {
            let current = self.current(key)?.map(|stored| stored.mod_revision);
            return Ok(OpResult::Conflict { current });
        };
        if current.columns.sealed || columns.sealed {
            return Ok(OpResult::Invalid(Flaw::Sealed));
        }
        let Some(value) = spliced(&current.value, splices) else {
            return Ok(OpResult::Invalid(Flaw::Splices));
        };
        let draft = Draft { value, columns: columns.clone(), lease: current.lease };
        match flaw_of(key, &draft) {
            Some(flaw) => Ok(OpResult::Invalid(flaw)),
            None => self.write(key, Some(current), draft),
        }
    }

    fn apply_delete(&mut self, key: &Key, expect: Expect) -> Result<OpResult, DiskError> {
        match self.current(key)? {
            None if matches!(expect, Expect::Any | Expect::Absent) => Ok(OpResult::Nothing),
            None => Ok(OpResult::Conflict { current: None }),
            Some(current) => match conflict(expect, Some(&current)) {
                Some(conflict) => Ok(conflict),
                None => self.delete(current),
            },
        }
    }

    fn apply_grant(
        &mut self,
        shard: ShardId,
        epoch: Epoch,
        holder: &str,
    ) -> Result<OpResult, DiskError> {
        if shard.0 >= ShardId::COUNT && shard != ShardId::ALL {
            return Ok(OpResult::Invalid(Flaw::UnknownShard));
        }
        let current = self.epoch(shard);
        if epoch <= current {
            return Ok(OpResult::OldEpoch { current });
        }
        let row = rows::encode(&GrantRow { epoch, holder: holder.to_owned() })?;
        self.staging.put(self.rows.grant(shard), row);
        self.granted.insert(shard, epoch);
        Ok(self.done())
    }

    fn apply_lease(&mut self, id: LeaseId, ttl_ms: u64) -> Result<OpResult, DiskError> {
        let row = self.rows.lease(id);
        if self.staging.get(&row)?.is_some() {
            return Ok(OpResult::Invalid(Flaw::LeaseExists));
        }
        self.staging.put(row, rows::encode(&LeaseRow { ttl_ms, granted_at: self.position.clock })?);
        Ok(self.done())
    }

    fn apply_revoke(&mut self, id: LeaseId) -> Result<OpResult, DiskError> {
        let lease = self.rows.lease(id);
        if self.staging.get(&lease)?.is_none() {
            return Ok(OpResult::Nothing);
        }
        for row in self.staging.keys(&self.rows.attached_all(id))? {
            if let Some(current) = self.current(&Rows::split_attached(&row))? {
                self.delete(current)?;
            }
        }
        self.staging.delete(lease);
        Ok(self.done())
    }

    fn apply_compact(&mut self, below: Revision) -> OpResult {
        if below > self.position.revision {
            return OpResult::Invalid(Flaw::FutureRevision);
        }
        self.position.compacted = self.position.compacted.max(below);
        self.done()
    }

    fn apply_check(&mut self, key: &Key, condition: &Condition) -> Result<OpResult, DiskError> {
        let conflict = match condition {
            Condition::Is(expect) => conflict(*expect, self.guarded(key)?.as_deref()),
            Condition::Unless { field, value } => {
                let current = self.guarded(key)?;
                let says = |stored: &Stored| {
                    stored.columns.fields.iter().any(|(name, text)| name == field && text == value)
                };
                let fits = current.as_deref().is_some_and(|stored| !says(stored));
                let current = current.map(|stored| stored.mod_revision);
                (!fits).then_some(OpResult::Conflict { current })
            }
            Condition::NoneSince(revision) => {
                let newest = self.newest_under(key)?;
                (newest > *revision).then_some(OpResult::Conflict { current: Some(newest) })
            }
        };
        Ok(conflict.unwrap_or(OpResult::Nothing))
    }

    /// What is at a key that many entries check.
    fn guarded(&mut self, key: &Key) -> Result<Option<Arc<Stored>>, DiskError> {
        if let Some(known) = self.guards.at(key) {
            return Ok(known);
        }
        let found = self.current(key)?;
        self.guards.note(key, found.clone());
        Ok(found)
    }

    /// When the youngest of what is there under a prefix was created; before everything, if there
    /// is nothing.
    fn newest_under(&mut self, prefix: &Key) -> Result<Revision, DiskError> {
        if let Some(known) = self.guards.under(prefix) {
            return Ok(known);
        }
        let span = self.rows.versions_between(prefix, prefix.prefix_end().as_ref());
        let mut newest = Revision::default();
        let mut last: Option<Vec<u8>> = None;
        // The versions of a key stand together, the newest first.
        for row in self.staging.keys(&span)? {
            let Some((name, _)) = Rows::split_version(&row) else { continue };
            if last.as_deref() == Some(name) {
                continue;
            }
            last = Some(name.to_vec());
            let bytes = self.staging.get(&row)?.unwrap_or_default();
            let stored = rows::decode::<rows::VersionRow>(&row, &bytes)?;
            newest = newest.max(stored.map_or_else(Revision::default, |it| it.create_revision));
        }
        // Only those are forgotten in time.
        if prefix.as_bytes().ends_with(b"/") {
            self.guards.note_under(prefix, newest);
        }
        Ok(newest)
    }

    /// What an operation answers that gets no revision.
    fn done(&self) -> OpResult {
        OpResult::Done { revision: self.position.revision, created: false }
    }

    fn current(&self, key: &Key) -> Result<Option<Arc<Stored>>, DiskError> {
        self.staging.current(self.rows, key)
    }

    fn write(
        &mut self,
        key: &Key,
        prev: Option<Arc<Stored>>,
        draft: Draft,
    ) -> Result<OpResult, DiskError> {
        let revision = self.position.revision.next();
        let was_tied = prev.as_ref().and_then(|prev| prev.lease);
        if was_tied != draft.lease {
            self.tie(key, was_tied, draft.lease);
        }
        let stored = Stored {
            key: key.clone(),
            create_revision: prev.as_ref().map_or(revision, |prev| prev.create_revision),
            mod_revision: revision,
            version: prev.as_ref().map_or(1, |prev| prev.version + 1),
            value: draft.value,
            columns: draft.columns,
            lease: draft.lease,
        };
        let created = prev.is_none();
        let value = Some(Arc::new(stored));
        self.record(Change { revision, key: key.clone(), kind: ChangeKind::Put, value, prev })?;
        Ok(OpResult::Done { revision, created })
    }

    fn delete(&mut self, prev: Arc<Stored>) -> Result<OpResult, DiskError> {
        let revision = self.position.revision.next();
        let key = prev.key.clone();
        self.tie(&key, prev.lease, None);
        self.record(Change {
            revision,
            key,
            kind: ChangeKind::Delete,
            value: None,
            prev: Some(prev),
        })?;
        Ok(OpResult::Done { revision, created: false })
    }

    fn tie(&mut self, key: &Key, from: Option<LeaseId>, to: Option<LeaseId>) {
        if let Some(id) = from {
            self.staging.delete(self.rows.attached(id, key));
        }
        if let Some(id) = to {
            self.staging.put(self.rows.attached(id, key), Vec::new());
        }
    }

    fn record(&mut self, change: Change) -> Result<(), DiskError> {
        let prev = change.prev.as_ref().map(|prev| prev.mod_revision);
        let history = HistoryRow { key: change.key.clone(), kind: change.kind, prev };
        self.staging.put(self.rows.history(change.revision), rows::encode(&history)?);
        let version: Option<&Stored> = change.value.as_deref();
        let row = match version {
            // Most of it is the value: a row that grows is copied each time.
            Some(stored) => rows::encode_with(&version, stored.len_hint())?,
            None => rows::encode(&version)?,
        };
        self.staging.put(self.rows.version(&change.key, change.revision), row);
        self.position.revision = change.revision;
        self.guards.forget(&change);
        self.changes.push(Arc::new(change));
        Ok(())
    }
}

/// The highest grant that covers a shard; all shards together are covered by every grant.
pub(crate) fn epoch_of(shard: ShardId, grants: &[&BTreeMap<ShardId, Epoch>]) -> Epoch {
    let of_shard = [ShardId::ALL, shard];
    let highest = |grants: &&BTreeMap<ShardId, Epoch>| match shard {
        ShardId::ALL => grants.values().max().copied(),
        _ => of_shard.iter().filter_map(|shard| grants.get(shard)).max().copied(),
    };
    grants.iter().filter_map(highest).max().unwrap_or_default()
}

/// Whether what is there is not what the writer expects.
fn conflict(expect: Expect, current: Option<&Stored>) -> Option<OpResult> {
    let current = current.map(|stored| stored.mod_revision);
    let fits = match expect {
        Expect::Any => true,
        Expect::Absent => current.is_none(),
        Expect::Present => current.is_some(),
        Expect::Revision(revision) => current == Some(revision),
    };
    if fits { None } else { Some(OpResult::Conflict { current }) }
}

fn flaw_of(key: &Key, draft: &Draft) -> Option<Flaw> {
    if key.as_bytes().len() > Key::LEN_MAX || draft.value.len() > VALUE_BYTES_MAX {
        return Some(Flaw::TooLarge);
    }
    let fits = usize::try_from(draft.columns.rv_at).is_ok_and(|at| at <= draft.value.len());
    if fits { None } else { Some(Flaw::Columns) }
}

/// The value after the splices; `None` if they do not fit.
fn spliced(old: &[u8], splices: &[Splice]) -> Option<Bytes> {
    let mut new = Vec::with_capacity(
        old.len() + splices.iter().map(|splice| splice.insert.len()).sum::<usize>(),
    );
    let mut copied = 0;
    for splice in splices {
        let at = usize::try_from(splice.at).ok()?;
        new.extend_from_slice(old.get(copied..at)?);
        new.extend_from_slice(&splice.insert);
        copied = at.checked_add(usize::try_from(splice.remove).ok()?)?;
    }
    new.extend_from_slice(old.get(copied..)?);
    Some(Bytes::from(new))
}
