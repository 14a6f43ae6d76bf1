//! The one place that reads clocks, and the one that asks the operating system for a seed.
//!
//! Way in: [`Clock::now`], [`entropy`].  Never: a decision; whoever decides is given [`Now`].
//! Spec: clock_gettime(2): `CLOCK_BOOTTIME` never jumps and counts suspend; `CLOCK_REALTIME` is
//! what people read.

use std::{fs::File, io::Read};

use actors_core::{Mono, Now, Rng, Wall};
use nix::time::{ClockId, clock_gettime};

/// Reads both clocks of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct Clock;

impl Clock {
    /// Both clocks, read one after the other.
    #[must_use]
    pub fn now(self) -> Now {
        let (mono_s, mono_ns) = read(ClockId::CLOCK_BOOTTIME);
        let (wall_s, wall_ns) = read(ClockId::CLOCK_REALTIME);
        let mono = u64::try_from(mono_s.saturating_mul(NANOS).saturating_add(mono_ns)).unwrap_or(0);
        Now { mono: Mono(mono), wall: Wall(wall_s.saturating_mul(NANOS).saturating_add(wall_ns)) }
    }

    /// Only the clock for intervals: half the price of [`Clock::now`].
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
