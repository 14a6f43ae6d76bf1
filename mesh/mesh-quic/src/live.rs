//! A link that is up: its connection, its lanes, its open questions.
//!
//! Way in: [`Live::tell`], [`Live::ask`], [`Live::open_stream`].
//! Time and order: closed or lost, it ends all that waits on it at once.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use actors_core::Wall;
use bytes::Bytes;
use mesh_wire::{
    Answer, Failure, FrameKind, Head, Hello, Lane, Opening, Service, Splitter, TraceContext,
};
use quinn::Connection;
use tokio::{sync::Semaphore, time::timeout};

use crate::{
    Ask, AskError, DownReason, LaneView, Limits, MESSAGE_LEN_MAX, MeshStream, SendError,
    StreamError,
    asks::{NoRoom, Reply, Serving, Waiting},
    ends::{self, CloseCode},
    identity::Facts,
    lane::{LaneQueue, NotTaken, Outgoing, Outlet},
    stream::{next_message, write_message},
};

/// How long a peer may take to say that it has a stream.
const STREAM_OPEN_MAX: Duration = Duration::from_secs(10);

/// One link, from its adoption to its end.
#[derive(Debug)]
pub(crate) struct Live {
    /// Who is at the other end.
    pub(crate) facts: Facts,
    /// What the other end said of itself.
    pub(crate) hello: Hello,
    /// Since when it counts.
    pub(crate) since: Wall,
    pub(crate) connection: Connection,
    /// What is worked on for the peer.
    pub(crate) serving: Serving,
    /// Who waits for the peer.
    pub(crate) waiting: Waiting,
    /// Streams that the peer may still open.
    pub(crate) streams_in: Arc<Semaphore>,
    streams_out: Arc<Semaphore>,
    lanes: [LaneQueue; Lane::ALL.len()],
    /// Taken when the lane's stream is there.
    outlets: Mutex<[Option<Outlet>; Lane::ALL.len()]>,
    /// Why this end closed it; the first reason counts.
    closed: Mutex<Option<DownReason>>,
}

impl Live {
    pub(crate) fn new(
        connection: Connection,
        facts: Facts,
        hello: Hello,
        limits: &Limits,
        since: Wall,
    ) -> Self {
        let pairs = Lane::ALL.map(|_| LaneQueue::new(limits));
        let mut outlets = [const { None }; Lane::ALL.len()];
        let mut index = 0;
        let lanes = pairs.map(|(queue, outlet)| {
            outlets[index] = Some(outlet);
            index += 1;
            queue
        });
        let streams = usize::try_from(limits.streams_max).unwrap_or(usize::MAX >> 3);
        Self {
            facts,
            hello,
            since,
            connection,
            serving: Serving::new(limits.asks_max),
            waiting: Waiting::new(limits.waiting_max),
            streams_in: Arc::new(Semaphore::new(streams)),
            streams_out: Arc::new(Semaphore::new(streams)),
            lanes,
            outlets: Mutex::new(outlets),
            closed: Mutex::new(None),
        }
    }

    /// The other end's node.
    pub(crate) fn node(&self) -> &str {
        &self.facts.peer.node
    }

    /// What feeds a lane's stream; `None` if it is fed already.
    pub(crate) fn take_outlet(&self, lane: Lane) -> Option<Outlet> {
        self.outlets.lock().unwrap_or_else(PoisonError::into_inner)[lane.index()].take()
    }

    /// The queue to a lane.
    pub(crate) fn lane(&self, lane: Lane) -> &LaneQueue {
        &self.lanes[lane.index()]
    }

    /// How much waits in each lane.
    pub(crate) fn depths(&self) -> Vec<LaneView> {
        let view = |lane: Lane| {
            let (frames, bytes, full) = self.lane(lane).depth();
            LaneView { lane, frames, bytes, full }
        };
        Lane::ALL.into_iter().map(view).collect()
    }

    fn push(&self, lane: Lane, frame: Outgoing) -> Result<(), SendError> {
        let (len, max) = (frame.body.len(), lane.body_len_max());
        if len > max {
            return Err(SendError::TooLarge { len, max });
        }
        self.lane(lane).push(frame).map_err(|refused| match refused {
            NotTaken::Full => SendError::Full(self.node().to_owned()),
            NotTaken::Ended => SendError::Unreachable(self.node().to_owned()),
        })
    }

    /// Queues a message.
    pub(crate) fn tell(&self, lane: Lane, service: Service, body: Bytes) -> Result<(), SendError> {
        let head = Head {
            service,
            correlation: 0,
            kind: FrameKind::Tell,
            deadline_ms: 0,
            trace: TraceContext::NONE,
        };
        self.push(lane, Outgoing { head, body })
    }

