//! Why something did not reach a peer, or no answer came back.
//!
//! Way in: [`SendError`], [`AskError`], [`StreamError`].

/// Why a message was not taken. It was certainly not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// No peer of this name was ever heard of.
    #[error("no peer {0} is known")]
    Unknown(String),
    /// There is no link to it now.
    #[error("there is no link to {0}")]
    Unreachable(String),
    /// The lane to it is full: the sender does without, or tries later.
    #[error("the lane to {0} is full")]
    Full(String),
    /// The lane does not carry bodies of this size.
    #[error("a body of {len} bytes is larger than the {max} that the lane carries")]
    TooLarge {
        /// What was to be sent.
        len: usize,
        /// What is allowed.
        max: usize,
    },
}

/// Why a question has no answer, or a stream was not opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// It was not sent, or not taken: certainly nothing was done. Also if the peer was too busy.
    #[error(transparent)]
    NotSent(#[from] SendError),
    /// No answer came in time; what was asked for may happen yet.
    #[error("{0} did not answer in time")]
    Timeout(String),
    /// The link was lost, or the service failed, before the answer came; what was asked for may
    /// have happened.
    #[error("{0} was lost before it answered")]
    Lost(String),
    /// The service said no, in this sentence.
    #[error("{0}")]
    Refused(String),
}

impl AskError {
    /// Whether it is certain that nothing was done.
    #[must_use]
    pub fn is_undone(&self) -> bool {
        matches!(self, Self::NotSent(_))
    }
}

/// Why a stream ended before its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    /// The other end gave it up.
    #[error("the other end gave the stream up")]
    Reset,
    /// The link was lost.
    #[error("the link was lost: {0}")]
    Lost(String),
    /// What came is no message of a stream.
    #[error("the stream cannot be read: {0}")]
    Malformed(String),
    /// A message is larger than a stream carries.
    #[error("a message of {len} bytes is larger than the {max} that a stream carries")]
    TooLarge {
        /// What was to be sent.
        len: usize,
        /// What is allowed.
        max: usize,
    },
    /// This end has finished it.
    #[error("this end of the stream is finished")]
    Finished,
}
