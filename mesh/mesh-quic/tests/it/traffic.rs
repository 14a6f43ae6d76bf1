//! Messages and questions: order, refusals, bounds, and lanes that do not wait for each other.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use mesh_quic::{
    Ask, AskError, DownReason, Lane, LaneView, Limits, MeshConfig, SendError, Service, TraceContext,
};
use mesh_wire::{FrameKind, Head, Hello, Opening, Splitter};
use quinn::{RecvStream, SendStream};
use tokio::time::timeout;

use crate::{
    raw::{Raw, message, next_frame},
    scene::{Authority, Echo, Mute, PATIENCE, Process, config, link, pair, until, within},
};

#[tokio::test]
async fn messages_of_one_lane_arrive_in_order() {
    let (first, second) = pair("server-1", "server-2").await;
    let (echo, mut heard) = Echo::new();
    second.mesh.serve(Service::RAFT, echo);
    for number in 0..20_000_u32 {
        let body = Bytes::from([number.to_be_bytes().as_slice(), &[0; 60]].concat());
        loop {
            match first.mesh.tell("server-2", Lane::Raft, Service::RAFT, body.clone()) {
                Ok(()) => break,
                Err(SendError::Full(_)) => tokio::task::yield_now().await,
                Err(error) => panic!("{error}"),
            }
        }
    }
    for number in 0..20_000_u32 {
        let (from, body) = within("a message", heard.recv()).await.unwrap();
        assert_eq!((from.as_str(), &body[..4]), ("server-1", number.to_be_bytes().as_slice()));
    }
}

#[tokio::test]
async fn questions_are_answered_or_refused_in_words() {
    let (first, second) = pair("agent-1", "server-1").await;
    second.mesh.serve(Service::DOOR, Echo::new().0);
    let ask = |service, body: &'static str| first.ask("server-1", service, body);
    assert_eq!(ask(Service::DOOR, "hello").await, Ok(Bytes::from_static(b"hello")));
    let refused = |text: &str| Err(AskError::Refused(text.to_owned()));
    assert_eq!(ask(Service::DOOR, "no").await, refused("the answer is no"));
    // Who knows what it has done before.
    let lost = Err(AskError::Lost("server-1".to_owned()));
    assert_eq!(ask(Service::DOOR, "panic").await, lost);
    let big = "the answer has 4194305 bytes, and the lane carries 4194304";
    assert_eq!(ask(Service::DOOR, "big").await, refused(big));
    assert_eq!(ask(Service::RENEW, "x").await, refused("server-1 does not serve renew"));
    // The link has survived all of that.
    assert_eq!(second.link("agent-1").unwrap().reconnects, 0);
    let trace = TraceContext { trace: [5; 16], span: [6; 8] };
    let traced = Ask::new(Lane::Rpc, Service::DOOR, "trace".into(), PATIENCE).traced(trace);
    assert_eq!(first.mesh.ask("server-1", traced).await, Ok(Bytes::from_static(&[5; 16])));
}

#[tokio::test]
async fn big_bodies_travel_up_to_the_bound_of_their_lane() {
    let (first, second) = pair("server-1", "server-2").await;
    second.mesh.serve(Service::PROPOSE, Echo::new().0);
    let max = Lane::Raft.body_len_max();
    let body = Bytes::from(vec![3; max]);
    let ask = |body| Ask::new(Lane::Raft, Service::PROPOSE, body, PATIENCE);
    assert_eq!(first.mesh.ask("server-2", ask(body.clone())).await, Ok(body));
    let (len, body) = (max + 1, Bytes::from(vec![3; max + 1]));
    let too_large = SendError::TooLarge { len, max };
    assert_eq!(first.mesh.ask("server-2", ask(body)).await, Err(too_large.into()));
}

#[tokio::test]
async fn who_gives_up_frees_the_work_at_the_other_end() {
    let (first, second) = pair("server-1", "server-2").await;
    let mute = Mute::default();
    let open = Arc::clone(&mute.open);
    second.mesh.serve(Service::DOOR, Arc::new(mute));
    let short = Duration::from_millis(50);
    let ask = Ask::new(Lane::Rpc, Service::DOOR, Bytes::new(), short);
    let answer = first.mesh.ask("server-2", ask).await;
    assert_eq!(answer, Err(AskError::Timeout("server-2".to_owned())));
    until("the work's end", || *open.lock().unwrap() == 0).await;
    let long = first.ask("server-2", Service::DOOR, "x");
    tokio::select! {
        answer = long => panic!("{answer:?}"),
        () = until("the question", || *open.lock().unwrap() == 1) => {}
    }
    // Dropped, it is taken back.
    until("the work's end", || *open.lock().unwrap() == 0).await;
}

#[tokio::test]
async fn more_questions_than_the_bound_are_told_that_it_is_busy() {
    let authority = Authority::new();
    let first = Process::start(config(&authority, "server-1")).await;
    let mut config = config(&authority, "server-2");
    config.limits.asks_max = 2;
    let second = Process::start(config).await;
    link(&first, &second).await;
    let mute = Mute::default();
    let open = Arc::clone(&mute.open);
    second.mesh.serve(Service::DOOR, Arc::new(mute));
    let asks = async {
        let ask = || first.ask("server-2", Service::DOOR, "x");
        tokio::join!(ask(), ask())
    };
    let third = async {
        until("the questions", || *open.lock().unwrap() == 2).await;
        first.ask("server-2", Service::DOOR, "x").await
    };
    tokio::select! {
        answers = asks => panic!("{answers:?}"),
        busy = third => assert!(busy.unwrap_err().is_undone()),
    }
}

