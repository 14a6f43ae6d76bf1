//! History: what can be read after a compaction, and that the sweep gives the room back without
//! anyone noticing.

use super::*;
use crate::{Flaw, ReadError, Swept};

fn written() -> Bench {
    let mut bench = Bench::new();
    bench.results(vec![put("a", "1", Expect::Any), put("b", "1", Expect::Any)]);
    bench.results(vec![put("a", "2", Expect::Any), delete("b", Expect::Any)]);
    bench.results(vec![
        put("a", "3", Expect::Any),
        put("b", "2", Expect::Any),
        delete("a", Expect::Any),
    ]);
    bench
}

fn at(bench: &Bench, key: &str, revision: u64) -> Result<Option<String>, ReadError> {
    let found = bench.state.reader().get_at(&key.into(), Revision(revision))?;
    Ok(found.map(|stored| String::from_utf8_lossy(&stored.value).into_owned()))
}

fn list(bench: &Bench, revision: u64, limit: usize) -> Vec<String> {
    let all = (&Key::default(), None);
    let found = bench.state.reader().range_at(all, Revision(revision), limit).unwrap();
    found.iter().map(|stored| format!("{}@{}", stored.key, stored.mod_revision)).collect()
}

#[test]
fn every_revision_can_be_read_until_it_is_compacted() {
    let mut bench = written();
    assert_eq!(at(&bench, "a", 2), Ok(Some("1".to_owned())));
    assert_eq!(at(&bench, "b", 4), Ok(None));
    assert_eq!(list(&bench, 2, 10), ["a@1", "b@2"]);
    assert_eq!(list(&bench, 5, 10), ["a@5"]);
    assert_eq!(list(&bench, 6, 1), ["a@5"]);
    let future = ReadError::Future { asked: Revision(8), newest: Revision(7) };
    assert_eq!(at(&bench, "a", 8), Err(future));
    assert_eq!(bench.results(vec![Op::Compact { below: Revision(5) }]), [done(7, false)]);
    let expired = |asked| ReadError::Expired { asked: Revision(asked), compacted: Revision(5) };
    assert_eq!(at(&bench, "a", 4), Err(expired(4)));
    assert_eq!(bench.state.reader().changes_after(Revision(4), 9), Err(expired(4)));
    assert_eq!(list(&bench, 5, 10), ["a@5"]);
    assert_eq!(bench.changes_after(5), ["6+b", "7-a"]);
    let future = bench.results(vec![Op::Compact { below: Revision(9) }]);
    assert_eq!(future, [OpResult::Invalid(Flaw::FutureRevision)]);
}

#[test]
fn a_sweep_goes_step_by_step_and_changes_no_answer() {
    let mut bench = written();
    bench.results(vec![Op::Compact { below: Revision(5) }]);
    let (rows, hash) = (bench.store.rows(), bench.state.position().hash);
    let mut swept = 0;
    loop {
        assert_eq!(list(&bench, 5, 10), ["a@5"]);
        assert_eq!(bench.changes_after(5), ["6+b", "7-a"]);
        let Swept { rows, done } = bench.state.sweep(2).unwrap();
        swept += rows;
        if done {
            break;
        }
    }
    // Five histories; the versions a@1, a@3, b@2 that others followed; the deletion b@4. The cursor
    // is one more.
    assert_eq!((swept, rows + 1 - bench.store.rows()), (9, 9));
    assert_eq!(bench.state.position().hash, hash);
    assert_eq!(bench.state.sweep(2), Ok(Swept { rows: 0, done: true }));
    bench.results(vec![Op::Compact { below: Revision(7) }]);
    while !bench.state.sweep(1).unwrap().done {}
    // What is left: b@6, the position, the cursor.
    assert_eq!((bench.store.rows(), list(&bench, 7, 10)), (3, vec!["b@6".to_owned()]));
}

#[test]
fn keys_with_zero_bytes_keep_their_order_and_do_not_mix() {
    let mut bench = Bench::new();
    let names: [&[u8]; 6] = [b"", b"\0", b"\0\0", b"a", b"a\0", b"a\0\xff"];
    let op = |name: &&[u8]| Op::Put {
        key: Key::from_bytes(*name),
        value: Bytes::copy_from_slice(name),
        columns: Columns::default(),
        expect: Expect::Absent,
        lease: None,
    };
    for _ in 0..2 {
        bench.results(names.iter().rev().map(op).collect());
    }
    let all = bench.state.reader().range_at((&Key::default(), None), Revision(6), 10).unwrap();
    assert_eq!(all.iter().map(|stored| stored.key.as_bytes()).collect::<Vec<_>>(), names);
    let some = (&Key::from_bytes(*b"\0"), Some(&Key::from("a\0")));
    let some = bench.state.reader().range_at(some, Revision(6), 10).unwrap();
    assert_eq!(some.iter().map(|stored| stored.key.as_bytes()).collect::<Vec<_>>(), names[1..4]);
}

#[test]
fn long_histories_are_read_page_by_page() {
    let mut bench = Bench::new();
    for number in 0..300 {
        bench.results(vec![put("a", &number.to_string(), Expect::Any), put("b", "x", Expect::Any)]);
    }
    assert_eq!(list(&bench, 600, 10), ["a@599", "b@600"]);
    assert_eq!(list(&bench, 2, 10), ["a@1", "b@2"]);
    assert_eq!(bench.changes_after(0).len(), 600);
}
