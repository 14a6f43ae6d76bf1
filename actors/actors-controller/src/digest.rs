//! A short fingerprint of texts: for names of events and for noticing equal plans. Not for
//! security.
//!
//! Way in: [`Digest`].  Spec: FNV-1a with 64 bits.

/// A fingerprint that parts are added to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Digest(u64);

impl Digest {
    /// The fingerprint of nothing.
    pub(crate) const EMPTY: Self = Self(0xcbf2_9ce4_8422_2325);

    /// The fingerprint with one more part; parts do not run into each other.
    pub(crate) fn and(self, part: &str) -> Self {
        let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        Self(step(part.bytes().fold(self.0, step), 0))
    }

    /// As a number.
    pub(crate) fn number(self) -> u64 {
        self.0
    }
}
