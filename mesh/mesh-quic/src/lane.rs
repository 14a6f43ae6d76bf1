//! One lane: the bounded queue to it, and the pumps between queue, wire and frames.
//!
//! Way in: [`LaneQueue::push`]; [`write_lane`] and [`read_lane`] run while the link lives.
//! Invariant: no more frames wait than the limits say, and no more bytes but for a single frame.
//! Time and order: frames leave in the order in which they were pushed, many in one write.

use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use bytes::{Bytes, BytesMut};
use mesh_wire::{Frame, Head, Lane, Splitter};
use quinn::{RecvStream, SendStream};
use tokio::sync::mpsc::{self, error::TrySendError};

use crate::{Limits, peers::Counters};

/// Frames that one write gathers at most.
const BATCH_MAX: usize = 64;

/// Bodies up to this size are copied behind their heads: one piece is cheaper for the transport
/// than two.
const COPY_MAX: usize = 2 * 1024;

/// Bytes that one read takes at most, so that lanes take turns.
const READ_MAX: usize = 256 * 1024;

/// A frame that is to be sent.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) head: Head,
    pub(crate) body: Bytes,
}

/// Why a frame was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotTaken {
    Full,
    Ended,
}

/// The end of a lane's queue that frames are put into.
#[derive(Debug)]
pub(crate) struct LaneQueue {
    sender: mpsc::Sender<Outgoing>,
    bytes: Arc<AtomicUsize>,
    bytes_max: usize,
    full: AtomicU64,
}

/// The end of a lane's queue that the wire takes frames from.
#[derive(Debug)]
pub(crate) struct Outlet {
    receiver: mpsc::Receiver<Outgoing>,
    bytes: Arc<AtomicUsize>,
}

impl LaneQueue {
    /// Both ends of an empty queue.
    pub(crate) fn new(limits: &Limits) -> (Self, Outlet) {
        let (sender, receiver) = mpsc::channel(limits.lane_frames_max.max(1));
        let bytes = Arc::new(AtomicUsize::new(0));
        let outlet = Outlet { receiver, bytes: Arc::clone(&bytes) };
        let (bytes_max, full) = (limits.lane_bytes_max, AtomicU64::new(0));
        (Self { sender, bytes, bytes_max, full }, outlet)
    }

    /// Takes a frame, or refuses it. Never waits.
    pub(crate) fn push(&self, frame: Outgoing) -> Result<(), NotTaken> {
        let len = frame.body.len();
        let before = self.bytes.fetch_add(len, Ordering::Relaxed);
        let fits = before == 0 || before.saturating_add(len) <= self.bytes_max;
        let taken = match fits {
            true => self.sender.try_send(frame).map_err(|refused| match refused {
                TrySendError::Full(_) => NotTaken::Full,
                TrySendError::Closed(_) => NotTaken::Ended,
            }),
            false => Err(NotTaken::Full),
        };
        if let Err(refused) = taken {
            self.bytes.fetch_sub(len, Ordering::Relaxed);
            self.full.fetch_add(u64::from(refused == NotTaken::Full), Ordering::Relaxed);
        }
        taken
    }

    /// Takes an answer, waiting for room: the asker's own bound holds for it.
    pub(crate) async fn push_answer(&self, frame: Outgoing) {
        let len = frame.body.len();
        if let Ok(room) = self.sender.reserve().await {
            self.bytes.fetch_add(len, Ordering::Relaxed);
            room.send(frame);
        }
    }

    /// Frames and bytes that wait, and how many frames were refused.
    pub(crate) fn depth(&self) -> (usize, usize, u64) {
        let frames = self.sender.max_capacity() - self.sender.capacity();
        (frames, self.bytes.load(Ordering::Relaxed), self.full.load(Ordering::Relaxed))
    }
}

/// Writes frames as they come, until the queue or the stream ends.
pub(crate) async fn write_lane(mut outlet: Outlet, mut stream: SendStream, counters: &Counters) {
    let mut batch = Vec::with_capacity(BATCH_MAX);
    let mut text = BytesMut::new();
    let mut chunks: Vec<Bytes> = Vec::new();
    while outlet.receiver.recv_many(&mut batch, BATCH_MAX).await > 0 {
        let (mut frames, mut bytes) = (0, 0);
        for Outgoing { head, body } in batch.drain(..) {
            frames += 1;
            bytes += body.len();
            head.encode(body.len(), &mut text);
            if body.len() <= COPY_MAX {
                text.extend_from_slice(&body);
            } else {
                chunks.push(text.split().freeze());
                chunks.push(body);
            }
        }
        if !text.is_empty() {
            chunks.push(text.split().freeze());
        }
        let written = stream.write_all_chunks(&mut chunks).await;
        chunks.clear();
        outlet.bytes.fetch_sub(bytes, Ordering::Relaxed);
        if written.is_err() {
            return;
        }
        counters.sent(frames, bytes as u64);
    }
}

/// Why nothing more comes on a lane.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum LaneEnd {
    /// The link is lost.
    Lost,
    /// The other end has ended the lane, as it does when it is torn down without a word.
    Ended,
    /// What came is no frame.
    Malformed(String),
}

/// Reads frames and hands them on, until nothing more comes.
pub(crate) async fn read_lane(
    stream: &mut RecvStream,
    splitter: &mut Splitter,
    mut each: impl FnMut(Frame),
) -> LaneEnd {
    loop {
        loop {
            match splitter.next_message() {
                Ok(Some(message)) => match Frame::decode(&message) {
                    Ok(frame) => each(frame),
                    Err(error) => return LaneEnd::Malformed(error.to_string()),
                },
                Ok(None) => break,
                Err(error) => return LaneEnd::Malformed(error.to_string()),
            }
        }
        match stream.read_chunk(READ_MAX, true).await {
            Ok(Some(chunk)) => splitter.push(&chunk.bytes),
            Err(quinn::ReadError::ConnectionLost(_)) => return LaneEnd::Lost,
            Ok(None) | Err(_) => return LaneEnd::Ended,
        }
    }
}

/// What splits a lane into frames.
pub(crate) fn splitter(lane: Lane) -> Splitter {
    Splitter::new(Head::LEN_MAX + lane.body_len_max())
}
