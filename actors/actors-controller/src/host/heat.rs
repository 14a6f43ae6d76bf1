//! Notices keys that make the same changes again and again.
//!
//! Way in: [`Heat::is_hot`].  Never: an interest in plans that change nothing, or in different
//! plans in a row.

use std::{collections::BTreeMap, time::Duration};

use actors_core::Mono;

use crate::{Key, digest::Digest};

/// Counts equal plans of each key within a minute.
#[derive(Debug)]
pub(super) struct Heat {
    repeats_max: u32,
    window_start: Mono,
    counts: BTreeMap<Key, Count>,
}

#[derive(Debug, Default)]
struct Count {
    /// Fingerprints of the last plans, so that two plans that undo each other are noticed too.
    recent: [u64; 4],
    next: usize,
    repeats: u32,
}

impl Heat {
    const WINDOW: Duration = Duration::from_secs(60);

    pub(super) fn new(repeats_max: u32) -> Self {
        Self { repeats_max, window_start: Mono(0), counts: BTreeMap::new() }
    }

    /// Notes a plan that changes something; true if `key` has made such a plan too often within
    /// this minute.
    pub(super) fn is_hot<'a>(
        &mut self,
        key: &Key,
        lines: impl Iterator<Item = &'a str>,
        now: Mono,
    ) -> bool {
        if now.since(self.window_start) >= Self::WINDOW {
            self.window_start = now;
            self.counts.clear();
        }
        let print = lines.fold(Digest::EMPTY, Digest::and).number();
        let count = self.counts.entry(key.clone()).or_default();
        if count.recent.contains(&print) {
            count.repeats += 1;
        } else {
            count.recent[count.next] = print;
            count.next = (count.next + 1) % count.recent.len();
        }
        let hot = count.repeats >= self.repeats_max;
        if hot {
            self.counts.remove(key);
        }
        hot
    }
}
