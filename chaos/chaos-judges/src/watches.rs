//! The guarantees of a watch: ordered, unique, without a gap, resumable.
//!
//! Way in: [`judge_watch`].  A watch that was resumed is judged as a second one, from where it was
//! resumed.

use actors_core::Mono;
use serde::{Deserialize, Serialize};

use crate::{FinalLog, LogEntry, Verdict, Violation};

/// What one watcher saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchRecord {
    /// The keys that it watched begin with this.
    pub prefix: String,
    /// It asked for everything behind this revision.
    pub after: u64,
    /// When it began.
    pub started: Mono,
    /// What it saw, in the order in which it saw it.
    pub seen: Vec<Seen>,
}

/// What a watcher is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Seen {
    /// A change.
    Change(LogEntry),
    /// The promise that everything up to a revision was shown.
    Bookmark(u64),
}

/// Judges one watch. What the log has behind the last thing seen may still have been on its way; a
/// caller that let the watch come to rest adds a [`Seen::Bookmark`] of the last revision, so that a
/// lost end is found too.
#[must_use]
pub fn judge_watch(watch: &WatchRecord, log: &FinalLog) -> Verdict {
    let mut verdict = Verdict { judged: watch.seen.len(), ..Verdict::default() };
    if !log.judge(&mut verdict) {
        return verdict;
    }
    if watch.after < log.after {
        verdict.unjudged = watch.seen.len();
        return verdict;
    }
    let of_prefix = |change: &&LogEntry| change.key.starts_with(&watch.prefix);
    let mut expected = log.behind(watch.after).iter().filter(of_prefix).peekable();
    let mut after = watch.after;
    for seen in &watch.seen {
        let reached = match seen {
            Seen::Change(change) => change.revision,
            Seen::Bookmark(revision) => revision.saturating_add(1),
        };
        while let Some(missed) = expected.next_if(|missed| missed.revision < reached) {
            verdict.add(Violation::WatchGap { revision: missed.revision, key: missed.key.clone() });
        }
        match seen {
            Seen::Change(change) if change.revision <= after => {
                verdict.add(Violation::WatchRepeat { revision: change.revision, after });
            }
            Seen::Change(change) => {
                after = change.revision;
                let known = expected.next_if(|known| known.revision == change.revision);
                if known != Some(change) {
                    let (revision, key) = (change.revision, change.key.clone());
                    verdict.add(Violation::WatchPhantom { revision, key });
                }
            }
            Seen::Bookmark(revision) if *revision > log.last() => {
                verdict.add(Violation::WatchPhantom { revision: *revision, key: String::new() });
            }
            // A bookmark may repeat what is known; a change behind it that is not newer is a
            // repeat.
            Seen::Bookmark(revision) => after = after.max(*revision),
        }
    }
    verdict
}
