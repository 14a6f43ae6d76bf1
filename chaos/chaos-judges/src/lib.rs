//! Who judges what clients and watchers saw: was it what one store, seen by all, would have
//! answered?
//!
//! Way in: [`judge_operations`], [`judge_watch`]; both take the final log, which is the order of
//! all writes.
//! Never: a clock, a store, a search. Answers carry revisions, so the order is known and judging is
//! O(n log n). Every judge is itself tested against histories with planted mistakes.

mod history;
mod log;
mod operations;
mod verdict;
mod watches;

pub use history::{Answer, Call, Expected, Freshness, Operation, Version};
pub use log::{FinalLog, LogEntry};
pub use operations::judge_operations;
pub use verdict::{Verdict, Violation};
pub use watches::{Seen, WatchRecord, judge_watch};

#[cfg(test)]
mod tests;
