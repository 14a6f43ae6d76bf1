//! Virtual time, and how each node's clocks differ from it.
//!
//! Way in: [`NodeClock::now`].  Invariant: a node's `Mono` never goes back, whatever its wall clock
//! does.

use std::time::Duration;

use actors_core::{Mono, Now, Wall};
use serde::{Deserialize, Serialize};

/// Nanoseconds since the simulation began; the only true time in it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct SimTime(pub u64);

impl SimTime {
    /// The instant `span` later; saturates.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// How the clocks of one node run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeClock {
    /// What `Mono` is at the beginning, in nanoseconds; arbitrary, as on a real machine.
    pub mono_zero: u64,
    /// What `Wall` is at the beginning, in nanoseconds since the Unix epoch. A jump changes it.
    pub wall_zero: i64,
    /// How much faster than true time both clocks run, in millionths; negative is slower, above
    /// -1,000,000.
    pub drift_ppm: i32,
}

impl Default for NodeClock {
    fn default() -> Self {
        // 2026-01-01T00:00:00Z: far enough from zero that a forgotten stamp is seen.
        Self { mono_zero: 1_000_000_000, wall_zero: 1_767_225_600_000_000_000, drift_ppm: 0 }
    }
}

const MILLION: u128 = 1_000_000;

impl NodeClock {
    /// What this node's clocks show at `time`.
    #[must_use]
    pub fn now(&self, time: SimTime) -> Now {
        let passed = self.stretch(time.0);
        let wall = self.wall_zero.saturating_add_unsigned(passed);
        Now { mono: Mono(self.mono_zero.saturating_add(passed)), wall: Wall(wall) }
    }

    /// The first true instant at which this node's clock shows `mono`.
    #[must_use]
    pub fn when(&self, mono: Mono) -> SimTime {
        let passed = u128::from(mono.0.saturating_sub(self.mono_zero));
        let at = (passed * MILLION).div_ceil(self.rate());
        SimTime(u64::try_from(at).unwrap_or(u64::MAX))
    }

    fn stretch(&self, nanos: u64) -> u64 {
        if self.drift_ppm == 0 {
            return nanos;
        }
        u64::try_from(u128::from(nanos) * self.rate() / MILLION).unwrap_or(u64::MAX)
    }

    fn rate(&self) -> u128 {
        u128::try_from(1_000_000 + i64::from(self.drift_ppm)).unwrap_or(1).max(1)
    }
}
