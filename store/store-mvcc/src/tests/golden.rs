//! The bytes of entries and rows are a promise to every disk that holds them.
//!
//! A change here is a new version byte and a new golden file; the old ones stay readable.

use std::fmt::Write;

use expect_test::expect_file;

use super::*;
use crate::{Condition, ENTRY_BYTES_MAX, EntryError, Epoch, ShardId, Splice};

/// One entry with every operation and every sort of expectation.
fn sample() -> Proposal {
    let columns = Columns {
        uid: "0b9f1c52-7a0e-4bd1-9a3e-6f2f0a5f4c11".to_owned(),
        labels: vec![("app".to_owned(), "web".to_owned())],
        owners: vec!["5d3c2f0e-1111-4222-8333-944455556666".to_owned()],
        fields: vec![("spec.nodeName".to_owned(), "n1".to_owned())],
        rv_at: 11,
        sealed: false,
        generation: 3,
    };
    let key = Key::object("", "pods", Some("default"), "web-0");
    let value = Bytes::from_static(br#"{"kind":"P","metadata":{"name":"web-0"}}"#);
    let put = |expect, lease| Op::Put {
        key: key.clone(),
        value: value.clone(),
        columns: columns.clone(),
        expect,
        lease,
    };
    let splices = vec![Splice { at: 1, remove: 0, insert: Bytes::from_static(br#""a":1,"#) }];
    let ops = vec![
        Op::LeaseGrant { id: LeaseId(7), ttl_ms: 15_000 },
        put(Expect::Absent, Some(LeaseId(7))),
        Op::Delta { key: key.clone(), expect: Revision(1), splices, columns: columns.clone() },
        put(Expect::Revision(Revision(2)), None),
        put(Expect::Present, None),
        Op::Delete { key: key.clone(), expect: Expect::Any },
        put(Expect::Any, None),
        Op::GrantShard { shard: ShardId::ALL, epoch: Epoch(2), holder: "server-1".to_owned() },
        Op::LeaseGrant { id: LeaseId(8), ttl_ms: 1 },
        Op::LeaseRevoke { id: LeaseId(7) },
        Op::Compact { below: Revision(1) },
        Op::RaiseLevel(1),
    ];
    Proposal {
        group: GroupId::MAIN,
        writer: Writer {
            shard: ShardId(4_095),
            epoch: Epoch(0),
            name: "controller/deployment".to_owned(),
        },
        token: Token([0xab; 16]),
        feature_level: 1,
        at: Wall(1_700_000_000_000_000_000),
        atomic: true,
        ops,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.trim().as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

#[test]
fn the_bytes_of_an_entry_stay_as_they_are() {
    let bytes = sample().encode().unwrap();
    expect_file!["golden/entry-v1.hex"].assert_eq(&format!("{}\n", hex(&bytes)));
    assert_eq!(Proposal::decode(&unhex(include_str!("golden/entry-v1.hex"))), Ok(sample()));
}

/// What feature level 2 added.
fn sample_of_level_2() -> Proposal {
    let namespace = Key::object("", "namespaces", None, "default");
    let gone = Key::object("", "namespaces", None, "gone");
    let quotas = Key::prefix("", "resourcequotas", Some("default"));
    let (field, value) = ("status.phase".to_owned(), "Terminating".to_owned());
    let check = |key: &Key, condition| Op::Check { key: key.clone(), condition };
    let ops = vec![
        put("/registry/namespaces/default", "{}", Expect::Absent),
        check(&namespace, Condition::Unless { field, value }),
        check(&namespace, Condition::Is(Expect::Present)),
        check(&gone, Condition::Is(Expect::Absent)),
        check(&quotas, Condition::NoneSince(Revision(1))),
    ];
    Proposal { feature_level: 2, token: Token([0xcd; 16]), atomic: true, ..proposal(ops) }
}

#[test]
fn the_bytes_of_checks_stay_as_they_are() {
    let bytes = sample_of_level_2().encode().unwrap();
    expect_file!["golden/entry-v1-level-2.hex"].assert_eq(&format!("{}\n", hex(&bytes)));
    let known = unhex(include_str!("golden/entry-v1-level-2.hex"));
    assert_eq!(Proposal::decode(&known), Ok(sample_of_level_2()));
    let mut bench = Bench::new();
    bench.results(vec![Op::RaiseLevel(2)]);
    assert!(bench.apply(&sample_of_level_2()).outcome.is_ok());
}

#[test]
fn the_bytes_of_rows_stay_as_they_are() {
    let mut bench = Bench::new();
    assert!(bench.apply(&sample()).outcome.is_ok());
    bench.state.sweep(100).unwrap();
    let line = |(key, value): (&Vec<u8>, &Vec<u8>)| format!("{} {}\n", hex(key), hex(value));
    let rows: String = bench.store.contents().iter().map(line).collect();
    expect_file!["golden/rows-v1.hex"].assert_eq(&rows);
}

#[test]
fn what_is_no_entry_is_refused_and_never_panics() {
    let bytes = sample().encode().unwrap();
    assert_eq!(Proposal::decode(&[2, 0, 0]), Err(EntryError::Version { found: 2 }));
    for len in 0..bytes.len() {
        assert!(Proposal::decode(&bytes[..len]).is_err(), "cut to {len} bytes");
    }
    let longer = [bytes.as_slice(), &[0]].concat();
    assert!(matches!(Proposal::decode(&longer), Err(EntryError::Malformed { .. })));
    let value = Bytes::from(vec![0; ENTRY_BYTES_MAX]);
    let columns = Columns::default();
    let large = Op::Put { key: "a".into(), value, columns, expect: Expect::Any, lease: None };
    assert!(matches!(proposal(vec![large]).encode(), Err(EntryError::TooLarge { .. })));
}
