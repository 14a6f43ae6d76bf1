//! Revisions, expectations, atomic entries, deltas, epochs, tokens, levels.

use super::*;
use crate::{ApplyError, Epoch, Flaw, LEVEL_MAX, ShardId, Splice, TOKEN_AGE_MAX};
use actors_core::ports::DiskError;

#[test]
fn each_operation_gets_a_revision_of_its_own() {
    let mut bench = Bench::new();
    let results = bench.results(vec![put("a", "1", Expect::Any), put("b", "1", Expect::Absent)]);
    assert_eq!(results, [done(1, true), done(2, true)]);
    let results = bench
        .results(vec![put("a", "2", Expect::Revision(Revision(1))), delete("b", Expect::Present)]);
    assert_eq!(results, [done(3, false), done(4, false)]);
    assert_eq!(bench.changes_after(0), ["1+a", "2+b", "3+a", "4-b"]);
    assert_eq!((bench.value("a").as_deref(), bench.value("b")), (Some("2"), None));
}

#[test]
fn versions_are_counted_from_the_creation_and_a_change_shows_what_was_before() {
    let mut bench = Bench::new();
    bench.results(vec![put("a", "1", Expect::Any), put("a", "2", Expect::Any)]);
    let applied =
        bench.apply(&proposal(vec![delete("a", Expect::Any), put("a", "3", Expect::Absent)]));
    let [deleted, created] = applied.changes.as_slice() else { panic!("two changes: {applied:?}") };
    assert_eq!(
        deleted.prev.as_ref().map(|prev| (prev.version, prev.create_revision)),
        Some((2, Revision(1)))
    );
    assert!(created.is_creation());
    let now =
        created.value.as_ref().map(|now| (now.version, now.create_revision, now.mod_revision));
    assert_eq!(now, Some((1, Revision(4), Revision(4))));
    let read = bench.state.reader().changes_after(Revision(2), 10).unwrap();
    assert_eq!(read, applied.changes);
}

#[test]
fn what_is_not_as_expected_is_left_alone() {
    let mut bench = Bench::new();
    bench.results(vec![put("a", "1", Expect::Any)]);
    let here = OpResult::Conflict { current: Some(Revision(1)) };
    let gone = OpResult::Conflict { current: None };
    let results = bench.results(vec![
        put("a", "2", Expect::Absent),
        put("a", "2", Expect::Revision(Revision(7))),
        put("b", "2", Expect::Present),
        delete("a", Expect::Revision(Revision(7))),
        delete("b", Expect::Present),
        delete("b", Expect::Any),
    ]);
    assert_eq!(results, [here.clone(), here.clone(), gone.clone(), here, gone, OpResult::Nothing]);
    assert_eq!(
        (bench.value("a").as_deref(), bench.state.position().revision),
        (Some("1"), Revision(1))
    );
}

#[test]
fn an_atomic_entry_does_everything_or_nothing() {
    let mut bench = Bench::new();
    bench.results(vec![put("a", "1", Expect::Any)]);
    let ops = vec![
        put("b", "1", Expect::Absent),
        Op::GrantShard { shard: ShardId(1), epoch: Epoch(1), holder: "s1".to_owned() },
        put("a", "2", Expect::Absent),
        delete("a", Expect::Present),
    ];
    let refused = bench.apply(&Proposal { atomic: true, ..proposal(ops) });
    let conflict = OpResult::Conflict { current: Some(Revision(1)) };
    let aborted = OpResult::Aborted;
    assert_eq!(refused.outcome.results, [aborted.clone(), aborted.clone(), conflict, aborted]);
    assert!(refused.changes.is_empty());
    assert_eq!((bench.value("b"), bench.state.epoch(ShardId(1))), (None, Epoch(0)));
    let ops = vec![put("b", "1", Expect::Absent), delete("a", Expect::Present)];
    let accepted = bench.apply(&Proposal { atomic: true, ..proposal(ops) });
    assert_eq!(accepted.outcome.results, [done(2, true), done(3, false)]);
}

