//! What a piece of work costs: bytes allocated, the most of them at one time, and time on a processor.
//!
//! Way in: [`metered`].  Allocations are counted, so they are the same in each run; time is that of this thread's
//! processor, not of a wall, and its bound is so wide that only work beyond the linear meets it.

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    time::Duration,
};

use nix::time::{ClockId, clock_gettime};

/// What work on an input may cost: so much, and so much more for each of its bytes.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Bytes allocated at one time.
    pub peak: (u64, u64),
    /// Bytes allocated in all.
    pub total: (u64, u64),
    /// Nanoseconds of a processor.
    pub nanos: (u64, u64),
}

/// The time that this thread has had.
fn spent() -> Duration {
    let had = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("every Linux has this clock");
    Duration::from(had)
}

/// Does the work on an input of `len` bytes, and holds it to its bounds.
///
/// # Panics
/// If it cost more.
pub fn metered<T>(len: usize, bounds: Bounds, work: impl FnOnce() -> T) -> T {
    let mut done = None;
    let began = spent();
    let cost = allocation_counter::measure(|| {
        // A panic must not pass through the counter, which would go on counting.
        done = Some(catch_unwind(AssertUnwindSafe(work)));
    });
    let nanos = u64::try_from((spent() - began).as_nanos()).unwrap_or(u64::MAX);
    let done = done.expect("the work was done").unwrap_or_else(|panic| resume_unwind(panic));
    let len = u64::try_from(len).unwrap_or(u64::MAX);
    let most = |(base, each): (u64, u64)| base + each * len;
    for (what, had, most) in [
        ("bytes at one time", cost.bytes_max, most(bounds.peak)),
        ("bytes in all", cost.bytes_total, most(bounds.total)),
        ("nanoseconds", nanos, most(bounds.nanos)),
    ] {
        assert!(had <= most, "an input of {len} bytes cost {had} {what}, more than {most}");
    }
    done
}
