//! A number, or a percentage of another one: `maxSurge: 25%`.
//!
//! Way in: [`IntOrPercent::from_value`].

use crate::Value;

/// A count, or a share of a total that is known later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IntOrPercent {
    /// So many.
    Int(i64),
    /// So many of a hundred.
    Percent(i64),
}

impl IntOrPercent {
    /// Reads `3` or `"25%"`; `None` for everything else.
    #[must_use]
    pub fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => {
                let digits = text.strip_suffix('%')?;
                let shaped = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
                if shaped { digits.parse().ok().map(Self::Percent) } else { None }
            }
            other => other.as_i64().map(Self::Int),
        }
    }

    /// The count itself, or the share of `total`, rounded as asked.
    #[must_use]
    pub fn scaled(self, total: i64, round: Round) -> i64 {
        match self {
            Self::Int(count) => count,
            Self::Percent(percent) => {
                let wide = i128::from(total) * i128::from(percent);
                let share = match round {
                    Round::Up => wide.div_euclid(100) + i128::from(wide.rem_euclid(100) > 0),
                    Round::Down => wide.div_euclid(100),
                };
                i64::try_from(share).unwrap_or(i64::MAX)
            }
        }
    }
}

/// What happens to a share that is not whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Round {
    /// `maxSurge` rounds up.
    Up,
    /// `maxUnavailable` rounds down.
    Down,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_round_as_asked_and_other_values_are_none() {
        assert_eq!(IntOrPercent::from_value(&"25%".into()), Some(IntOrPercent::Percent(25)));
        assert_eq!(IntOrPercent::Percent(25).scaled(10, Round::Up), 3);
        assert_eq!(IntOrPercent::Percent(25).scaled(10, Round::Down), 2);
        assert_eq!(IntOrPercent::Int(4).scaled(10, Round::Down), 4);
        for bad in ["", "%", "-5%", "5", "x%", "1.5%"] {
            assert_eq!(IntOrPercent::from_value(&bad.into()), None, "{bad}");
        }
    }
}
