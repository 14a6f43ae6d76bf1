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
    parse_own(text.as_bytes()).or_else(|| parse_any(text))
}

fn parse_any(text: &str) -> Option<Wall> {
    let stamp = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    i64::try_from(stamp.unix_timestamp_nanos()).ok().map(Wall)
}

/// Reads a stamp as they are written here, in UTC; `None` for every other. Each object has several.
fn parse_own(text: &[u8]) -> Option<Wall> {
    let (head, tail) = text.split_first_chunk::<19>()?;
    let number = |from: usize, len: usize| digits(head.get(from..from + len)?);
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if marks.iter().any(|(at, mark)| head[*at] != *mark) {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 2)?, number(8, 2)?);
    let (hour, minute, second) = (number(11, 2)?, number(14, 2)?, number(17, 2)?);
    // February and short months are left to the other way from the 29th on.
    let is_plain = (1_700..2_200).contains(&year)
        && (1..=12).contains(&month)
        && (1..=28).contains(&day)
        && (hour, minute, second) < (24, 0, 0)
        && minute < 60
        && second < 60;
    if !is_plain {
        return None;
    }
    let fraction = match tail {
        [b'Z'] => 0,
        [b'.', fraction @ .., b'Z'] if (1..=9).contains(&fraction.len()) => {
            (fraction.len()..9).fold(digits(fraction)?, |sum, _| sum * 10)
        }
        _ => return None,
    };
    let days = days_before(year, month) + day - 1;
    let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second;
    Some(Wall(seconds * 1_000_000_000 + fraction))
}

fn digits(text: &[u8]) -> Option<i64> {
    let digit = |byte: &u8| byte.is_ascii_digit().then(|| i64::from(byte - b'0'));
    text.iter().try_fold(0, |sum, byte| Some(sum * 10 + digit(byte)?))
}

/// Days from the beginning of 1970 to that of a month, in the Gregorian calendar: years begin in March here, so that
/// the day that leap years add is their last one.
fn days_before(year: i64, month: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leaps = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leaps + (month * 153 + 2) / 5 - 719_468
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
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn both_ways_read_the_same(nanos: i64, at in 0..30_usize, byte in 0x20..0x7f_u8) {
            for text in [seconds(Wall(nanos)), micros(Wall(nanos)), super::nanos(Wall(nanos))] {
                prop_assert_eq!(parse(&text), parse_any(&text));
                let mut bytes = text.into_bytes();
                if let Some(place) = bytes.get_mut(at) {
                    *place = byte;
                }
                let text = String::from_utf8_lossy(&bytes);
                prop_assert_eq!(parse(&text), parse_any(&text), "{}", text);
            }
        }
    }

    #[test]
    fn every_day_is_read_without_another_way() {
        let day = 86_400 * 1_000_000_000;
        for number in -80_000..80_000 {
            let at = Wall(number * day + 3_723 * 1_000_000_000);
            let text = seconds(at);
            let is_plain = !["29", "30", "31"].contains(&&text[8..10]);
            assert_eq!(parse_own(text.as_bytes()), is_plain.then_some(at), "{text}");
        }
    }

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
