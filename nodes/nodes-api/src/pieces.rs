//! Bytes on their way out, in pieces of one size.
//!
//! Way in: [`Pieces`].  Invariant: a piece is never much larger than [`PIECE`]; what is large already
//! is cut, not copied.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

/// About how many bytes are given to a connection at once: what one of HTTP/1.1 holds for a client that
/// does not read.
pub(crate) const PIECE: usize = 32 * 1024;

/// From here on bytes are cut instead of copied.
const LARGE: usize = PIECE / 2;

/// Room for a few frames.
const SOME: usize = 4 * 1024;

/// Bytes that were written and not yet taken.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    ready: VecDeque<Bytes>,
    filling: BytesMut,
}

impl Pieces {
    /// Adds bytes that are shared with others.
    pub(crate) fn push(&mut self, mut bytes: Bytes) {
        if bytes.len() < LARGE {
            return self.extend(&bytes);
        }
        self.close();
        while bytes.len() > PIECE {
            self.ready.push_back(bytes.split_to(PIECE));
        }
        self.ready.push_back(bytes);
    }

    /// Adds bytes that are copied.
    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(PIECE) {
            if self.filling.capacity() - self.filling.len() < part.len() {
                // What is more than a few frames becomes a whole piece.
                let wanted = if self.filling.is_empty() { SOME } else { PIECE + LARGE };
                self.filling.reserve(wanted.max(part.len()));
            }
            self.filling.extend_from_slice(part);
            if self.filling.len() >= PIECE {
                self.close();
            }
        }
    }

    /// Whether a whole piece can be taken.
    pub(crate) fn is_full(&self) -> bool {
        !self.ready.is_empty()
    }

    /// The next piece, however small; none if there is nothing.
    pub(crate) fn take(&mut self) -> Option<Bytes> {
        if self.ready.is_empty() {
            self.close();
        }
        self.ready.pop_front()
    }

    fn close(&mut self) {
        if !self.filling.is_empty() {
            // With all its room: a watcher that waits holds no memory.
            self.ready.push_back(std::mem::take(&mut self.filling).freeze());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out_in_order_and_in_bounds() {
        let sizes =
            [0, 1, LARGE - 1, LARGE, 10 * PIECE + 3, 5, PIECE, 2, LARGE, LARGE - 1, LARGE - 1];
        let mut pieces = Pieces::default();
        let mut expected = Vec::new();
        for (number, size) in sizes.into_iter().enumerate() {
            let bytes = vec![u8::try_from(number).expect("few"); size];
            expected.extend_from_slice(&bytes);
            if number % 2 == 0 { pieces.push(bytes.into()) } else { pieces.extend(&bytes) }
        }
        let mut found = Vec::new();
        while let Some(piece) = pieces.take() {
            assert!((1..PIECE + LARGE).contains(&piece.len()), "{}", piece.len());
            found.extend_from_slice(&piece);
        }
        assert!(found == expected);
    }
}
