//! Shows what was applied to readers, watchers and proposers.
//!
//! Way in: `publish`, after a commit.
//! Invariant: the published revision never falls, also when the state was lost back to an older
//! one.

use std::sync::Arc;

use actors_core::Correlation;
use store_catalog::Tree;
use store_mvcc::{Change, Key, Outcome, Reader, Residents, Revision, ShardId, Stored};

use super::{Applier, Fault, read, write};
use crate::{Progress, shared::Shared, waiting::Reply};

/// What is shown, which is what is committed, whenever an entry is applied.
struct Shown(Arc<Shared>);

impl Residents for Shown {
    fn newest(&self, key: &Key) -> Option<Arc<Stored>> {
        read(&self.0.latest).newest(key)
    }
}

impl Applier<'_> {
    /// Shows the whole state: at the start of a life, and after an image was installed.
    pub(super) fn publish_all(&mut self) -> Result<(), Fault> {
        let revision = self.mvcc.position().revision;
        let shown = read(&self.shared.latest).revision();
        self.behind = (revision < shown).then_some(shown);
        let reader: Reader = self.mvcc.reader();
        if self.behind.is_none() {
            write(&self.shared.catalog).load(&reader)?;
            *write(&self.shared.reader) = Some(reader);
            self.show();
            self.mvcc.set_residents(Some(Arc::new(Shown(Arc::clone(self.shared)))));
        } else {
            // What is shown is ahead of what is committed.
            self.mvcc.set_residents(None);
        }
        Ok(())
    }

    /// Shows what the last batch changed.
    pub(super) fn publish(
        &mut self,
        changes: &[Arc<Change>],
        trees: &[(Revision, Tree)],
    ) -> Result<(), Fault> {
        let position = *self.mvcc.position();
        if self.behind.is_some_and(|shown| position.revision < shown) {
            return Ok(());
        }
        // The beginning of a new group is a revision without a change.
        let begins = changes.is_empty() && position.revision > read(&self.shared.latest).revision();
        if self.behind.is_some() || begins {
            return self.publish_all();
        }
        let mut catalog = write(&self.shared.catalog);
        let published = catalog.publish(changes, position.revision);
        for (revision, tree) in trees {
            published.adopt(*revision, tree);
        }
        catalog.set_level(position.level);
        if position.compacted > catalog.snapshot().compacted() {
            catalog.set_compacted(position.compacted);
            self.sweeping = true;
        }
        drop(catalog);
        self.show();
        Ok(())
    }

    fn show(&self) {
        let snapshot = read(&self.shared.catalog).snapshot();
        *write(&self.shared.latest) = snapshot;
        let (position, epoch) = (*self.mvcc.position(), self.mvcc.epoch(ShardId::ALL));
        self.shared.progress.send_replace(Progress { position, epoch });
    }

    pub(super) fn answer(&self, outcomes: Vec<(Correlation, Outcome)>) {
        for (id, outcome) in outcomes {
            self.shared.waiting.answer(id, Reply::Applied(outcome));
        }
    }
}
