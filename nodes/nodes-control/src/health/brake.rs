//! When a death has no consequences yet: while most nodes are silent at once, and when many die
//! together.
//!
//! Way in: [`Brake::look`], [`Brake::take`].
//! Spec: Kubernetes documentation, "Nodes", rate limits on eviction. Upstream evicts one node in
//! ten seconds, since it knows of silence only; a verdict is the word of a majority, so here the
//! first of a cluster's deaths pass at once.

use std::time::Duration;

use actors_controllers::dead_nodes::Silence;
use actors_core::{Mono, Now};

/// See the module.
#[derive(Debug, Clone)]
pub struct Brake {
    /// Deaths that may pass at once.
    tokens: u64,
    /// Since when the next one is being waited for.
    filling_since: Mono,
    /// When most nodes were silent last.
    storm: Option<Mono>,
    is_on: bool,
}

impl Default for Brake {
    fn default() -> Self {
        Self { tokens: u64::MAX, filling_since: Mono(0), storm: None, is_on: false }
    }
}

impl Brake {
    /// Deaths that pass at once in a small cluster.
    const BURST: u64 = 4;
    /// In a larger one: one node in so many.
    const BURST_SHARE: u64 = 10;
    /// One more passes in this time.
    const EVERY: Duration = Duration::from_secs(1);
    /// For so long after most nodes were silent, those that still are may yet come back as the
    /// others did.
    pub const CALM: Duration = Duration::from_secs(10);

    /// Looks at how many nodes are silent.
    pub(super) fn look(&mut self, silence: Silence, now: Now) {
        let burst = Self::BURST.max(silence.all as u64 / Self::BURST_SHARE);
        let ticks = now.mono.since(self.filling_since).as_nanos() / Self::EVERY.as_nanos();
        let ticks = u64::try_from(ticks).unwrap_or(u64::MAX);
        self.tokens = self.tokens.saturating_add(ticks);
        self.filling_since = Mono(self.filling_since.0 + ticks * 1_000_000_000);
        if self.tokens >= burst {
            (self.tokens, self.filling_since) = (burst, now.mono);
        }
        if silence.stops_eviction() {
            self.storm = Some(now.mono);
        }
        self.is_on = self.storm.is_some_and(|at| now.mono.since(at) < Self::CALM);
    }

    /// Whether nothing passes, since most nodes were silent just now.
    pub(super) fn is_on(&self) -> bool {
        self.is_on
    }

    /// Lets one death pass, if it may.
    pub(super) fn take(&mut self) -> bool {
        let passes = !self.is_on && self.tokens > 0;
        self.tokens -= u64::from(passes);
        passes
    }

    /// When a death that may not pass now should be looked at again.
    pub(super) fn next(&self, now: Now) -> Mono {
        match self.storm.filter(|_| self.is_on) {
            Some(storm) => storm.after(Self::CALM).max(now.mono.after(Duration::from_millis(1))),
            None => self.filling_since.after(Self::EVERY),
        }
    }
}
