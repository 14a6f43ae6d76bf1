//! The first message on each stream, which says what the stream is, and its answer.
//!
//! Way in: [`Opening`], [`Hello`], [`Answer`].

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{FrameError, Lane, Service, TraceContext, WIRE_VERSION};

/// What the opener of a stream says first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Opening {
    /// The control lane of a new link, and with it the link itself. [`Hello`] comes back on it.
    Link(Hello),
    /// Another lane of the link.
    Lane(Lane),
    /// A stream of its own. [`Answer`] comes back on it, then messages both ways.
    Stream {
        /// What it is for.
        service: Service,
        /// What it was opened for.
        trace: TraceContext,
        /// Opaque here.
        head: Vec<u8>,
    },
}

/// What each end of a link says about itself; who it is, its certificate has said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Rises with each start of the process: nanoseconds of its wall clock at its start.
    pub incarnation: u64,
    /// What the process can do; for upgrades.
    pub feature_level: u16,
}

/// Whether a stream was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// The service has it.
    Taken,
    /// Nobody has it, in one sentence.
    Refused(String),
    /// Too much is under way for this peer. Nothing was done.
    Busy,
}

impl Opening {
    /// Most bytes of an encoded opening.
    pub const LEN_MAX: usize = 4 * 1024 * 1024;
    /// Most bytes of the head of a stream.
    pub const HEAD_LEN_MAX: usize = Self::LEN_MAX - 64;

    /// Version and value, without the length.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// Reads one message.
    ///
    /// # Errors
    /// [`FrameError`].
    pub fn decode(message: &[u8]) -> Result<Self, FrameError> {
        decode(message)
    }
}

impl Hello {
    /// Most bytes of an encoded greeting.
    pub const LEN_MAX: usize = 256;

    /// Version and value, without the length.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// Reads one message.
    ///
    /// # Errors
    /// [`FrameError`].
    pub fn decode(message: &[u8]) -> Result<Self, FrameError> {
        decode(message)
    }
}

impl Answer {
    /// Most bytes of an encoded answer.
    pub const LEN_MAX: usize = 8 * 1024;

    /// Version and value, without the length.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// Reads one message.
    ///
    /// # Errors
    /// [`FrameError`].
    pub fn decode(message: &[u8]) -> Result<Self, FrameError> {
        decode(message)
    }
}

fn encode(value: &impl Serialize) -> Vec<u8> {
    // Plain values in memory: there is nothing that could fail. If it did, the other end would see
    // a message without a value, which it refuses.
    postcard::to_extend(value, vec![WIRE_VERSION]).unwrap_or_default()
}

fn decode<T: DeserializeOwned>(message: &[u8]) -> Result<T, FrameError> {
    match message {
        [WIRE_VERSION, rest @ ..] => {
            postcard::from_bytes(rest).map_err(|error| FrameError::Head(error.to_string()))
        }
        other => Err(FrameError::Version(other.first().copied())),
    }
}
