//! Amounts of resources: `500m`, `1.5Gi`, `12e6`.
//!
//! Way in: [`Quantity::parse`].  Never: floating point; amounts are exact in billionths, as
//! upstream keeps them.
//! Spec: Kubernetes API reference, "Quantity".

mod format;

use std::{cmp::Ordering, fmt, ops::Add, ops::Sub};

/// An exact amount, and the family of suffixes in which it was written.
#[derive(Debug, Clone, Copy)]
pub struct Quantity {
    nanos: i128,
    family: Family,
}

/// A family of suffixes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// `n u m k M G T P E`: powers of ten.
    Decimal,
    /// `Ki Mi Gi Ti Pi Ei`: powers of 1,024.
    Binary,
    /// `e3`: powers of ten as an exponent.
    Exponent,
}

/// The text is not a quantity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
)]
pub struct QuantityError;

const NANOS: i128 = 1_000_000_000;

/// Amounts are kept within ± this: 2^63 - 1 units, as upstream caps them.
const NANOS_MAX: i128 = 9_223_372_036_854_775_807 * NANOS;

impl Quantity {
    /// Nothing.
    pub const ZERO: Self = Self { nanos: 0, family: Family::Decimal };

    /// So many whole units.
    #[must_use]
    pub fn from_units(units: i64) -> Self {
        Self { nanos: i128::from(units) * NANOS, family: Family::Decimal }
    }

    /// So many thousandths: 500 is half a processor.
    #[must_use]
    pub fn from_milli(milli: i64) -> Self {
        Self { nanos: i128::from(milli) * (NANOS / 1_000), family: Family::Decimal }
    }

    /// So many bytes, written with binary suffixes.
    #[must_use]
    pub fn from_bytes(bytes: i64) -> Self {
        Self { nanos: i128::from(bytes) * NANOS, family: Family::Binary }
    }

    /// Reads a quantity. What is finer than a billionth is rounded away from zero, what is beyond
    /// 2^63 - 1 units is capped.
    ///
    /// # Errors
    /// [`QuantityError`] if the text is none.
    pub fn parse(text: &str) -> Result<Self, QuantityError> {
        format::parse(text).ok_or(QuantityError)
    }

    /// Reads a quantity from a string or a number, as objects may carry either.
    ///
    /// # Errors
    /// [`QuantityError`] if it is neither.
    pub fn from_value(value: &crate::Value) -> Result<Self, QuantityError> {
        match value {
            crate::Value::String(text) => Self::parse(text),
            crate::Value::Int(units) => Ok(Self::from_units(*units)),
            crate::Value::Float(_) => Self::parse(&crate::json::to_string(value)),
            _ => Err(QuantityError),
        }
    }

    /// Whole units, rounded away from zero: bytes of memory, numbers of pods.
    #[must_use]
    pub fn value(&self) -> i64 {
        self.rounded(NANOS)
    }

    /// Thousandths, rounded away from zero: milli-CPUs. Saturates.
    #[must_use]
    pub fn milli(&self) -> i64 {
        self.rounded(NANOS / 1_000)
    }

    /// Billionths, exactly.
    #[must_use]
    pub fn nanos(&self) -> i128 {
        self.nanos
    }

    /// Whether this is nothing.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.nanos == 0
    }

    /// Whether this is less than nothing.
    #[must_use]
    pub fn is_negative(&self) -> bool {
        self.nanos < 0
    }

    /// The family of suffixes in which it is written.
    #[must_use]
    pub fn family(&self) -> Family {
        self.family
    }

    fn rounded(&self, unit: i128) -> i64 {
        let whole = self.nanos / unit + (self.nanos % unit).signum();
        i64::try_from(whole).unwrap_or(if whole < 0 { i64::MIN } else { i64::MAX })
    }

    fn capped(nanos: i128, family: Family) -> Self {
        Self { nanos: nanos.clamp(-NANOS_MAX, NANOS_MAX), family }
    }
}

impl Add for Quantity {
    type Output = Self;

    /// The exact sum, capped; written as the first one unless that is zero.
    fn add(self, other: Self) -> Self {
        let family = if self.is_zero() { other.family } else { self.family };
        Self::capped(self.nanos + other.nanos, family)
    }
}

impl Sub for Quantity {
    type Output = Self;

    /// The exact difference, capped; written as the first one unless that is zero.
    fn sub(self, other: Self) -> Self {
        let family = if self.is_zero() { other.family } else { self.family };
        Self::capped(self.nanos - other.nanos, family)
    }
}

impl std::iter::Sum for Quantity {
    fn sum<I: Iterator<Item = Self>>(items: I) -> Self {
        items.fold(Self::ZERO, Add::add)
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.nanos == other.nanos
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nanos.cmp(&other.nanos)
    }
}

impl fmt::Display for Quantity {
    /// The canonical form: no fraction, and the largest suffix that allows it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        format::write(self, f)
    }
}

#[cfg(test)]
mod tests;
