//! Stamps as Kubernetes writes them: RFC 3339 in UTC, with seconds (`Time`) or microseconds
//! (`MicroTime`).
//!
//! Way in: [`seconds`], [`micros`], [`parse`].

use actors_core::Wall;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// `2026-11-21T08:05:00Z`; what is below a second is cut off.
#[must_use]
pub fn seconds(at: Wall) -> String {
    let Some(stamp) = date(at) else { return String::new() };
    format!("{}Z", head(&stamp))
}

/// `2026-11-21T08:05:00.000000Z`; what is below a microsecond is cut off.
#[must_use]
pub fn micros(at: Wall) -> String {
    let Some(stamp) = date(at) else { return String::new() };
    format!("{}.{:06}Z", head(&stamp), stamp.microsecond())
}

/// `2026-11-21T08:05:00.000000000Z`: how log lines are stamped.
#[must_use]
pub fn nanos(at: Wall) -> String {
    let Some(stamp) = date(at) else { return String::new() };
    format!("{}.{:09}Z", head(&stamp), stamp.nanosecond())
}

/// Reads a stamp in any zone, with or without fractions; `None` if it is none, or lies outside 1678
/// to 2262.
#[must_use]
pub fn parse(text: &str) -> Option<Wall> {
    let stamp = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    i64::try_from(stamp.unix_timestamp_nanos()).ok().map(Wall)
}

fn date(at: Wall) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.0)).ok()
}

fn head(stamp: &OffsetDateTime) -> String {
    let (year, month, day) = (stamp.year(), u8::from(stamp.month()), stamp.day());
    let (hour, minute, second) = stamp.to_hms();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_survive_a_round_trip() {
        let at = Wall(1_795_248_300_123_456_789);
        assert_eq!(seconds(at), "2026-11-21T08:05:00Z");
        assert_eq!(micros(at), "2026-11-21T08:05:00.123456Z");
        assert_eq!(parse(&nanos(at)), Some(at));
        assert_eq!(parse("2026-11-21T10:05:00+02:00"), Some(Wall(1_795_248_300_000_000_000)));
        assert_eq!(seconds(Wall(0)), "1970-01-01T00:00:00Z");
        for bad in ["", "2026", "2026-13-01T00:00:00Z", "9999-01-01T00:00:00Z", "yesterday"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
