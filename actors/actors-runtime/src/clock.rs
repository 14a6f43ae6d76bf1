//! The one place that reads clocks, and the one that asks the operating system for a seed.
//!
//! Way in: [`Clock::now`], [`entropy`].  Never: a decision; whoever decides is given [`Now`].
//! Spec: clock_gettime(2): `CLOCK_BOOTTIME` never jumps and counts suspend; `CLOCK_REALTIME` is
//! what people read.

use std::{cell::Cell, fs::File, io::Read};

use actors_core::{Mono, Now, Rng, Wall};
use nix::time::{ClockId, clock_gettime};

/// Reads both clocks of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct Clock;

/// How many nanoseconds the time of day is told from the time for intervals before it is read again:
/// a step of it is seen that much later at most.
const FRESH: u64 = 1_000_000;

thread_local! {
    /// What both clocks showed when this thread read both of them last.
    static READ: Cell<(Mono, Wall)> = const { Cell::new((Mono(0), Wall(0))) };
}

impl Clock {
    /// Both clocks; one of them is read, most often.
    #[must_use]
    pub fn now(self) -> Now {
        let mono = self.mono();
        let (then, wall) = READ.get();
        let since = mono.0.saturating_sub(then.0);
        if then.0 > 0 && since < FRESH {
            let since = i64::try_from(since).unwrap_or(0);
            return Now { mono, wall: Wall(wall.0.saturating_add(since)) };
        }
        let (seconds, nanos) = read(ClockId::CLOCK_REALTIME);
        let wall = Wall(seconds.saturating_mul(NANOS).saturating_add(nanos));
        READ.set((mono, wall));
        Now { mono, wall }
    }

    /// Only the clock for intervals.
    #[must_use]
    pub fn mono(self) -> Mono {
        let (seconds, nanos) = read(ClockId::CLOCK_BOOTTIME);
        Mono(u64::try_from(seconds.saturating_mul(NANOS).saturating_add(nanos)).unwrap_or(0))
    }
}

const NANOS: i64 = 1_000_000_000;

/// The kernel fails only for a clock that it does not have; every Linux since 2.6.39 has both.
fn read(clock: ClockId) -> (i64, i64) {
    clock_gettime(clock).map_or((0, 0), |time| (time.tv_sec(), time.tv_nsec()))
}

/// A stream of randomness that nobody can guess, from the kernel's pool.
///
/// # Errors
/// The kernel's, if `/dev/urandom` cannot be read; nothing should start without it.
pub fn entropy() -> std::io::Result<Rng> {
    let mut seed = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut seed)?;
    Ok(Rng::from_seed(seed))
}
