//! Frames and openings: golden bytes, round trips, and any bytes at all.

use bytes::{Bytes, BytesMut};
use expect_test::expect;
use proptest::prelude::{ProptestConfig, Strategy, any, prop_assert_eq, prop_oneof, proptest};

use super::*;
use crate::{Answer, Hello, Lane, Opening, Splitter, TooLarge};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn head(kind: FrameKind) -> Head {
    let trace = TraceContext { trace: [0xaa; 16], span: [0xbb; 8] };
    Head { service: Service::DOOR, correlation: 300, kind, deadline_ms: 5_000, trace }
}

fn encoded(head: &Head, body: &[u8]) -> BytesMut {
    let mut out = BytesMut::new();
    head.encode(body.len(), &mut out);
    out.extend_from_slice(body);
    out
}

#[test]
fn golden_bytes_of_version_1() {
    let aa = "aa".repeat(16);
    let bb = "bb".repeat(8);
    let bytes = encoded(&head(FrameKind::Ask), b"body");
    assert_eq!(hex(&bytes), format!("00000023{}{aa}{bb}626f6479", "0105ac02018827"));
    let hello = Hello { incarnation: 1_700_000_000_000_000_000, feature_level: 1 };
    expect!["01008080a8b1e39fe7cb1701"].assert_eq(&hex(&Opening::Link(hello).encode()));
    expect!["010104"].assert_eq(&hex(&Opening::Lane(Lane::Bulk).encode()));
    let (service, trace) = (Service::WATCH, TraceContext::NONE);
    let stream = Opening::Stream { service, trace, head: b"pods".to_vec() };
    let zeros = "00".repeat(24);
    assert_eq!(hex(&stream.encode()), format!("010206{zeros}04706f6473"));
    expect!["0100"].assert_eq(&hex(&Answer::Taken.encode()));
    expect!["0101026e6f"].assert_eq(&hex(&Answer::Refused("no".into()).encode()));
    expect!["00026e6f"].assert_eq(&hex(&Failure::refused("no").encode()));
    expect!["01"].assert_eq(&hex(&Failure::Busy.encode()));
    expect!["02"].assert_eq(&hex(&Failure::Broken.encode()));
}

#[test]
fn wrong_bytes_are_refused_with_a_reason() {
    let check = |bytes: &'static [u8], expected: expect_test::Expect| {
        let error = Frame::decode(&Bytes::from_static(bytes)).expect_err("no frame");
        expected.assert_eq(&error.to_string());
    };
    check(b"", expect!["the frame has version None, and this build reads 1"]);
    check(b"\x02abc", expect!["the frame has version Some(2), and this build reads 1"]);
    check(
        b"\x01\x05",
        expect!["the head of a frame cannot be read: Hit the end of buffer, expected more data"],
    );
    check(
        b"\x01\x05\x00\x09\x00",
        expect!["the head of a frame cannot be read: Serde Deserialization Error"],
    );
}

#[test]
fn a_message_beyond_its_bound_is_refused_before_it_comes() {
    let mut splitter = Splitter::new(16);
    splitter.push(&[0, 0, 0, 17]);
    assert_eq!(splitter.next_message(), Err(TooLarge { len: 17, max: 16 }));
    let mut splitter = Splitter::new(16);
    splitter.push(&[0, 0, 0, 2, 7]);
    assert_eq!(splitter.next_message(), Ok(None));
    assert!(splitter.is_amid());
    splitter.push(&[8]);
    assert_eq!(splitter.next_message(), Ok(Some(Bytes::from_static(&[7, 8]))));
    assert!(!splitter.is_amid());
}

#[test]
fn the_longest_head_keeps_its_bound() {
    let head = Head {
        service: Service(u16::MAX),
        correlation: u64::MAX,
        kind: FrameKind::Cancel,
        deadline_ms: u32::MAX,
        trace: TraceContext { trace: [0xff; 16], span: [0xff; 8] },
    };
    assert!(encoded(&head, b"").len() - PREFIX_LEN <= Head::LEN_MAX);
}

#[test]
fn a_long_refusal_is_cut_between_characters() {
    let Failure::Refused(text) = Failure::refused("ä".repeat(Failure::TEXT_LEN_MAX)) else {
        panic!("a refusal stays one");
    };
    assert_eq!(text.len(), Failure::TEXT_LEN_MAX);
}

fn any_head() -> impl Strategy<Value = Head> {
    let kind = prop_oneof![
        proptest::prelude::Just(FrameKind::Tell),
        proptest::prelude::Just(FrameKind::Ask),
        proptest::prelude::Just(FrameKind::Answer),
        proptest::prelude::Just(FrameKind::Failed),
        proptest::prelude::Just(FrameKind::Cancel),
    ];
    let trace = any::<([u8; 16], [u8; 8])>();
    (any::<u16>(), any::<u64>(), kind, any::<u32>(), trace).prop_map(
        |(service, correlation, kind, deadline_ms, (trace, span))| Head {
            service: Service(service),
            correlation,
            kind,
            deadline_ms,
            trace: TraceContext { trace, span },
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_a_value_or_an_error(bytes: Vec<u8>) {
        drop(Opening::decode(&bytes));
        drop(Hello::decode(&bytes));
        drop(Answer::decode(&bytes));
        drop(Failure::decode(&bytes));
        drop(crate::Peer::from_uri(&String::from_utf8_lossy(&bytes)));
        drop(Frame::decode(&Bytes::from(bytes)));
    }

    #[test]
    fn any_bytes_behind_a_right_version_are_a_value_or_an_error(mut bytes: Vec<u8>) {
        bytes.insert(0, WIRE_VERSION);
        drop(Opening::decode(&bytes));
        drop(Hello::decode(&bytes));
        drop(Answer::decode(&bytes));
        drop(Frame::decode(&Bytes::from(bytes)));
    }

    #[test]
    fn a_splitter_holds_no_more_than_it_was_given(pieces: Vec<Vec<u8>>) {
        let mut splitter = Splitter::new(1_024);
        let given: usize = pieces.iter().map(Vec::len).sum();
        let mut taken = 0;
        for piece in pieces {
            splitter.push(&piece);
            while let Ok(Some(message)) = splitter.next_message() {
                taken += PREFIX_LEN + message.len();
            }
        }
        assert!(taken <= given);
    }

    #[test]
    fn frames_survive_any_cutting_of_the_stream(
        frames in proptest::collection::vec((any_head(), any::<Vec<u8>>()), 0..8),
        piece in 1_usize..50,
    ) {
        let mut stream = BytesMut::new();
        for (head, body) in &frames {
            stream.extend_from_slice(&encoded(head, body));
        }
        let mut splitter = Splitter::new(4_096);
        let mut read = Vec::new();
        for bytes in stream.chunks(piece) {
            splitter.push(bytes);
            while let Some(message) = splitter.next_message().expect("within bounds") {
                let frame = Frame::decode(&message).expect("a frame");
                read.push((frame.head, frame.body.to_vec()));
            }
        }
        prop_assert_eq!(read, frames);
    }
}
