//! Whether a text is a schedule: five fields, or a word for them.
//!
//! Spec: documentation, "CronJob", "schedule syntax".

/// Words in place of five fields.
const WORDS: [&str; 7] =
    ["@annually", "@daily", "@hourly", "@midnight", "@monthly", "@weekly", "@yearly"];
const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// A field: its name, its bounds, and names for its numbers from the lower bound on.
struct Field {
    name: &'static str,
    first: u32,
    last: u32,
    names: &'static [&'static str],
}

const FIELDS: [Field; 5] = [
    Field { name: "minute", first: 0, last: 59, names: &[] },
    Field { name: "hour", first: 0, last: 23, names: &[] },
    Field { name: "day of the month", first: 1, last: 31, names: &[] },
    Field { name: "month", first: 1, last: 12, names: &MONTHS },
    Field { name: "day of the week", first: 0, last: 6, names: &DAYS },
];

/// Checks a schedule.
///
/// # Errors
/// What is wrong with it.
pub(super) fn check(text: &str) -> Result<(), String> {
    if let Some(period) = text.strip_prefix("@every ") {
        return check_period(period);
    }
    if text.starts_with('@') {
        let is_known = WORDS.contains(&text);
        return if is_known { Ok(()) } else { Err(format!("{text:?} is no word for a schedule")) };
    }
    let parts: Vec<&str> = text.split_whitespace().collect();
    if parts.len() != FIELDS.len() {
        return Err(format!("expected exactly 5 fields, found {}: {text:?}", parts.len()));
    }
    parts.iter().zip(&FIELDS).try_for_each(|(part, field)| {
        part.split(',').try_for_each(|range| check_range(range, field))
    })
}

/// `*`, `3`, `1-5`, each with `/STEP` or without.
fn check_range(range: &str, field: &Field) -> Result<(), String> {
    let (bounds, step) = match range.split_once('/') {
        Some((bounds, step)) => (bounds, Some(step)),
        None => (range, None),
    };
    let bad = |what: &str| format!("{range:?} is no {} of a schedule: {what}", field.name);
    if let Some(step) = step
        && !step.parse::<u32>().is_ok_and(|step| step > 0)
    {
        return Err(bad("its step must be a number above 0"));
    }
    if matches!(bounds, "*" | "?") {
        return Ok(());
    }
    let (first, last) = bounds.split_once('-').unwrap_or((bounds, bounds));
    let number = |text: &str| read(text, field).ok_or_else(|| bad("it holds no number"));
    let (first, last) = (number(first)?, number(last)?);
    if first < field.first || last > field.last {
        return Err(bad(&format!("it must lie between {} and {}", field.first, field.last)));
    }
    if first > last { Err(bad("it ends before it begins")) } else { Ok(()) }
}

fn read(text: &str, field: &Field) -> Option<u32> {
    let lower = text.to_ascii_lowercase();
    let at = field.names.iter().position(|name| *name == lower);
    match at.and_then(|at| u32::try_from(at).ok()) {
        Some(at) => Some(field.first + at),
        None if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
        None => None,
    }
}

/// A period as clients of Go write it: `1h30m`.
fn check_period(period: &str) -> Result<(), String> {
    let bad = || format!("{period:?} is no period, such as 1h30m");
    let mut rest = period;
    while !rest.is_empty() {
        let digits =
            rest.trim_start_matches(|letter: char| letter.is_ascii_digit() || letter == '.');
        let number = rest.get(..rest.len() - digits.len()).unwrap_or_default();
        let unit = ["ms", "us", "ns", "h", "m", "s"].iter().find(|unit| digits.starts_with(**unit));
        let (Some(unit), Ok(_)) = (unit, number.parse::<f64>()) else { return Err(bad()) };
        rest = digits.get(unit.len()..).unwrap_or_default();
    }
    if period.is_empty() { Err(bad()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_are_read_as_documented() {
        for good in [
            "* * * * *",
            "*/15 0-6,22 1 jan-DEC mon,3",
            "0 0 13 * 5",
            "? ? ? ? ?",
            "@yearly",
            "@every 1h30m",
            "5/10 * * * *",
        ] {
            assert_eq!(check(good), Ok(()), "{good:?}");
        }
        for bad in [
            "",
            "* * * *",
            "* * * * * *",
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * * 13 *",
            "* * * * 7",
            "5-1 * * * *",
            "*/0 * * * *",
            "a * * * *",
            "@never",
            "@every",
            "@every 1 hour",
            "-1 * * * *",
        ] {
            assert!(check(bad).is_err(), "{bad:?}");
        }
    }
}
