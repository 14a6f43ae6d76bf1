//! Lists of indexes as texts: `1,3-5,7`.
//!
//! Spec: API reference of `JobStatus.completedIndexes` and `SuccessPolicyRule.succeededIndexes`.

/// How many indexes a text names; they must rise, and lie below `end`.
///
/// # Errors
/// What is wrong with the text.
pub(super) fn count(text: &str, end: i64) -> Result<i64, String> {
    let mut total = 0;
    let mut last: Option<i64> = None;
    for part in text.split(',') {
        let (first, until) = part.split_once('-').unwrap_or((part, part));
        let (first, until) = (number(first)?, number(until)?);
        if until < first {
            return Err(format!("the interval {part:?} ends before it begins"));
        }
        if last.is_some_and(|last| last >= first) {
            return Err("indexes must rise, and none may stand twice".to_owned());
        }
        if until >= end {
            return Err(format!("the index {until} is not below the number of completions, {end}"));
        }
        total += until - first + 1;
        last = Some(until);
    }
    Ok(total)
}

fn number(text: &str) -> Result<i64, String> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let read = text.parse::<i32>().ok().filter(|_| is_number);
    read.map(i64::from).ok_or_else(|| format!("{text:?} is not an index"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_rise_and_are_counted() {
        assert_eq!(count("1,3-5,7", 8), Ok(5));
        assert_eq!(count("0", 1), Ok(1));
        for bad in ["", ",", "1-", "2-1", "1,1", "3,2", "8", "-1", "a", "1-3,3"] {
            assert!(count(bad, 8).is_err(), "{bad:?}");
        }
    }
}
