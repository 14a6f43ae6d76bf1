//! Virtual time, and how each node's clocks differ from it.
//!
//! Way in: [`NodeClock::now`].  Invariant: a node's `Mono` never goes back, whatever its wall clock
//! and its rate do.

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
    /// When the clocks showed what follows: the beginning, or the last change of their rate.
    pub since: SimTime,
    /// What `Mono` was then, in nanoseconds; arbitrary, as on a real machine.
    pub mono_zero: u64,
    /// What `Wall` was then, in nanoseconds since the Unix epoch. A jump changes it.
    pub wall_zero: i64,
    /// How much faster than true time both clocks run, in millionths; negative is slower, above
    /// -1,000,000.
    pub drift_ppm: i32,
}

impl Default for NodeClock {
    fn default() -> Self {
        // 2026-01-01T00:00:00Z: far enough from zero that a forgotten stamp is seen.
        let (mono_zero, wall_zero) = (1_000_000_000, 1_767_225_600_000_000_000);
        Self { since: SimTime::default(), mono_zero, wall_zero, drift_ppm: 0 }
    }
}

const MILLION: u128 = 1_000_000;

impl NodeClock {
    /// What this node's clocks show at `time`.
    #[must_use]
    pub fn now(&self, time: SimTime) -> Now {
        let passed = self.stretch(time.0.saturating_sub(self.since.0));
        let wall = self.wall_zero.saturating_add_unsigned(passed);
        Now { mono: Mono(self.mono_zero.saturating_add(passed)), wall: Wall(wall) }
    }

    /// The first true instant at which this node's clock shows `mono`.
    #[must_use]
    pub fn when(&self, mono: Mono) -> SimTime {
        let passed = u128::from(mono.0.saturating_sub(self.mono_zero));
        let passed = (passed * MILLION).div_ceil(self.rate());
        SimTime(self.since.0.saturating_add(u64::try_from(passed).unwrap_or(u64::MAX)))
    }

    /// Changes the rate from `time` on; what the clocks show then stays.
    pub(crate) fn set_drift(&mut self, time: SimTime, drift_ppm: i32) {
        let shown = self.now(time);
        let (mono_zero, wall_zero) = (shown.mono.0, shown.wall.0);
        *self = Self { since: time, mono_zero, wall_zero, drift_ppm };
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
