//! What runs on a link that is up: its lanes, the streams that the peer opens, its questions.
//!
//! Way in: [`Wire::start`].  Never: more questions or streams at a time than the limits say.
//! Invariant: every frame and stream is compared with who may speak before anyone sees it.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use actors_runtime::Service as Host;
use bytes::Bytes;
use futures_util::FutureExt as _;
use mesh_wire::{
    Answer, Failure, Frame, FrameKind, Head, Lane, Opening, Service, Splitter, TraceContext,
    may_speak,
};
use quinn::{RecvStream, SendStream};
use tokio::time::timeout;

use crate::{
    DownReason, Handler, MESSAGE_LEN_MAX, MeshStream, StreamError,
    asks::{NoRoom, Reply},
    ends::CloseCode,
    lane::{self, LaneEnd, Outgoing, Outlet, read_lane, write_lane},
    live::Live,
    peers::PeerSlot,
    shared::Shared,
    stream::{next_message, write_message},
};

/// How long a stream may be open before it says what it is.
const OPENING_MAX: Duration = Duration::from_secs(5);

/// How long a link may live on when one of its lanes has ended.
const FAREWELL_MAX: Duration = Duration::from_secs(1);

/// All that the parts of one link need.
#[derive(Clone)]
pub(crate) struct Wire {
    pub(crate) shared: Arc<Shared>,
    pub(crate) slot: Arc<PeerSlot>,
    pub(crate) live: Arc<Live>,
    pub(crate) service: Host,
    pub(crate) is_dialed: bool,
}

impl Wire {
    /// Starts everything, with the control lane that the handshake was done on.
    pub(crate) fn start(&self, control: (SendStream, RecvStream), splitter: Splitter) {
        let (mut send, recv) = control;
        let wire = self.clone();
        let hello = self.shared.hello();
        if let Some(outlet) = self.live.take_outlet(Lane::Control) {
            self.spawn("control-out", async move {
                let is_dialed = wire.is_dialed;
                if !is_dialed && write_message(&mut send, hello.encode()).await.is_err() {
                    return;
                }
                wire.pump(Lane::Control, outlet, send).await;
            });
        }
        self.read(Lane::Control, recv, splitter);
        if self.is_dialed {
            for lane in Lane::ALL.into_iter().filter(|lane| *lane != Lane::Control) {
                let wire = self.clone();
                self.spawn(format!("{lane}-out"), async move { wire.open_lane(lane).await });
            }
        }
        let wire = self.clone();
        self.spawn("streams", async move { wire.accept_streams().await });
    }

    fn spawn(&self, name: impl Into<String>, piece: impl Future<Output = ()> + Send + 'static) {
        if let Err(error) = self.service.spawn(name, piece) {
            tracing::debug!(%error, "the link's actor is ending");
        }
    }

    /// The peer does not keep to the protocol: nothing more of it can be trusted.
    fn break_off(&self, text: &str) {
        let peer = &self.live.facts.peer;
        let reason = format!("{peer} sent what cannot be read: {text}");
        let from = self.live.connection.remote_address();
        self.shared.refuse(from, Some(&self.live.facts), &reason);
        let why = DownReason::Error(reason.clone());
        self.live.close(CloseCode::Protocol, &reason, why);
    }

    /// A lane has ended. Most often the whole link is just ending, and says why itself.
    async fn lose(&self, lane: Lane) {
        if timeout(FAREWELL_MAX, self.live.connection.closed()).await.is_err() {
            let text = format!("the {lane} lane has ended");
            self.live.close(CloseCode::Protocol, &text, DownReason::Error(text.clone()));
        }
    }

    async fn open_lane(&self, lane: Lane) {
        let Some(outlet) = self.live.take_outlet(lane) else { return };
        // Errors here mean that the link has ended.
        let Ok((mut send, recv)) = self.live.connection.open_bi().await else { return };
        if write_message(&mut send, Opening::Lane(lane).encode()).await.is_err() {
            return;
        }
        self.read(lane, recv, lane::splitter(lane));
        self.pump(lane, outlet, send).await;
    }

