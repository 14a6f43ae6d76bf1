//! Splits a stream of bytes into messages: four bytes of length, then as many bytes.
//!
//! Way in: [`Splitter`].  Owns: bytes of a message that is not whole yet.
//! Invariants: 1. no more is held than was pushed.  2. a length beyond the bound is an error before
//! any of its bytes are kept.

use bytes::{Buf, Bytes, BytesMut};

/// Bytes before each message: its length, big-endian.
pub const PREFIX_LEN: usize = 4;

/// A message is announced that is larger than its bound. The stream cannot be read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a message of {len} bytes is announced, and {max} are allowed")]
pub struct TooLarge {
    /// What was announced.
    pub len: usize,
    /// What is allowed.
    pub max: usize,
}

/// The prefix of a message of `len` bytes; `None` if no prefix can say it.
#[must_use]
pub fn prefix(len: usize) -> Option<[u8; PREFIX_LEN]> {
    u32::try_from(len).ok().map(u32::to_be_bytes)
}

/// Gathers bytes in the pieces that they come in, and gives messages.
#[derive(Debug)]
pub struct Splitter {
    held: BytesMut,
    max: usize,
}

impl Splitter {
    /// Messages have at most `max` bytes.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self { held: BytesMut::new(), max }
    }

    /// The same bytes, with another bound from here on: the stream goes on with messages of
    /// another kind.
    #[must_use]
    pub fn with_max(mut self, max: usize) -> Self {
        self.max = max;
        self
    }

    /// Adds the next bytes of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
    }

    /// Takes the next whole message; `None` until more bytes have come.
    ///
    /// # Errors
    /// [`TooLarge`], now and ever after.
    pub fn next_message(&mut self) -> Result<Option<Bytes>, TooLarge> {
        let Some(prefix) = self.held.first_chunk::<PREFIX_LEN>() else { return Ok(None) };
        let max = self.max;
        let len = usize::try_from(u32::from_be_bytes(*prefix)).unwrap_or(usize::MAX);
        if len > max {
            return Err(TooLarge { len, max });
        }
        if self.held.len() - PREFIX_LEN < len {
            return Ok(None);
        }
        self.held.advance(PREFIX_LEN);
        Ok(Some(self.held.split_to(len).freeze()))
    }

    /// Whether a message has begun that is not whole.
    #[must_use]
    pub fn is_amid(&self) -> bool {
        !self.held.is_empty()
    }
}
