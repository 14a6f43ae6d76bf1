//! Randomness as a value: one seeded stream for each machine.
//!
//! Way in: [`Rng::from_seed`], [`Rng::derive`].  Never: entropy of the operating system; hosts bring the seed.

use rand_chacha::ChaCha12Rng;
use rand_core::{RngCore, SeedableRng};

/// A cryptographically strong stream of random numbers that replays from its seed (ChaCha12).
///
/// One that was never drawn from is only its seed: 48 bytes, and no work to make.
#[derive(Debug, Clone)]
pub struct Rng {
    /// What it is drawn from; or, if derived, a stream from these bytes gives that first.
    seed: [u8; 32],
    is_derived: bool,
    running: Option<Box<ChaCha12Rng>>,
}

impl Rng {
    /// A stream from 32 bytes; production hosts take them from the operating system.
    #[must_use]
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self { seed, is_derived: false, running: None }
    }

    /// A stream from a small number; for simulations and tests.
    #[must_use]
    pub fn from_number(seed: u64) -> Self {
        Self::from_seed(ChaCha12Rng::seed_from_u64(seed).get_seed())
    }

    /// A stream of its own for `name`: a new consumer never shifts what the others draw.
    #[must_use]
    pub fn derive(&self, name: &str) -> Self {
        let mut seed = self.seed();
        for (index, byte) in name.bytes().enumerate() {
            let at = index % seed.len();
            seed[at] = seed[at].wrapping_mul(31).wrapping_add(byte);
        }
        Self { seed, is_derived: true, running: None }
    }

    /// The same stream, ready to draw and derive from often.
    #[must_use]
    pub fn ready(mut self) -> Self {
        self.running();
        self
    }

    fn seed(&self) -> [u8; 32] {
        let mut seed = self.seed;
        if self.is_derived {
            ChaCha12Rng::from_seed(self.seed).fill_bytes(&mut seed);
        }
        seed
    }

    fn running(&mut self) -> &mut ChaCha12Rng {
        if self.running.is_none() {
            (self.seed, self.is_derived) = (self.seed(), false);
        }
        self.running.get_or_insert_with(|| Box::new(ChaCha12Rng::from_seed(self.seed)))
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.running().next_u64()
    }

    /// A number below `bound`; 0 if `bound` is 0. The bias of the multiplication method is below 2^-32 here.
    pub fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.next_u64()) * u128::from(bound);
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// A number from `low` to `high`, both included; `low` if they are crossed.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low.saturating_add(self.below(high.saturating_sub(low).saturating_add(1)))
    }

    /// True in `per_million` of a million cases.
    pub fn chance(&mut self, per_million: u32) -> bool {
        self.below(1_000_000) < u64::from(per_million)
    }

    /// One of `items`; `None` only if there is none.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        let index = usize::try_from(self.below(items.len() as u64)).unwrap_or(0);
        items.get(index)
    }

    /// Fills `bytes`.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        self.running().fill_bytes(bytes);
    }

    /// A random (version 4) UUID's 16 bytes, as RFC 9562 section 5.4 lays them out.
    pub fn uuid(&mut self) -> [u8; 16] {
        let mut bytes = [0; 16];
        self.fill(&mut bytes);
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers_and_a_child_does_not_shift_them() {
        let mut plain = Rng::from_number(7);
        let mut with_child = Rng::from_number(7);
        let mut child = with_child.derive("store");
        assert_ne!(child.next_u64(), plain.clone().next_u64());
        assert_eq!(plain.next_u64(), with_child.next_u64());
    }

    #[test]
    fn children_of_permuted_names_differ() {
        let root = Rng::from_number(1);
        assert_ne!(root.derive("ab").next_u64(), root.derive("ba").next_u64());
    }

    #[test]
    fn streams_are_the_same_whenever_they_begin() {
        let root = Rng::from_number(9);
        let (mut early, late) = (root.derive("a").ready(), root.derive("a"));
        early.next_u64();
        assert_eq!(early.derive("b").next_u64(), late.derive("b").next_u64());
        // As it was before streams began late.
        assert_eq!(Rng::from_number(7).derive("store").next_u64(), 10_504_378_339_956_431_972);
    }

    #[test]
    fn below_stays_below() {
        let mut rng = Rng::from_number(3);
        assert!((0..10_000).all(|_| rng.below(7) < 7));
        assert_eq!(rng.below(0), 0);
        assert_eq!(rng.pick::<u8>(&[]), None);
    }
}