    /// Asks, and awaits the answer.
    pub(crate) async fn ask(&self, ask: Ask) -> Result<Bytes, AskError> {
        let node = || self.node().to_owned();
        let Ask { lane, service, body, within, trace } = ask;
        let (correlation, reply) = self.waiting.open().map_err(|error| match error {
            NoRoom::Full => SendError::Full(node()),
            NoRoom::Ended => SendError::Unreachable(node()),
        })?;
        let deadline_ms = u32::try_from(within.as_millis()).unwrap_or(u32::MAX);
        let head = Head { service, correlation, kind: FrameKind::Ask, deadline_ms, trace };
        let mut open = OpenAsk { live: self, lane, head, is_sent: false };
        self.push(lane, Outgoing { head, body })?;
        open.is_sent = true;
        match timeout(within, reply).await {
            Ok(Ok(Reply::Answer(body))) => Ok(body),
            Ok(Ok(Reply::Failed(Failure::Refused(text)))) => Err(AskError::Refused(text)),
            Ok(Ok(Reply::Failed(Failure::Busy))) => Err(SendError::Full(node()).into()),
            Ok(Ok(Reply::Failed(Failure::Broken)) | Err(_)) => Err(AskError::Lost(node())),
            Err(_) => Err(AskError::Timeout(node())),
        }
    }

    /// Opens a stream, and awaits that the service has it.
    pub(crate) async fn open_stream(
        &self,
        service: Service,
        head: Bytes,
        trace: TraceContext,
    ) -> Result<MeshStream, AskError> {
        let (len, max) = (head.len(), Opening::HEAD_LEN_MAX);
        if len > max {
            return Err(SendError::TooLarge { len, max }.into());
        }
        let share = Arc::clone(&self.streams_out).try_acquire_owned();
        let share = share.map_err(|_| SendError::Full(self.node().to_owned()))?;
        let opening = Opening::Stream { service, trace, head: head.to_vec() };
        let lost = || AskError::Lost(self.node().to_owned());
        let open = async {
            let (mut send, mut recv) = self.connection.open_bi().await.map_err(|_| lost())?;
            write_message(&mut send, opening.encode()).await.map_err(|_| lost())?;
            let mut splitter = Splitter::new(MESSAGE_LEN_MAX);
            let (answer, broken) = match next_message(&mut recv, &mut splitter).await {
                Ok(Some(message)) => (Answer::decode(&message), None),
                // Refusals are never reset: the service had the stream, and gave it up so soon that
                // its answer was lost with it. Whoever reads the stream learns of that.
                Err(StreamError::Reset) => (Ok(Answer::Taken), Some(StreamError::Reset)),
                Ok(None) | Err(_) => return Err(lost()),
            };
            match answer.map_err(|error| AskError::Refused(error.to_string()))? {
                Answer::Taken => {
                    let stream = MeshStream::new((send, recv), splitter, trace, share);
                    Ok(stream.broken(broken))
                }
                Answer::Refused(text) => Err(AskError::Refused(text)),
                Answer::Busy => Err(SendError::Full(self.node().to_owned()).into()),
            }
        };
        let late = |_| AskError::Timeout(self.node().to_owned());
        timeout(STREAM_OPEN_MAX, open).await.map_err(late)?
    }

    /// Closes the link, tells the other end why, and ends all that waits on it.
    pub(crate) fn close(&self, code: CloseCode, text: &str, why: DownReason) {
        self.closed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
        self.connection.close(code.number(), text.as_bytes());
        self.end();
    }

    /// Ends all that waits on the link, or is worked on for it.
    pub(crate) fn end(&self) {
        self.waiting.end();
        self.serving.end();
    }

    /// Resolves when the link has ended, with the reason.
    pub(crate) async fn closed(&self) -> DownReason {
        let error = self.connection.closed().await;
        let why = self.closed.lock().unwrap_or_else(PoisonError::into_inner).take();
        why.unwrap_or_else(|| ends::reason(&error, self.node()))
    }
}

/// Takes a question back when its asker does not wait any more.
struct OpenAsk<'a> {
    live: &'a Live,
    lane: Lane,
    head: Head,
    is_sent: bool,
}

impl Drop for OpenAsk<'_> {
    fn drop(&mut self) {
        if self.live.waiting.forget(self.head.correlation) && self.is_sent {
            let head = Head { kind: FrameKind::Cancel, ..self.head };
            // If the lane is full, the deadline ends the work over there.
            let cancel = Outgoing { head, body: Bytes::new() };
            if self.live.lane(self.lane).push(cancel).is_err() {
                tracing::debug!(lane = %self.lane, "a question was not taken back");
            }
        }
    }
}