    async fn pump(&self, lane: Lane, outlet: Outlet, send: SendStream) {
        let urgency = i32::try_from(Lane::ALL.len() - lane.index()).unwrap_or(0);
        // An error means that the link has ended.
        drop(send.set_priority(urgency));
        tokio::select! {
            biased;
            _ = self.live.connection.closed() => {}
            () = write_lane(outlet, send, &self.slot.counters) => {
                // The queue lives as long as this link does, so it is the stream that has ended.
                self.lose(lane).await;
            }
        }
    }

    fn read(&self, lane: Lane, mut recv: RecvStream, mut splitter: Splitter) {
        let wire = self.clone();
        self.spawn(format!("{lane}-in"), async move {
            let each = |frame| wire.dispatch(lane, frame);
            match read_lane(&mut recv, &mut splitter, each).await {
                LaneEnd::Lost => {}
                LaneEnd::Ended => wire.lose(lane).await,
                LaneEnd::Malformed(text) => wire.break_off(&text),
            }
        });
    }

    /// Whether the peer may send to a service; if not, the sentence, which is counted.
    fn check(&self, service: Service) -> Result<Arc<dyn Handler>, String> {
        let peer = &self.live.facts.peer;
        if !may_speak(peer.role, service) {
            let reason = format!("{peer} may not speak to {service}");
            self.slot.counters.refused();
            let from = self.live.connection.remote_address();
            self.shared.refuse(from, Some(&self.live.facts), &reason);
            return Err(reason);
        }
        let me = &self.shared.me.node;
        self.shared.handler(service).ok_or_else(|| format!("{me} does not serve {service}"))
    }

    fn dispatch(&self, lane: Lane, frame: Frame) {
        let Frame { head, body } = frame;
        self.slot.counters.received(body.len() as u64);
        match head.kind {
            FrameKind::Tell => self.handle_tell(head.service, body),
            FrameKind::Ask => self.handle_ask(lane, head, body),
            FrameKind::Answer => self.live.waiting.answer(head.correlation, Reply::Answer(body)),
            FrameKind::Failed => {
                let failure = Failure::decode(&body);
                self.live.waiting.answer(head.correlation, Reply::Failed(failure));
            }
            FrameKind::Cancel => self.live.serving.finish(head.correlation),
        }
    }

    fn handle_tell(&self, service: Service, body: Bytes) {
        // Nobody waits for an answer: the refusal is counted, a missing service is not our fault.
        let Ok(handler) = self.check(service) else { return };
        let peer = &self.live.facts.peer;
        if catch_unwind(AssertUnwindSafe(|| handler.tell(peer, body))).is_err() {
            tracing::error!(%peer, %service, "a handler panicked over a message");
        }
    }

    fn handle_ask(&self, lane: Lane, head: Head, body: Bytes) {
        let handler = match self.check(head.service) {
            Ok(handler) => handler,
            Err(text) => return self.fail(lane, &head, &Failure::refused(text)),
        };
        let given_up = match self.live.serving.begin(head.correlation) {
            Ok(given_up) => given_up,
            Err(NoRoom::Full) => return self.fail(lane, &head, &Failure::Busy),
            Err(NoRoom::Ended) => return,
        };
        let wire = self.clone();
        self.spawn("answer", async move {
            let within = Duration::from_millis(u64::from(head.deadline_ms));
            let max = lane.body_len_max();
            let answer = answer(handler, Arc::clone(&wire.live), body, head.trace, max);
            let answer = tokio::select! {
                biased;
                _ = given_up => return,
                answer = timeout(within, answer) => answer,
            };
            // Late, nobody waits any more.
            if let Ok(answer) = answer {
                let frame = reply(&head, answer);
                wire.live.lane(lane).push_answer(frame).await;
            }
            wire.live.serving.finish(head.correlation);
        });
    }

    /// Says at once that there is no answer; if there is no room for that, the asker's deadline
    /// does.
    fn fail(&self, lane: Lane, head: &Head, failure: &Failure) {
        let head = Head { kind: FrameKind::Failed, ..*head };
        if self.live.lane(lane).push(Outgoing { head, body: failure.encode() }).is_err() {
            tracing::debug!(%lane, "a failure was not reported");
        }
    }

