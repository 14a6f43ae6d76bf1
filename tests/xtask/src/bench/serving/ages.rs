//! How old changes were when they arrived, of many millions of them.
//!
//! Way in: [`Ages::add`].  The oldest is exact, the others are counted by tenths of a millisecond.

/// What is older than this counts as this old, but for the oldest: ten seconds.
const TENTHS_MAX: usize = 100_000;

/// Ages in milliseconds.
#[derive(Debug)]
pub(crate) struct Ages {
    count: u64,
    oldest: f64,
    by_tenths: Vec<u32>,
}

impl Default for Ages {
    fn default() -> Self {
        Self { count: 0, oldest: 0.0, by_tenths: vec![0; TENTHS_MAX + 1] }
    }
}

impl Ages {
    /// Adds one.
    pub(crate) fn add(&mut self, age: f64) {
        self.count += 1;
        self.oldest = self.oldest.max(age);
        self.by_tenths[((age * 10.0) as usize).min(TENTHS_MAX)] += 1;
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// The oldest.
    pub(crate) fn oldest(&self) -> f64 {
        self.oldest
    }

    /// What 99 of a hundred do not exceed.
    pub(crate) fn percentile_99(&self) -> f64 {
        let (wanted, mut passed) = (self.count - self.count / 100, 0);
        let reached = self.by_tenths.iter().position(|count| {
            passed += u64::from(*count);
            passed >= wanted
        });
        reached.map_or(self.oldest, |tenths| (tenths as f64 + 1.0) / 10.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_hundred_one_may_be_older() {
        let mut ages = Ages::default();
        for age in 0..99 {
            ages.add(f64::from(age));
        }
        ages.add(12_345.6);
        assert_eq!(ages.count(), 100);
        assert!((ages.oldest() - 12_345.6).abs() < f64::EPSILON);
        assert!((98.0..98.2).contains(&ages.percentile_99()), "{}", ages.percentile_99());
    }
}
