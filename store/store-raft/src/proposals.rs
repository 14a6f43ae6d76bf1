//! Which entries of the log were proposed here, so that their outcome finds its way back.
//!
//! Way in: [`Proposals`].  Invariant: at most one proposal for an index.

use std::collections::BTreeMap;

use actors_core::Correlation;

/// Proposals whose entries are in the log and not handed out yet.
#[derive(Debug, Clone, Default)]
pub(crate) struct Proposals {
    by_index: BTreeMap<u64, (u64, Correlation)>,
    /// The highest term of a committed entry that was settled.
    term_settled: u64,
}

impl Proposals {
    /// Remembers that `id` proposed the entry at `index` of `term`; returns whom it displaces.
    pub(crate) fn track(&mut self, index: u64, term: u64, id: Correlation) -> Option<Correlation> {
        self.by_index.insert(index, (term, id)).map(|(_, old)| old)
    }

    /// Takes out what the committed entry (`index`, `term`) decides: whose it is, and who is
    /// superseded by it.
    ///
    /// Terms never fall along a log, so the first committed entry of a term supersedes everything
    /// of earlier terms from its index on; its later entries have nothing to add.
    pub(crate) fn settle(
        &mut self,
        index: u64,
        term: u64,
    ) -> (Option<Correlation>, Vec<Correlation>) {
        let mut superseded = Vec::new();
        let mut ours = None;
        if let Some((of, id)) = self.by_index.remove(&index) {
            if of == term {
                ours = Some(id);
            } else {
                superseded.push(id);
            }
        }
        if term > self.term_settled {
            self.term_settled = term;
            let lost = self.by_index.extract_if(index.., |_, (of, _)| *of < term);
            superseded.extend(lost.map(|(_, (_, id))| id));
        }
        (ours, superseded)
    }

    /// Takes out all proposals up to `index`: a snapshot covers them and hides what became of them.
    pub(crate) fn forget_through(&mut self, index: u64) -> Vec<Correlation> {
        let later = self.by_index.split_off(&(index + 1));
        std::mem::replace(&mut self.by_index, later).into_values().map(|(_, id)| id).collect()
    }

    /// Takes out everything.
    pub(crate) fn forget_all(&mut self) -> Vec<Correlation> {
        std::mem::take(&mut self.by_index).into_values().map(|(_, id)| id).collect()
    }

    /// The last index that somebody waits for.
    pub(crate) fn last_index(&self) -> Option<u64> {
        self.by_index.last_key_value().map(|(index, _)| *index)
    }
}
