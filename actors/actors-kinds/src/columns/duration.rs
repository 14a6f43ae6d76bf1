//! Spans of time as people read them: two units at most, fewer as they grow.

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 365 * DAY;

/// `90s`, `5m30s`, `90m`, `5h10m`, `30h`, `5d3h`, `100d`, `3y20d`, `9y`: what the AGE column shows.
#[must_use]
pub fn human_duration(seconds: i64) -> String {
    match seconds {
        // Clocks of two machines differ a little; by more than a second, something is wrong.
        ..-1 => "<invalid>".to_owned(),
        -1..0 => "0s".to_owned(),
        _ if seconds < 2 * MINUTE => format!("{seconds}s"),
        _ if seconds < 10 * MINUTE => two(seconds, (MINUTE, "m"), (1, "s")),
        _ if seconds < 3 * HOUR => format!("{}m", seconds / MINUTE),
        _ if seconds < 8 * HOUR => two(seconds, (HOUR, "h"), (MINUTE, "m")),
        _ if seconds < 2 * DAY => format!("{}h", seconds / HOUR),
        _ if seconds < 8 * DAY => two(seconds, (DAY, "d"), (HOUR, "h")),
        _ if seconds < 2 * YEAR => format!("{}d", seconds / DAY),
        _ if seconds < 8 * YEAR => two(seconds, (YEAR, "y"), (DAY, "d")),
        _ => format!("{}y", seconds / YEAR),
    }
}

/// Two units, the smaller left out when it is zero.
fn two(seconds: i64, (large, large_name): (i64, &str), (small, small_name): (i64, &str)) -> String {
    let rest = seconds % large / small;
    if rest == 0 {
        format!("{}{large_name}", seconds / large)
    } else {
        format!("{}{large_name}{rest}{small_name}", seconds / large)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_get_coarser_as_they_grow() {
        let check = |seconds: i64, expected: &str| assert_eq!(human_duration(seconds), expected);
        check(-5, "<invalid>");
        check(-1, "0s");
        check(119, "119s");
        check(120, "2m");
        check(125, "2m5s");
        check(10 * MINUTE + 5, "10m");
        check(3 * HOUR, "3h");
        check(3 * HOUR + 5 * MINUTE, "3h5m");
        check(9 * HOUR + 5 * MINUTE, "9h");
        check(2 * DAY + HOUR, "2d1h");
        check(9 * DAY + HOUR, "9d");
        check(2 * YEAR, "2y");
        check(3 * YEAR + 20 * DAY, "3y20d");
        check(9 * YEAR, "9y");
    }
}
