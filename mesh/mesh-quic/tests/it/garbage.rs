//! What no process of ours would send: it crashes nothing, and ends at most its own link.

use std::net::UdpSocket;

use actors_core::Rng;
use mesh_quic::Service;
use mesh_wire::{FrameKind, Head, Hello, Lane, Opening, TraceContext};

use crate::{
    raw::{Raw, message, next_frame},
    scene::{Authority, Echo, Process, config, is_up, link, pair, until, within},
};

#[tokio::test]
async fn garbage_datagrams_are_ignored() {
    let (first, second) = pair("server-1", "server-2").await;
    second.mesh.serve(Service::DOOR, Echo::new().0);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut rng = Rng::from_number(7);
    for round in 0..3_000 {
        let len = usize::try_from(rng.between(0, 1_400)).unwrap();
        let mut bytes = vec![0; len];
        rng.fill(&mut bytes);
        // Half of them look like the beginning of a handshake of this version.
        if round % 2 == 0 && len > 6 {
            bytes[0] |= 0xc0;
            bytes[1..5].copy_from_slice(&[0, 0, 0, 1]);
            bytes[5] = 8;
        }
        for process in [&first, &second] {
            drop(socket.send_to(&bytes, process.mesh.local_addr()));
        }
        if round % 500 == 0 {
            assert_eq!(first.ask("server-2", Service::DOOR, "x").await.unwrap(), "x");
        }
    }
    assert_eq!(first.link("server-2").unwrap().reconnects, 0);
}

fn frame(kind: FrameKind, correlation: u64) -> Vec<u8> {
    let (service, trace) = (Service::DOOR, TraceContext::NONE);
    let mut bytes = bytes::BytesMut::new();
    Head { service, correlation, kind, deadline_ms: 1_000, trace }.encode(0, &mut bytes);
    bytes.to_vec()
}

/// The raw peer does something after a good greeting (or instead of one); it is put out with this
/// reason, and the link of another peer does not notice.
async fn check(greets: bool, streams: &[Vec<u8>], reason: &str) {
    let authority = Authority::new();
    let server = Process::start(config(&authority, "server-1")).await;
    let other = Process::start(config(&authority, "server-2")).await;
    server.mesh.serve(Service::DOOR, Echo::new().0);
    link(&server, &other).await;
    let raw = Raw::call(&config(&authority, "agent-1"), &server).await;
    let mut kept = Vec::new();
    if greets {
        kept.push(raw.greet().await);
        until("the link", || server.link("agent-1").is_some_and(|link| is_up(&link))).await;
    }
    for stream in streams {
        kept.push(raw.write(stream).await);
    }
    let closed = within("the end", raw.connection.closed()).await;
    let quinn::ConnectionError::ApplicationClosed(close) = &closed else { panic!("{closed:?}") };
    assert_eq!(String::from_utf8_lossy(&close.reason), reason);
    until("the count", || server.refused().contains_key(reason)).await;
    assert_eq!(other.ask("server-1", Service::DOOR, "x").await.unwrap(), "x");
    assert_eq!(server.link("server-2").unwrap().reconnects, 0);
}

#[tokio::test]
async fn a_greeting_that_is_none_is_refused() {
    let none = "agent agent-1 sent no greeting";
    let lane = message(&Opening::Lane(Lane::Raft).encode());
    check(false, &[lane], none).await;
    let version = message(&[9, 0, 0, 0]);
    let reason = format!("{none}: the frame has version Some(9), and this build reads 1");
    check(false, &[version], &reason).await;
    let huge = vec![0xff; 100];
    let reason =
        format!("{none}: a message of 4294967295 bytes is announced, and 1048640 are allowed");
    check(false, &[huge], &reason).await;
}

