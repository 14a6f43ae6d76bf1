//! What is on disk and on the wire must be read for years: samples of every encoding.

use expect_test::{Expect, expect};
use raft::eraftpb::{Entry, EntryType, Message, MessageType};

use super::{
    Decoded, Farewell, Framed, Head, Mark, decode_record, encode_entry, encode_mark,
    farewell_frame, frame, open_frame,
};
use crate::{Members, NodeId, RaftConfig};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn check(bytes: &[u8], golden: &Expect) {
    golden.assert_eq(&hex(bytes));
}

fn config() -> RaftConfig {
    RaftConfig::new(NodeId(2), [0xc1; 16], 7)
}

fn entry(kind: EntryType) -> Entry {
    let mut entry = Entry { index: 300, term: 5, data: b"payload".to_vec(), ..Entry::default() };
    entry.set_entry_type(kind);
    entry
}

#[test]
fn records_keep_their_encoding() {
    for (kind, golden) in [
        (EntryType::EntryNormal, expect!["010005077061796c6f6164"]),
        (EntryType::EntryConfChangeV2, expect!["010105077061796c6f6164"]),
    ] {
        let record = encode_entry(&entry(kind));
        check(&record.data, &golden);
        assert_eq!(decode_record(&record), Some(Decoded::Entry(entry(kind))));
    }
    let mark = Mark { index: 300, term: 5 };
    let record = encode_mark(mark);
    check(&record.data, &expect!["01020500"]);
    assert_eq!(decode_record(&record), Some(Decoded::Mark(mark)));
}

#[test]
fn the_head_keeps_its_encoding() {
    let head = Head {
        owner: config().sender(),
        term: 5,
        vote: 1,
        commit: 299,
        members: Members::voters([NodeId(1), NodeId(2)]),
        members_at: 1,
        incoming: None,
        image: 0,
    };
    let first = expect!["01c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c107020501ab02020102000000000100"];
    assert_eq!(Head::decode(&bytes(first.data())), Some(head.clone()));
    let mut members = head.members.clone();
    members.contexts.insert(NodeId(2), b"b".to_vec());
    members.learners.insert(NodeId(3));
    members.joining.insert(NodeId(3));
    let incoming = Some((Mark { index: 400, term: 6 }, members.clone()));
    let head = Head { members, incoming, image: 350, ..head };
    check(
        &head.encode(),
        &expect![
            "02c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c107020501ab02020102010300000001020162010301019003060201020103000000010201620103de02"
        ],
    );
    assert_eq!(Head::decode(&head.encode()), Some(head));
}

#[test]
fn a_newer_version_or_a_tail_is_refused() {
    let mut record = encode_entry(&entry(EntryType::EntryNormal));
    record.data.push(0);
    assert_eq!(decode_record(&record), None);
    record.data[0] = 2;
    assert_eq!(decode_record(&record), None);
    record.data.clear();
    assert_eq!(decode_record(&record), None);
}

#[test]
fn a_frame_arrives_only_where_it_belongs() {
    let mut message = Message { from: 1, to: 2, term: 5, ..Message::default() };
    message.set_msg_type(MessageType::MsgHeartbeat);
    let bytes = frame(&config(), &message);
    let open = |config: &RaftConfig, from| open_frame(config, NodeId(from), &bytes);
    assert_eq!(open(&config(), 1), Ok(Framed::Message(Box::new(message))));
    assert_eq!(open(&config(), 3), Err("misdirected"));
    assert_eq!(open(&RaftConfig { node: NodeId(3), ..config() }, 1), Err("misdirected"));
    assert_eq!(open(&RaftConfig { group: 8, ..config() }, 1), Err("of another group"));
    assert_eq!(open(&RaftConfig { cluster: [0; 16], ..config() }, 1), Err("of another cluster"));
    assert_eq!(open_frame(&config(), NodeId(1), &bytes[..9]), Err("shorter than its head"));
    let unknown = Message { from: 1, to: 2, msg_type: 99, ..Message::default() };
    let bytes = frame(&config(), &unknown);
    assert_eq!(open_frame(&config(), NodeId(1), &bytes), Err("of an unknown kind"));
}

#[test]
fn a_farewell_keeps_its_encoding_and_arrives_only_where_it_belongs() {
    let farewell = Farewell { to: NodeId(2), index: 300 };
    let bytes = farewell_frame(&config(), &farewell);
    check(&bytes, &expect!["02c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c100070102ac02"]);
    assert_eq!(open_frame(&config(), NodeId(1), &bytes), Ok(Framed::Farewell(farewell)));
    let other = RaftConfig { node: NodeId(3), ..config() };
    assert_eq!(open_frame(&other, NodeId(1), &bytes), Err("misdirected"));
}