fn delta(expect: u64, splices: &[(u32, u32, &'static str)], columns: Columns) -> Op {
    let splice = |(at, remove, insert): &(u32, u32, &'static str)| Splice {
        at: *at,
        remove: *remove,
        insert: Bytes::from_static(insert.as_bytes()),
    };
    let splices = splices.iter().map(splice).collect();
    Op::Delta { key: "a".into(), expect: Revision(expect), splices, columns }
}

#[test]
fn a_delta_replaces_bytes_of_the_version_it_was_computed_against() {
    let mut bench = Bench::new();
    bench.results(vec![put("a", r#"{"spec":{},"status":{}}"#, Expect::Any)]);
    let columns = Columns { generation: 7, ..Columns::default() };
    let bound =
        delta(1, &[(9, 0, r#""nodeName":"n1""#), (20, 2, r#"{"phase":"Running"}"#)], columns);
    assert_eq!(bench.results(vec![bound]), [done(2, false)]);
    assert_eq!(
        bench.value("a").as_deref(),
        Some(r#"{"spec":{"nodeName":"n1"},"status":{"phase":"Running"}}"#)
    );
    let late = delta(1, &[(0, 0, "x")], Columns::default());
    assert_eq!(bench.results(vec![late]), [OpResult::Conflict { current: Some(Revision(2)) }]);
}

#[test]
fn a_delta_that_does_not_fit_is_refused() {
    let mut bench = Bench::new();
    bench.results(vec![put("a", "0123456789", Expect::Any)]);
    for splices in [
        &[(11, 0, "x")][..],
        &[(8, 3, "x")],
        &[(5, 2, "x"), (6, 0, "y")],
        &[(5, 0, "x"), (4, 0, "y")],
    ] {
        let results = bench.results(vec![delta(1, splices, Columns::default())]);
        assert_eq!(results, [OpResult::Invalid(Flaw::Splices)], "{splices:?}");
    }
    let columns = Columns { rv_at: 12, ..Columns::default() };
    assert_eq!(bench.results(vec![delta(1, &[], columns)]), [OpResult::Invalid(Flaw::Columns)]);
    let columns = Columns { sealed: true, ..Columns::default() };
    assert_eq!(bench.results(vec![delta(1, &[], columns)]), [OpResult::Invalid(Flaw::Sealed)]);
    let long = Key::from_bytes(vec![b'a'; Key::LEN_MAX + 1]);
    let long = put(&long.to_string(), "", Expect::Any);
    assert_eq!(bench.results(vec![long]), [OpResult::Invalid(Flaw::TooLarge)]);
}

fn grant(shard: ShardId, epoch: u64) -> Op {
    Op::GrantShard { shard, epoch: Epoch(epoch), holder: "server-1".to_owned() }
}

fn placed(shard: u16, epoch: u64, ops: Vec<Op>) -> Proposal {
    let writer =
        Writer { shard: ShardId(shard), epoch: Epoch(epoch), name: "controller/job".to_owned() };
    Proposal { writer, ..proposal(ops) }
}

#[test]
fn a_writer_of_an_older_epoch_is_refused_in_the_same_transaction() {
    let mut bench = Bench::new();
    assert_eq!(bench.results(vec![grant(ShardId(3), 1)]), [done(0, false)]);
    let write = || vec![put("a", "1", Expect::Any)];
    assert_eq!(bench.apply(&placed(3, 1, write())).outcome.results, [done(1, true)]);
    bench.results(vec![grant(ShardId(3), 2)]);
    let refused = bench.apply(&placed(3, 1, write()));
    assert_eq!(refused.outcome.results, [OpResult::OldEpoch { current: Epoch(2) }]);
    assert_eq!(bench.state.position().revision, Revision(1));
    assert_eq!(
        bench.results(vec![grant(ShardId(3), 2)]),
        [OpResult::OldEpoch { current: Epoch(2) }]
    );
    let unknown = bench.results(vec![grant(ShardId(ShardId::COUNT), 9)]);
    assert_eq!(unknown, [OpResult::Invalid(Flaw::UnknownShard)]);
    let reopened = Bench::over(bench.store);
    assert_eq!(reopened.state.epoch(ShardId(3)), Epoch(2));
}

#[test]
fn a_grant_of_all_shards_ends_every_older_epoch() {
    let mut bench = Bench::new();
    bench.results(vec![grant(ShardId(3), 5)]);
    let not_above_all = bench.results(vec![grant(ShardId::ALL, 5)]);
    assert_eq!(not_above_all, [OpResult::OldEpoch { current: Epoch(5) }]);
    assert_eq!(bench.state.epoch(ShardId::ALL), Epoch(5));
    bench.results(vec![grant(ShardId::ALL, 6)]);
    assert_eq!(bench.state.epoch(ShardId(3)), Epoch(6));
    assert_eq!(bench.state.epoch(ShardId(4_000)), Epoch(6));
    let refused = bench.apply(&placed(3, 5, vec![put("a", "1", Expect::Any)]));
    assert_eq!(refused.outcome.results, [OpResult::OldEpoch { current: Epoch(6) }]);
    let accepted = bench.apply(&placed(9, 6, vec![put("a", "1", Expect::Any)]));
    assert_eq!(accepted.outcome.results, [done(1, true)]);
}

#[test]
fn the_same_token_again_gives_the_same_outcome_and_does_nothing() {
    let mut bench = Bench::new();
    let once = Proposal { token: Token([7; 16]), ..proposal(vec![put("a", "1", Expect::Absent)]) };
    let first = bench.apply(&once);
    bench.results(vec![put("a", "2", Expect::Any)]);
    let again = bench.apply(&once);
    assert_eq!((again.outcome, again.changes.len()), (first.outcome.clone(), 0));
    assert_eq!(bench.value("a").as_deref(), Some("2"));
    let mut reopened = Bench::over(bench.store);
    assert_eq!(reopened.apply(&once).outcome, first.outcome);
}

#[test]
fn a_token_is_forgotten_after_its_time() {
    let mut bench = Bench::new();
    let once = Proposal { token: Token([7; 16]), ..proposal(vec![put("a", "1", Expect::Any)]) };
    bench.apply(&once);
    let much_later = Wall(1_000).after(TOKEN_AGE_MAX).after(std::time::Duration::from_nanos(1));
    bench.apply(&Proposal { at: much_later, ..proposal(vec![]) });
    assert_eq!(bench.apply(&once).outcome.results, [done(2, false)]);
}

#[test]
fn a_feature_level_is_used_only_when_it_is_agreed_on() {
    let mut bench = Bench::new();
    let ahead = Proposal { feature_level: 2, ..proposal(vec![put("a", "1", Expect::Any)]) };
    assert_eq!(bench.apply(&ahead).outcome.results, [OpResult::LevelTooLow { level: 1 }]);
    bench.results(vec![Op::RaiseLevel(2)]);
    assert_eq!(bench.apply(&ahead).outcome.results, [done(1, true)]);
    let unknown = LEVEL_MAX + 1;
    let raised = bench.state.apply(4, 1, &proposal(vec![Op::RaiseLevel(unknown)]));
    assert_eq!(raised, Err(ApplyError::Level { found: unknown }));
}

#[test]
fn entries_come_in_order_or_not_at_all() {
    let mut bench = Bench::new();
    let entry = proposal(vec![put("a", "1", Expect::Any)]);
    assert_eq!(
        bench.state.apply(2, 1, &entry),
        Err(ApplyError::OutOfOrder { expected: 1, found: 2 })
    );
    bench.state.skip(1, 1).unwrap();
    assert_eq!(bench.state.skip(1, 1), Err(ApplyError::OutOfOrder { expected: 2, found: 1 }));
    let foreign = Proposal { group: GroupId(4), ..entry.clone() };
    let wrong = ApplyError::WrongGroup { expected: GroupId::MAIN, found: GroupId(4) };
    assert_eq!(bench.state.apply(2, 1, &foreign), Err(wrong));
    assert_eq!(bench.apply(&entry).outcome.index, 2);
}

#[test]
fn a_state_whose_disk_failed_does_nothing_more() {
    let mut bench = Bench::new();
    bench.store.fail(Some(DiskError::Other("memory".to_owned())));
    let entry = proposal(vec![put("a", "1", Expect::Any)]);
    bench.state.apply(1, 1, &entry).unwrap();
    assert!(matches!(bench.state.commit(), Err(ApplyError::Disk(_))));
    assert_eq!(bench.state.apply(2, 1, &entry), Err(ApplyError::Failed));
    assert_eq!(bench.state.flush(), Err(ApplyError::Failed));
}

#[test]
fn a_full_disk_loses_nothing_and_is_tried_again() {
    let mut bench = Bench::new();
    bench.store.fail(Some(DiskError::Full("memory".to_owned())));
    bench.state.apply(1, 1, &proposal(vec![put("a", "1", Expect::Any)])).unwrap();
    assert!(matches!(bench.state.commit(), Err(ApplyError::Disk(DiskError::Full(_)))));
    bench.state.apply(2, 1, &proposal(vec![put("b", "2", Expect::Any)])).unwrap();
    assert!(bench.state.flush().is_err());
    assert_eq!(bench.store.batches(), 0);
    bench.store.fail(None);
    assert_eq!(bench.state.flush(), Ok(2));
    let mut other = Bench::new();
    other.state.apply(1, 1, &proposal(vec![put("a", "1", Expect::Any)])).unwrap();
    other.state.apply(2, 1, &proposal(vec![put("b", "2", Expect::Any)])).unwrap();
    other.state.commit().unwrap();
    assert_eq!(bench.store.rows(), other.store.rows());
}