#[tokio::test]
async fn a_stream_that_cannot_be_read_ends_its_link() {
    let unreadable = "agent agent-1 sent what cannot be read";
    let second = message(&Opening::Link(Hello { incarnation: 2, feature_level: 1 }).encode());
    check(true, &[second], &format!("{unreadable}: a second greeting")).await;
    let control = message(&Opening::Lane(Lane::Control).encode());
    check(true, &[control], &format!("{unreadable}: a second control lane")).await;
    let mut lane = message(&Opening::Lane(Lane::Watch).encode());
    lane.extend_from_slice(&message(&[7, 7, 7]));
    let reason = format!("{unreadable}: the frame has version Some(7), and this build reads 1");
    check(true, &[lane], &reason).await;
    let mut lane = message(&Opening::Lane(Lane::Watch).encode());
    lane.extend_from_slice(&[0xff; 64]);
    let reason = format!(
        "{unreadable}: a message of 4294967295 bytes is announced, and 4194368 are allowed"
    );
    check(true, &[lane], &reason).await;
}

/// A lane that ends takes its link along, which is nobody's refusal.
#[tokio::test]
async fn a_lane_that_ends_ends_its_link() {
    let authority = Authority::new();
    let server = Process::start(config(&authority, "server-1")).await;
    let raw = Raw::call(&config(&authority, "agent-1"), &server).await;
    let _control = raw.greet().await;
    let (mut send, _recv) = raw.write(&message(&Opening::Lane(Lane::Rpc).encode())).await;
    send.finish().unwrap();
    let closed = within("the end", raw.connection.closed()).await;
    let quinn::ConnectionError::ApplicationClosed(close) = &closed else { panic!("{closed:?}") };
    assert_eq!(String::from_utf8_lossy(&close.reason), "the rpc lane has ended");
    assert!(server.refused().is_empty());
}

/// Frames that are well-formed and mean nothing are dropped: answers to no question, ends of none,
/// the same number twice.
#[tokio::test]
async fn frames_without_sense_are_dropped() {
    let authority = Authority::new();
    let server = Process::start(config(&authority, "server-1")).await;
    server.mesh.serve(Service::DOOR, Echo::new().0);
    let raw = Raw::call(&config(&authority, "agent-1"), &server).await;
    let _control = raw.greet().await;
    let mut bytes = message(&Opening::Lane(Lane::Rpc).encode());
    for kind in [FrameKind::Answer, FrameKind::Failed, FrameKind::Cancel] {
        bytes.extend_from_slice(&frame(kind, 99));
    }
    bytes.extend_from_slice(&frame(FrameKind::Ask, 5));
    bytes.extend_from_slice(&frame(FrameKind::Ask, 5));
    let (_send, mut recv) = raw.write(&bytes).await;
    // An answer comes for what was a question.
    let mut splitter = mesh_wire::Splitter::new(1_024);
    let answer = next_frame(&mut recv, &mut splitter).await;
    assert_eq!((answer.head.kind, answer.head.correlation), (FrameKind::Answer, 5));
    assert!(raw.connection.close_reason().is_none());
}

/// Random bytes on random streams, many times: the server lives.
#[tokio::test]
async fn random_bytes_on_streams_crash_nothing() {
    let authority = Authority::new();
    let server = Process::start(config(&authority, "server-1")).await;
    let other = Process::start(config(&authority, "server-2")).await;
    server.mesh.serve(Service::DOOR, Echo::new().0);
    link(&server, &other).await;
    let mut rng = Rng::from_number(11);
    let raw_config = config(&authority, "agent-1");
    for round in 0..20 {
        let raw = Raw::call(&raw_config, &server).await;
        let mut kept = Vec::new();
        if round % 2 == 0 {
            kept.push(raw.greet().await);
        }
        for _ in 0..5 {
            let mut bytes = vec![0; usize::try_from(rng.between(1, 300)).unwrap()];
            rng.fill(&mut bytes);
            // Often a length that is plausible, so that what follows is read.
            if rng.chance(700_000) && bytes.len() > 5 {
                bytes[..3].fill(0);
                bytes[4] = 1;
            }
            if let Ok((mut send, recv)) = raw.connection.open_bi().await {
                drop(send.write_all(&bytes).await);
                drop(send.finish());
                kept.push((send, recv));
            }
        }
        drop(raw);
    }
    assert_eq!(other.ask("server-1", Service::DOOR, "x").await.unwrap(), "x");
    assert_eq!(server.link("server-2").unwrap().reconnects, 0);
}
