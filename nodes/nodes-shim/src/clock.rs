//! The shim's clocks, and time stamps of log lines.

use actors_core::{Mono, Now, Wall};
use nix::{
    sys::time::TimeSpec,
    time::{ClockId, clock_gettime},
};

const SECOND_NS: i64 = 1_000_000_000;
const DAY_S: i64 = 86_400;

/// Reads both clocks.
pub(crate) fn now() -> Now {
    Now { mono: mono(), wall: Wall(read(ClockId::CLOCK_REALTIME)) }
}

/// Reads the clock that never jumps.
pub(crate) fn mono() -> Mono {
    Mono(u64::try_from(read(ClockId::CLOCK_BOOTTIME)).unwrap_or(0))
}

fn read(clock: ClockId) -> i64 {
    // Linux has both clocks always; a zero would only make a stamp wrong.
    clock_gettime(clock).map_or(0, |time| time.tv_sec() * SECOND_NS + time.tv_nsec())
}

/// The kernel's form of an instant.
pub(crate) fn time_spec(at: Mono) -> TimeSpec {
    let nanos = i64::try_from(at.0).unwrap_or(i64::MAX);
    TimeSpec::new(nanos / SECOND_NS, nanos % SECOND_NS)
}

/// `2026-11-21T08:00:00.000000000Z`: the stamp of the CRI's log lines, RFC 3339 with nanoseconds, in UTC.
pub(crate) fn stamp(at: Wall) -> String {
    let seconds = at.0.div_euclid(SECOND_NS);
    let nanos = at.0.rem_euclid(SECOND_NS);
    let (year, month, day) = civil(seconds.div_euclid(DAY_S));
    let second = seconds.rem_euclid(DAY_S);
    let (hour, minute) = (second / 3_600, second / 60 % 60);
    let second = second % 60;
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{nanos:09}Z")
}

/// Year, month and day of a number of days since 1970-01-01. Years are counted from March, so that the leap day is
/// the last of its year, and eras are the 400 years after which the calendar repeats.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::{Wall, stamp};

    #[test]
    fn stamps_are_utc_with_nanoseconds() {
        assert_eq!(stamp(Wall(0)), "1970-01-01T00:00:00.000000000Z");
        assert_eq!(stamp(Wall(1_795_248_000_000_000_001)), "2026-11-21T08:00:00.000000001Z");
        assert_eq!(stamp(Wall(951_782_400_000_000_000)), "2000-02-29T00:00:00.000000000Z");
        assert_eq!(stamp(Wall(-1)), "1969-12-31T23:59:59.999999999Z");
    }
}
