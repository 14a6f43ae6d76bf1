//! A stream of its own over a link: messages both ways, with back-pressure by the transport.
//!
//! Way in: [`MeshStream`].
//! Time and order: messages of one direction arrive in order. What is dropped before its end is
//! reset, which the other end sees as [`StreamError::Reset`].

use std::sync::Arc;

use bytes::Bytes;
use mesh_wire::{PREFIX_LEN, Splitter, TraceContext, prefix};
use quinn::{ReadError, RecvStream, SendStream, VarInt, WriteError};
use tokio::sync::OwnedSemaphorePermit;

use crate::StreamError;

/// Most bytes of one message of a stream.
pub const MESSAGE_LEN_MAX: usize = 4 * 1024 * 1024;

/// Told to the other end when a stream is dropped before its end.
pub(crate) const GIVEN_UP: VarInt = VarInt::from_u32(1);

/// Both directions of a stream. They may be used apart; but a closure or an `async move` block that
/// names one of them alone takes that one alone, and the other is dropped, and so reset, outside.
#[derive(Debug)]
pub struct MeshStream {
    /// To the other end.
    pub send: FrameSender,
    /// From the other end.
    pub recv: FrameReceiver,
    /// What it was opened for.
    pub trace: TraceContext,
}

/// Sends the messages of one direction. Dropped before [`FrameSender::finish`], it is reset.
#[derive(Debug)]
pub struct FrameSender {
    stream: SendStream,
    is_finished: bool,
    /// One of the link's streams, for as long as either direction is there.
    _share: Arc<Share>,
}

/// Receives the messages of one direction. Dropped before its end, the sender is told to stop.
#[derive(Debug)]
pub struct FrameReceiver {
    stream: RecvStream,
    splitter: Splitter,
    /// How it ended before its end. The transport says so once, and later that it just ended.
    broken: Option<StreamError>,
    _share: Arc<Share>,
}

/// What a stream takes from the bounds of its link; given back when the stream is gone.
pub(crate) type Share = OwnedSemaphorePermit;

impl MeshStream {
    pub(crate) fn new(
        stream: (SendStream, RecvStream),
        splitter: Splitter,
        trace: TraceContext,
        share: Share,
    ) -> Self {
        let share = Arc::new(share);
        let (send, recv) = stream;
        let send = FrameSender { stream: send, is_finished: false, _share: Arc::clone(&share) };
        let recv = FrameReceiver { stream: recv, splitter, broken: None, _share: share };
        Self { send, recv, trace }
    }

    /// The same stream, of which it is known that nothing more comes, and why.
    pub(crate) fn broken(mut self, why: Option<StreamError>) -> Self {
        self.recv.broken = why;
        self
    }
}

impl FrameSender {
    /// Sends one message; waits while the other end does not read.
    ///
    /// # Errors
    /// [`StreamError`]; nothing can be sent any more, except after `TooLarge`.
    pub async fn send(&mut self, message: Bytes) -> Result<(), StreamError> {
        let (len, max) = (message.len(), MESSAGE_LEN_MAX);
        let prefix =
            prefix(len).filter(|_| len <= max).ok_or(StreamError::TooLarge { len, max })?;
        let mut chunks = [Bytes::copy_from_slice(&prefix), message];
        self.stream.write_all_chunks(&mut chunks).await.map_err(write_error)
    }

    /// Says that nothing more comes. What was sent arrives, as long as the link lives.
    ///
    /// # Errors
    /// [`StreamError::Finished`], if it was.
    pub fn finish(&mut self) -> Result<(), StreamError> {
        self.is_finished = true;
        self.stream.finish().map_err(|_| StreamError::Finished)
    }

    /// Gives the direction up: what is not delivered yet may never be.
    pub fn reset(self) {
        drop(self);
    }

    /// Resolves when the other end wants nothing more, or is gone: it gave the stream up, it has
    /// received everything, or the link is lost.
    pub async fn stopped(&mut self) {
        drop(self.stream.stopped().await);
    }
}

impl Drop for FrameSender {
    fn drop(&mut self) {
        if !self.is_finished {
            // An error means that it has ended otherwise.
            drop(self.stream.reset(GIVEN_UP));
        }
    }
}

impl FrameReceiver {
    /// The next message; `None` once the other end has finished. Nothing is lost if the future is
    /// dropped before it is ready.
    ///
    /// # Errors
    /// [`StreamError`]; nothing comes any more, and the same is said again.
    pub async fn next(&mut self) -> Result<Option<Bytes>, StreamError> {
        if let Some(why) = &self.broken {
            return Err(why.clone());
        }
        let message = next_message(&mut self.stream, &mut self.splitter).await;
        self.broken = message.as_ref().err().cloned();
        message
    }
}

/// Reads until there is a whole message.
pub(crate) async fn next_message(
    stream: &mut RecvStream,
    splitter: &mut Splitter,
) -> Result<Option<Bytes>, StreamError> {
    let malformed = |text: String| StreamError::Malformed(text);
    loop {
        if let Some(message) =
            splitter.next_message().map_err(|error| malformed(error.to_string()))?
        {
            return Ok(Some(message));
        }
        match stream.read_chunk(PREFIX_LEN + MESSAGE_LEN_MAX, true).await.map_err(read_error)? {
            Some(chunk) => splitter.push(&chunk.bytes),
            None if splitter.is_amid() => {
                return Err(malformed("it ended within a message".to_owned()));
            }
            None => return Ok(None),
        }
    }
}

/// Sends one message on a stream that is not handed out yet.
pub(crate) async fn write_message(
    stream: &mut SendStream,
    message: Vec<u8>,
) -> Result<(), StreamError> {
    let prefix = prefix(message.len()).unwrap_or([u8::MAX; PREFIX_LEN]);
    let mut chunks = [Bytes::copy_from_slice(&prefix), message.into()];
    stream.write_all_chunks(&mut chunks).await.map_err(write_error)
}

fn write_error(error: WriteError) -> StreamError {
    match error {
        WriteError::Stopped(_) => StreamError::Reset,
        WriteError::ConnectionLost(lost) => StreamError::Lost(lost.to_string()),
        WriteError::ClosedStream => StreamError::Finished,
        WriteError::ZeroRttRejected => StreamError::Lost(error.to_string()),
    }
}

fn read_error(error: ReadError) -> StreamError {
    match error {
        ReadError::Reset(_) => StreamError::Reset,
        ReadError::ConnectionLost(lost) => StreamError::Lost(lost.to_string()),
        ReadError::ClosedStream => StreamError::Finished,
        other => StreamError::Malformed(other.to_string()),
    }
}