    async fn accept_streams(&self) {
        // The transport bounds how many there are at a time.
        while let Ok((send, recv)) = self.live.connection.accept_bi().await {
            let wire = self.clone();
            self.spawn("stream", async move { wire.handle_stream(send, recv).await });
        }
    }

    async fn handle_stream(&self, send: SendStream, mut recv: RecvStream) {
        let mut splitter = Splitter::new(Opening::LEN_MAX);
        let message = timeout(OPENING_MAX, next_message(&mut recv, &mut splitter)).await;
        let message = match message {
            Ok(Ok(Some(message))) => message,
            Ok(Err(StreamError::Malformed(text))) => return self.break_off(&text),
            // Given up before it was opened, or never opened.
            Ok(Ok(None) | Err(_)) | Err(_) => return,
        };
        match Opening::decode(&message) {
            Ok(Opening::Lane(lane)) => self.accept_lane(lane, (send, recv), splitter).await,
            Ok(Opening::Stream { service, trace, head }) => {
                let stream = (send, recv);
                self.accept_stream(service, (head.into(), trace), stream, splitter).await;
            }
            Ok(Opening::Link(_)) => self.break_off("a second greeting"),
            Err(error) => self.break_off(&error.to_string()),
        }
    }

    async fn accept_lane(&self, lane: Lane, stream: (SendStream, RecvStream), splitter: Splitter) {
        let outlet = self.live.take_outlet(lane).filter(|_| !self.is_dialed);
        let Some(outlet) = outlet else {
            return self.break_off(&format!("a second {lane} lane"));
        };
        let (send, recv) = stream;
        self.read(lane, recv, splitter.with_max(Head::LEN_MAX + lane.body_len_max()));
        self.pump(lane, outlet, send).await;
    }

    async fn accept_stream(
        &self,
        service: Service,
        what: (Bytes, TraceContext),
        stream: (SendStream, RecvStream),
        splitter: Splitter,
    ) {
        let (mut send, recv) = stream;
        let (head, trace) = what;
        let share = Arc::clone(&self.live.streams_in).try_acquire_owned();
        let (handler, share) = match (self.check(service), share) {
            (Ok(handler), Ok(share)) => (handler, share),
            (Err(text), _) => return refuse_stream(send, Answer::Refused(text)).await,
            (Ok(_), Err(_)) => return refuse_stream(send, Answer::Busy).await,
        };
        if write_message(&mut send, Answer::Taken.encode()).await.is_err() {
            return;
        }
        let splitter = splitter.with_max(MESSAGE_LEN_MAX);
        let stream = MeshStream::new((send, recv), splitter, trace, share);
        let peer = &self.live.facts.peer;
        let work = AssertUnwindSafe(async { handler.stream(peer, head, stream).await });
        tokio::select! {
            biased;
            _ = self.live.connection.closed() => {}
            done = work.catch_unwind() => if done.is_err() {
                tracing::error!(%peer, %service, "a handler panicked over a stream");
            }
        }
    }
}

/// Says why, and ends the stream.
async fn refuse_stream(mut send: SendStream, answer: Answer) {
    if write_message(&mut send, answer.encode()).await.is_ok() {
        drop(send.finish());
    }
}

/// What the handler says, as a body that the lane carries, or why there is none.
async fn answer(
    handler: Arc<dyn Handler>,
    live: Arc<Live>,
    body: Bytes,
    trace: TraceContext,
    max: usize,
) -> Result<Bytes, Failure> {
    let work = AssertUnwindSafe(async { handler.ask(&live.facts.peer, body, trace).await });
    let answer = work.catch_unwind().await.map_err(|_| {
        tracing::error!(peer = %live.facts.peer, "a handler panicked over a question");
        Failure::Broken
    })?;
    let body = answer.map_err(Failure::refused)?;
    if body.len() > max {
        let text = format!("the answer has {} bytes, and the lane carries {max}", body.len());
        return Err(Failure::refused(text));
    }
    Ok(body)
}

fn reply(head: &Head, answer: Result<Bytes, Failure>) -> Outgoing {
    let (kind, body) = match answer {
        Ok(body) => (FrameKind::Answer, body),
        Err(failure) => (FrameKind::Failed, failure.encode()),
    };
    Outgoing { head: Head { kind, ..*head }, body }
}
