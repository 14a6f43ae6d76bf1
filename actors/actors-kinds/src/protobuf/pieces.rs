//! The parts of a list's body, for those who write it piece by piece.
//!
//! Way in: [`ListPieces`].  Invariant: the parts one behind the other are what [`super::list`] in an
//! [`super::Envelope`] would be.
//! Spec: KEP-5116: a list's body begins with its length, so that the lengths of all items must be known
//! before the first byte.

use super::{MAGIC, wire::Writer};

/// Adds up a list whose items are written later.
#[derive(Debug, Clone)]
pub struct ListPieces {
    /// The list's `metadata`, with its tag and length.
    metadata: Vec<u8>,
    items: usize,
}

impl ListPieces {
    /// What stands behind the last item: neither encoding nor type of the content differs from the
    /// usual ones.
    pub const TAIL: [u8; 4] = [0x1a, 0, 0x22, 0];

    /// A list without items; `metadata` is a message already.
    #[must_use]
    pub fn new(metadata: &[u8]) -> Self {
        let mut out = Writer::<Vec<u8>>::default();
        out.bytes(1, metadata);
        Self { metadata: out.into_inner(), items: 0 }
    }

    /// Counts an item of this many bytes.
    pub fn count(&mut self, len: usize) {
        let mut head = Writer::<usize>::default();
        head.counted(2, len);
        self.items += head.into_inner() + len;
    }

    /// What stands before the first item.
    #[must_use]
    pub fn head(&self, api_version: &str, kind: &str) -> Vec<u8> {
        let mut facts = Writer::<Vec<u8>>::default();
        facts.bytes(1, api_version.as_bytes());
        facts.bytes(2, kind.as_bytes());
        let mut out = Writer::<Vec<u8>>::default();
        out.raw(MAGIC);
        out.bytes(1, facts.as_slice());
        out.counted(2, self.metadata.len() + self.items);
        out.raw(&self.metadata);
        out.into_inner()
    }

    /// What stands before an item of this many bytes.
    #[must_use]
    pub fn item_head(len: usize) -> Vec<u8> {
        let mut out = Writer::with_capacity(8);
        out.counted(2, len);
        out.into_inner()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protobuf::{Envelope, list};

    #[test]
    fn the_parts_are_the_whole() {
        for sizes in [&[][..], &[0, 1, 127, 128], &[20_000, 3, 2_100_000]] {
            let items: Vec<Vec<u8>> = sizes.iter().map(|size| vec![7; *size]).collect();
            let metadata = b"\x12\x0212";
            let mut pieces = ListPieces::new(metadata);
            items.iter().for_each(|item| pieces.count(item.len()));
            let mut parts = pieces.head("v1", "PodList");
            for item in &items {
                parts.extend(ListPieces::item_head(item.len()));
                parts.extend(item);
            }
            parts.extend(ListPieces::TAIL);
            let message = list(metadata, items.iter().map(Vec::as_slice));
            assert!(parts == Envelope::seal("v1", "PodList", &message), "{sizes:?}");
        }
    }
}
