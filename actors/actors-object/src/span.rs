//! Spans of time in text, as Kubernetes' durations are written: `30s`, `1m30s`, `1.5h`.
//!
//! Way in: [`parse`].  Spec: the documentation of Go's `time.ParseDuration`, which `metav1.Duration`
//! and the query parameter `timeout` refer to.

use std::time::Duration;

/// Reads a span: numbers, each with a fraction or without one and with a unit of `ns`, `us` (or
/// `µs`), `ms`, `s`, `m`, `h`; nought may stand alone. `None`: it is not written so, is negative, or
/// does not fit in 2^64 seconds.
#[must_use]
pub fn parse(text: &str) -> Option<Duration> {
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Some(Duration::ZERO);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let (part, after) = part(rest)?;
        total = total.checked_add(part)?;
        rest = after;
    }
    Some(total)
}

/// One number with its unit, and what stands behind them.
fn part(text: &str) -> Option<(Duration, &str)> {
    let (number, behind) = split(text, |one| !one.is_ascii_digit() && one != '.');
    let (unit, rest) = split(behind, |one| one.is_ascii_digit() || one == '.');
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    let unit = nanos(unit)?;
    let mut total = digits(whole)?.checked_mul(unit)?;
    // What is finer than a nanosecond is cut off.
    let mut place = unit;
    for digit in fraction.chars().filter_map(|one| one.to_digit(10)) {
        place /= 10;
        total = total.checked_add(place * u128::from(digit))?;
    }
    let seconds = u64::try_from(total / NANOS_PER_SECOND).ok()?;
    let left = u32::try_from(total % NANOS_PER_SECOND).ok()?;
    Some((Duration::new(seconds, left), rest))
}

const NANOS_PER_SECOND: u128 = 1_000_000_000;

fn split(text: &str, ends: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(ends).unwrap_or(text.len()))
}

fn digits(text: &str) -> Option<u128> {
    if text.is_empty() { Some(0) } else { text.parse().ok() }
}

fn nanos(unit: &str) -> Option<u128> {
    Some(match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => NANOS_PER_SECOND,
        "m" => 60 * NANOS_PER_SECOND,
        "h" => 3_600 * NANOS_PER_SECOND,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, nanos: u128) {
        assert_eq!(parse(text).map(|span| span.as_nanos()), Some(nanos), "{text}");
    }

    #[test]
    fn spans_are_read_as_go_writes_them() {
        check("0", 0);
        check("0s", 0);
        check("5s", 5_000_000_000);
        check("+1m30s", 90_000_000_000);
        check("1h0.5s", 3_600_500_000_000);
        check(".5s", 500_000_000);
        check("1.s", 1_000_000_000);
        check("1.23456789019s", 1_234_567_890);
        check("2ms3us4ns", 2_003_004);
        check("7µs", 7_000);
    }

    #[test]
    fn what_is_no_span_is_refused() {
        let long = format!("{}s", "9".repeat(60));
        for text in ["", "+", "5", "s", ".s", "-5s", "1..5s", "5 s", "5x", "5sm", "1d", &long] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
