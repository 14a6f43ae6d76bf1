//! The order of all writes, as the store knows it when everything is over.
//!
//! Way in: [`FinalLog`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Verdict, Version, Violation};

/// All changes behind a revision, read from the store at the end.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FinalLog {
    /// The revision that the log begins behind: 0, or where history was compacted.
    pub after: u64,
    /// What there was at that revision.
    pub base: BTreeMap<String, Version>,
    /// The changes.
    pub entries: Vec<LogEntry>,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    /// Its place; rises by one.
    pub revision: u64,
    /// Which key changed.
    pub key: String,
    /// Its new value; `None` if it was deleted.
    pub value: Option<String>,
}

impl FinalLog {
    /// The last revision.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.after + self.entries.len() as u64
    }

    /// The change at a revision, if the log is sound.
    #[must_use]
    pub fn at(&self, revision: u64) -> Option<&LogEntry> {
        let position = revision.checked_sub(self.after)?.checked_sub(1)?;
        self.entries.get(usize::try_from(position).ok()?)
    }

    /// The changes behind a revision.
    pub(crate) fn behind(&self, revision: u64) -> &[LogEntry] {
        let skipped = usize::try_from(revision.saturating_sub(self.after)).unwrap_or(usize::MAX);
        self.entries.get(skipped..).unwrap_or_default()
    }

    /// Whether revisions rise by one.
    pub(crate) fn judge(&self, verdict: &mut Verdict) -> bool {
        let expected = self.after + 1..;
        let broken =
            self.entries.iter().zip(expected).find(|(entry, expected)| entry.revision != *expected);
        if let Some((entry, expected)) = broken {
            verdict.add(Violation::BrokenLog { expected, found: entry.revision });
        }
        broken.is_none()
    }
}
