//! What differs between seeds beside faults: how fast disks and clients are, how much is kept.
//!
//! Way in: [`Knobs::draw`].  Spec: FoundationDB randomises its knobs in simulation, so that no run
//! is only the usual one.

use std::time::Duration;

use actors_core::Rng;
use actors_sim::DiskFaults;
use chaos_plan::Tuning;

/// What a seed draws once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Knobs {
    /// How disks behave that have no fault.
    pub(crate) disk: DiskFaults,
    /// The longest pause of a client between two operations.
    pub(crate) pause_max: Duration,
    /// How many of a million operations of clients are about what control loops work on.
    pub(crate) control_ppm: u32,
    /// How often history is compacted.
    pub(crate) compact_every: Option<Duration>,
    /// How many revisions a compaction leaves readable.
    pub(crate) compact_keep: u64,
    /// Applied entries that a leader keeps in memory for followers that lag.
    pub(crate) cache_entries_max: usize,
    /// Applied entries that the log keeps on disk.
    pub(crate) log_keep: u64,
    /// Events that the ring holds.
    pub(crate) ring_events: usize,
}

impl Knobs {
    /// The same, but for what a plan sets.
    pub(crate) fn tuned(mut self, tuning: &Tuning) -> Self {
        self.pause_max = tuning.pause_max.unwrap_or(self.pause_max);
        self.control_ppm = tuning.control_ppm.unwrap_or(self.control_ppm);
        if let Some(sync_max) = tuning.sync_max {
            (self.disk.sync_min, self.disk.sync_max) = (sync_max / 3, sync_max);
        }
        self
    }

    /// The knobs of a seed.
    pub(crate) fn draw(rng: &mut Rng) -> Self {
        let micros = |rng: &mut Rng, low, high| Duration::from_micros(rng.between(low, high));
        let (fastest, slowest) = match rng.below(3) {
            0 => (50, 200),
            1 => (400, 3_000),
            _ => (2_000, 9_000),
        };
        let sync_min = micros(rng, fastest / 2, fastest);
        let sync_max = micros(rng, fastest, slowest);
        let small =
            |rng: &mut Rng, low, high| usize::try_from(rng.between(low, high)).unwrap_or(64);
        Self {
            disk: DiskFaults { sync_min, sync_max, ..DiskFaults::default() },
            pause_max: Duration::from_millis(rng.between(30, 160)),
            control_ppm: u32::try_from(rng.between(20_000, 120_000)).unwrap_or(50_000),
            compact_every: rng.chance(500_000).then(|| Duration::from_secs(rng.between(3, 12))),
            compact_keep: rng.between(10, 400),
            cache_entries_max: small(rng, 16, 400),
            log_keep: rng.between(4, 150),
            ring_events: small(rng, 16, 400),
        }
    }
}
