//! As much of DER as a signing request needs: a tag, a definite length, what is in it.
//!
//! Way in: [`Reader`].  Spec: X.690, sections 8.1 and 10.1. Every length is checked against what is there.

/// The first byte of an element. Tags of several bytes do not occur in requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tag(pub(super) u8);

impl Tag {
    pub(super) const BOOLEAN: Self = Self(0x01);
    pub(super) const INTEGER: Self = Self(0x02);
    pub(super) const OCTETS: Self = Self(0x04);
    pub(super) const OBJECT_ID: Self = Self(0x06);
    pub(super) const SEQUENCE: Self = Self(0x30);
    pub(super) const SET: Self = Self(0x31);

    /// A constructed element of a context's own numbering.
    pub(super) const fn context(number: u8) -> Self {
        Self(0xa0 | number)
    }
}

/// Reads element after element.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next element, whatever it is.
    pub(super) fn any(&mut self) -> Option<(Tag, &'a [u8])> {
        let (tag, rest) = self.rest.split_first()?;
        let (first, rest) = rest.split_first()?;
        let (len, rest) = match usize::from(*first) {
            short @ 0..=0x7f => (short, rest),
            // The number of bytes of the length; four are more than any request has.
            long @ 0x81..=0x84 => {
                let (bytes, rest) = rest.split_at_checked(long - 0x80)?;
                (bytes.iter().fold(0, |len, byte| len << 8 | usize::from(*byte)), rest)
            }
            _ => return None,
        };
        let (value, rest) = rest.split_at_checked(len)?;
        self.rest = rest;
        Some((Tag(*tag), value))
    }

    /// What is in the next element, if it has this tag; else nothing is read.
    pub(super) fn take(&mut self, wanted: Tag) -> Option<&'a [u8]> {
        if self.rest.first() != Some(&wanted.0) {
            return None;
        }
        self.any().map(|(_, value)| value)
    }

    /// A reader of what is in the next element, if it has this tag.
    pub(super) fn enter(&mut self, wanted: Tag) -> Option<Self> {
        self.take(wanted).map(Self::new)
    }
}
