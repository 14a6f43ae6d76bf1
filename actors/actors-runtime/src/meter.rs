//! Counts the work of one life, and notices what takes long.
//!
//! Way in: [`Meter`].  Never: a decision; whoever is slow is named by `System`.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use actors_core::Mono;

use crate::{
    clock::Clock,
    observer::{Node, Slow},
    task::lock,
    watchdog::BUDGET,
};

/// How long somebody who was slow is not named again.
pub(crate) const QUIET: Duration = Duration::from_secs(60);

/// Counts work.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    processed: AtomicU64,
    busy_ns: AtomicU64,
    /// Since when the host handles what it handles now; 0 if that is nothing.
    since_ns: AtomicU64,
    slow: Mutex<Noted>,
}

#[derive(Debug, Default)]
struct Noted {
    slow: Slow,
    /// The longest since the last look.
    newest: Duration,
    /// The longest that was named, and when.
    named: Option<(Duration, Mono)>,
}

/// Adds the time until it is dropped.
pub(crate) struct Busy<'a> {
    meter: &'a Meter,
    since: Mono,
}

impl Meter {
    pub(crate) fn start(&self, pieces: u64) -> Busy<'_> {
        self.processed.fetch_add(pieces, Ordering::Relaxed);
        Busy { meter: self, since: Clock.mono() }
    }

    pub(crate) fn add(&self, pieces: u64, busy: Duration) {
        self.processed.fetch_add(pieces, Ordering::Relaxed);
        self.busy_ns.fetch_add(nanos(busy), Ordering::Relaxed);
    }

    /// The host handles something from now on.
    #[inline]
    pub(crate) fn begin(&self, now: Mono) {
        self.since_ns.store(now.0, Ordering::Relaxed);
    }

    /// The host handles nothing.
    #[inline]
    pub(crate) fn rest(&self) {
        self.since_ns.store(0, Ordering::Relaxed);
    }

    /// How long the host is at what it handles now.
    fn handling(&self, now: Mono) -> Duration {
        match self.since_ns.load(Ordering::Relaxed) {
            0 => Duration::ZERO,
            since => now.since(Mono(since)),
        }
    }

    /// Notes one event that may have taken too long.
    #[inline]
    pub(crate) fn note(&self, busy: Duration) {
        if busy >= BUDGET {
            let mut noted = lock(&self.slow);
            noted.slow.add(busy);
            noted.newest = noted.newest.max(busy);
        }
    }

    /// How long it took for one event since the last look, or is at one still, if it is to be named
    /// for that: by far the longest so far, and some time after the last one.
    pub(crate) fn name(&self, now: Mono) -> Option<Duration> {
        let handling = self.handling(now);
        let mut noted = lock(&self.slow);
        let taken = std::mem::take(&mut noted.newest).max(handling);
        let is_known =
            noted.named.is_some_and(|(longest, at)| taken <= longest * 2 || now.since(at) < QUIET);
        if taken < BUDGET || is_known {
            return None;
        }
        noted.named = Some((taken, now));
        Some(taken)
    }

    /// What people may see.
    pub(crate) fn show(&self, node: &mut Node, now: Mono) {
        let handling = self.handling(now);
        node.processed = self.processed();
        node.busy_us = self.busy_us();
        node.slow = lock(&self.slow).slow;
        show_handling(node, handling);
    }

    pub(crate) fn slow(&self) -> Slow {
        lock(&self.slow).slow
    }

    pub(crate) fn processed(&self) -> u64 {
        self.processed.load(Ordering::Relaxed)
    }

    pub(crate) fn busy_us(&self) -> u64 {
        self.busy_ns.load(Ordering::Relaxed) / 1_000
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        let busy = Clock.mono().since(self.since);
        self.meter.add(0, busy);
        self.meter.note(busy);
    }
}

/// Adds what is handled now: who hangs is busy, and slow.
pub(crate) fn show_handling(node: &mut Node, handling: Duration) {
    node.busy_us += nanos(handling) / 1_000;
    if handling >= BUDGET {
        node.slow.add(handling);
    }
}

/// A time in nanoseconds, for counters.
pub(crate) fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn named(meter: &Meter, at_ms: u64) -> Option<u128> {
        meter.name(Mono(at_ms * MS)).map(|taken| taken.as_millis())
    }

    #[test]
    fn who_is_slow_is_named_soon_and_again_only_if_it_is_much_slower_later() {
        let (meter, ms) = (Meter::default(), Duration::from_millis);
        meter.note(ms(9));
        assert_eq!(named(&meter, 1), None);
        meter.note(ms(11));
        meter.note(ms(30));
        meter.note(ms(12));
        assert_eq!(named(&meter, 2), Some(30));
        meter.note(ms(500));
        // It is counted all the same.
        assert_eq!((named(&meter, 3), meter.slow().count), (None, 4));
        meter.note(ms(60));
        assert_eq!(named(&meter, 60_002), None);
        meter.note(ms(61));
        assert_eq!(named(&meter, 60_003), Some(61));
    }

    #[test]
    fn who_hangs_is_named_while_it_hangs() {
        let meter = Meter::default();
        meter.begin(Mono(5 * MS));
        assert_eq!((named(&meter, 14), named(&meter, 15)), (None, Some(10)));
        meter.rest();
        assert_eq!(named(&meter, 100_000), None);
    }
}
