//! Frames: what goes over a lane. A head says what the body is for; the body is opaque here.
//!
//! Way in: [`Frame::decode`], [`Head::encode`].
//! Invariants: 1. the first byte after the length is the version.  2. what was encoded decodes to
//! the same, whatever the service.

use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use crate::{PREFIX_LEN, Service};

/// The version that this build writes and reads.
pub const WIRE_VERSION: u8 = 1;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FrameKind {
    /// A message; nothing comes back.
    Tell,
    /// A question; an answer, or a failure, comes back with its correlation.
    Ask,
    /// The answer to the question of this correlation.
    Answer,
    /// The question of this correlation has no answer; the body is a [`Failure`].
    Failed,
    /// Whoever asked does not wait any more.
    Cancel,
}

/// Ties what is done here to what it was done for, elsewhere.
///
/// Spec: W3C Trace Context, `trace-id` and `parent-id`; all zeros mean that there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TraceContext {
    /// The whole of what was asked for.
    pub trace: [u8; 16],
    /// The part of it that sent this.
    pub span: [u8; 8],
}

impl TraceContext {
    /// Nothing is traced.
    pub const NONE: Self = Self { trace: [0; 16], span: [0; 8] };
}

/// What stands before a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// What it is for.
    pub service: Service,
    /// Ties an answer to its question; unique among the questions of one end of a link. Zero for
    /// messages.
    pub correlation: u64,
    /// What it is.
    pub kind: FrameKind,
    /// For how many milliseconds after its arrival a question is worth an answer.
    pub deadline_ms: u32,
    /// What it was sent for.
    pub trace: TraceContext,
}

/// A head and its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// What the body is for.
    pub head: Head,
    /// Opaque here.
    pub body: Bytes,
}

/// Why bytes are no frame. The link is closed: what follows on the lane cannot be trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Another version, or none.
    #[error("the frame has version {0:?}, and this build reads {WIRE_VERSION}")]
    Version(Option<u8>),
    /// The head cannot be read.
    #[error("the head of a frame cannot be read: {0}")]
    Head(String),
}

impl Head {
    /// Most bytes of an encoded head, with its version.
    pub const LEN_MAX: usize = 64;

    /// Appends length, version and head of a frame whose body has `body_len` bytes; the body itself
    /// follows on the wire. The caller has compared it with [`crate::Lane::body_len_max`].
    pub fn encode(&self, body_len: usize, out: &mut BytesMut) {
        let start = out.len();
        out.put_bytes(0, PREFIX_LEN);
        out.put_u8(WIRE_VERSION);
        // Plain numbers in memory: there is nothing that could fail. If it did, the other end
        // would see a frame without a head, which it refuses.
        if let Ok(head) = postcard::to_allocvec(self) {
            out.extend_from_slice(&head);
        }
        let len = out.len() - start - PREFIX_LEN + body_len;
        let prefix = crate::prefix(len).unwrap_or([u8::MAX; PREFIX_LEN]);
        out[start..start + PREFIX_LEN].copy_from_slice(&prefix);
    }
}

impl Frame {
    /// Reads one message of a lane, as [`crate::Splitter`] gives it.
    ///
    /// # Errors
    /// [`FrameError`].
    pub fn decode(message: &Bytes) -> Result<Self, FrameError> {
        let version = message.first().copied();
        if version != Some(WIRE_VERSION) {
            return Err(FrameError::Version(version));
        }
        let read = postcard::take_from_bytes::<Head>(&message[1..]);
        let (head, rest) = read.map_err(|error| FrameError::Head(error.to_string()))?;
        Ok(Self { head, body: message.slice(message.len() - rest.len()..) })
    }
}

/// Why a question has no answer: the body of [`FrameKind::Failed`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Failure {
    /// The service said so, in one sentence.
    Refused(String),
    /// Too much is under way for this peer. Nothing was done.
    Busy,
    /// The service failed over it; what was asked for may have been done.
    Broken,
}

impl Failure {
    /// Most bytes of a sentence.
    pub const TEXT_LEN_MAX: usize = 4 * 1024;

    /// A refusal, cut to its bound.
    #[must_use]
    pub fn refused(text: impl Into<String>) -> Self {
        let mut text: String = text.into();
        if text.len() > Self::TEXT_LEN_MAX {
            let cut = (0..=Self::TEXT_LEN_MAX).rev().find(|at| text.is_char_boundary(*at));
            text.truncate(cut.unwrap_or(0));
        }
        Self::Refused(text)
    }

    /// As a body.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        postcard::to_allocvec(self).unwrap_or_default().into()
    }

    /// From a body; what cannot be read is a refusal that says so.
    #[must_use]
    pub fn decode(body: &[u8]) -> Self {
        let unreadable = |_| Self::Refused("a failure that cannot be read".to_owned());
        postcard::from_bytes(body).unwrap_or_else(unreadable)
    }
}

#[cfg(test)]
mod tests;