/// A peer that greets and opens the bulk lane, but reads only the control lane, where it answers.
struct Stalled {
    server: Process,
    raw: Raw,
    bulk: (SendStream, RecvStream),
    control: (SendStream, RecvStream),
}

impl Stalled {
    async fn new(limits: Limits) -> Self {
        let authority = Authority::new();
        let config_1 = MeshConfig { limits, ..config(&authority, "server-1") };
        let server = Process::start(config_1).await;
        let raw = Raw::call(&config(&authority, "agent-1"), &server).await;
        let control = raw.greet().await;
        server.is_linked(&["agent-1"]).await;
        let bulk = raw.write(&message(&Opening::Lane(Lane::Bulk).encode())).await;
        Self { server, raw, bulk, control }
    }

    fn tell(&self, len: usize) -> Result<(), SendError> {
        let body = Bytes::from(vec![0; len]);
        self.server.mesh.tell("agent-1", Lane::Bulk, Service::MEMBER, body)
    }

    /// Tells until the lane is full: what the transport takes before it stops is bounded as well.
    async fn fill(&self, len: usize) -> LaneView {
        let full = Err(SendError::Full("agent-1".to_owned()));
        until("a refusal that lasts", || (0..50).all(|_| self.tell(len) == full)).await;
        self.server.link("agent-1").unwrap().lanes[Lane::Bulk.index()].clone()
    }
}

#[tokio::test]
async fn a_full_lane_refuses_and_a_stalled_one_delays_no_other() {
    let limits = Limits { lane_frames_max: 16, ..Limits::default() };
    let mut stalled = Stalled::new(limits).await;
    let bulk = stalled.fill(64_000).await;
    assert_eq!((bulk.lane, bulk.frames, bulk.full > 0), (Lane::Bulk, 16, true));
    let (send, recv) = &mut stalled.control;
    let mut control = Splitter::new(4_096);
    // What comes first on the control lane is the greeting.
    let greeting = recv.read_chunk(64, true).await.unwrap().unwrap();
    control.push(&greeting.bytes);
    assert!(Hello::decode(&control.next_message().unwrap().unwrap()).is_ok());
    for _ in 0..20 {
        let ask = Ask::new(Lane::Control, Service::GOSSIP, "x".into(), PATIENCE);
        let answer = async {
            let frame = next_frame(recv, &mut control).await;
            let mut bytes = BytesMut::new();
            Head { kind: FrameKind::Answer, ..frame.head }.encode(frame.body.len(), &mut bytes);
            bytes.extend_from_slice(&frame.body);
            send.write_all(&bytes).await.unwrap();
        };
        let (answer, ()) = tokio::join!(stalled.server.mesh.ask("agent-1", ask), answer);
        // Nobody reads the other lane before all these are answered.
        assert_eq!(answer, Ok(Bytes::from_static(b"x")));
    }
    // When it is read, it moves again, and nothing was lost in between.
    let mut bulk = Splitter::new(100_000);
    for _ in 0..17 {
        let frame = next_frame(&mut stalled.bulk.1, &mut bulk).await;
        assert_eq!((frame.head.service, frame.body.len()), (Service::MEMBER, 64_000));
    }
    until("room", || stalled.tell(10).is_ok()).await;
    assert!(stalled.raw.connection.close_reason().is_none());
}

#[tokio::test]
async fn bytes_that_wait_are_bounded_too() {
    let limits = Limits { lane_bytes_max: 1_000_000, ..Limits::default() };
    let stalled = Stalled::new(limits).await;
    let bulk = stalled.fill(300_000).await;
    assert!(bulk.bytes <= 1_000_000 && bulk.frames < 16, "{bulk:?}");
}

#[tokio::test]
async fn a_lost_link_ends_all_questions_at_once() {
    let (mut first, second) = pair("server-1", "server-2").await;
    let mute = Mute::default();
    let open = Arc::clone(&mute.open);
    second.mesh.serve(Service::DOOR, Arc::new(mute));
    let asks = async {
        let ask = || first.ask("server-2", Service::DOOR, "x");
        tokio::join!(ask(), ask(), ask())
    };
    let stop = async {
        until("the questions", || *open.lock().unwrap() == 3).await;
        drop(second.stop().await);
    };
    let (answers, ()) = tokio::join!(asks, stop);
    let lost = || Err(AskError::Lost("server-2".to_owned()));
    assert_eq!(answers, (lost(), lost(), lost()));
    // By its farewell, and not by silence.
    assert_eq!(first.down().await, ("server-2".to_owned(), DownReason::Closed));
    until("the work's end", || *open.lock().unwrap() == 0).await;
}

#[tokio::test]
async fn a_handler_that_panics_over_a_message_loses_the_message_alone() {
    struct Panics;
    impl mesh_quic::Handler for Panics {
        fn tell(&self, _: &mesh_quic::Peer, _: Bytes) {
            panic!("asked to");
        }
    }
    let (first, second) = pair("server-1", "server-2").await;
    second.mesh.serve(Service::MEMBER, Arc::new(Panics));
    second.mesh.serve(Service::GOSSIP, Echo::new().0);
    first.mesh.tell("server-2", Lane::Control, Service::MEMBER, Bytes::new()).unwrap();
    let ask = Ask::new(Lane::Control, Service::GOSSIP, "x".into(), PATIENCE);
    let answer = timeout(PATIENCE, first.mesh.ask("server-2", ask)).await;
    assert_eq!(answer.unwrap(), Ok(Bytes::from_static(b"x")));
    assert_eq!(first.link("server-2").unwrap().reconnects, 0);
}
