//! Checks: what must be so for an entry to be done, judged when it is applied.

use super::*;
use crate::{Condition, LEVEL_MAX};

/// A state in which checks are agreed on.
fn bench() -> Bench {
    let mut bench = Bench::new();
    bench.results(vec![Op::RaiseLevel(LEVEL_MAX)]);
    bench
}

fn put_saying(key: &str, phase: &str) -> Op {
    let fields = vec![("status.phase".to_owned(), phase.to_owned())];
    let (value, columns) = (Bytes::from_static(b"{}"), Columns { fields, ..Columns::default() });
    Op::Put { key: key.into(), value, columns, expect: Expect::Any, lease: None }
}

fn check(key: &str, condition: Condition) -> Op {
    Op::Check { key: key.into(), condition }
}

fn unless_ending(key: &str) -> Op {
    let (field, value) = ("status.phase".to_owned(), "Terminating".to_owned());
    check(key, Condition::Unless { field, value })
}

/// Creates a key in one entry with a check; whether it is there then.
#[track_caller]
fn assert_creates(bench: &mut Bench, key: &str, condition: Op, creates: bool) {
    let ops = vec![put(key, "1", Expect::Absent), condition];
    let outcome = bench.apply(&Proposal { atomic: true, ..proposal(ops) }).outcome;
    assert_eq!((outcome.is_ok(), bench.value(key).is_some()), (creates, creates), "{outcome:?}");
}

#[test]
fn nothing_is_created_beside_what_is_gone_or_going_away() {
    let mut bench = bench();
    assert_creates(&mut bench, "pods/n/a", unless_ending("n"), false);
    bench.results(vec![put_saying("n", "Active")]);
    assert_creates(&mut bench, "pods/n/a", unless_ending("n"), true);
    // Other changes of it are nobody's business.
    bench.results(vec![put_saying("n", "Active")]);
    assert_creates(&mut bench, "pods/n/b", unless_ending("n"), true);
    bench.results(vec![put_saying("n", "Terminating")]);
    assert_creates(&mut bench, "pods/n/c", unless_ending("n"), false);
    bench.results(vec![delete("n", Expect::Any)]);
    assert_creates(&mut bench, "pods/n/c", unless_ending("n"), false);
}

#[test]
fn nothing_is_created_on_the_word_of_who_has_not_heard_of_what_was_added() {
    let mut bench = bench();
    let since = |revision| check("quotas/n/", Condition::NoneSince(Revision(revision)));
    assert_creates(&mut bench, "pods/n/a", since(0), true);
    bench.results(vec![put("quotas/n/q", "1", Expect::Absent)]);
    assert_creates(&mut bench, "pods/n/b", since(1), false);
    assert_creates(&mut bench, "pods/n/b", since(2), true);
    // Neither a change of what was known nor what is added elsewhere.
    bench
        .results(vec![put("quotas/n/q", "2", Expect::Any), put("quotas/m/q", "1", Expect::Absent)]);
    assert_creates(&mut bench, "pods/n/c", since(2), true);
    bench.results(vec![delete("quotas/n/q", Expect::Any)]);
    assert_creates(&mut bench, "pods/n/d", since(1), true);
}

#[test]
fn a_check_sees_what_its_own_entry_wrote_and_forgets_what_was_undone() {
    let mut bench = bench();
    let add = put("quotas/n/q", "1", Expect::Absent);
    let none = || check("quotas/n/", Condition::NoneSince(Revision(0)));
    let present = || check("quotas/n/q", Condition::Is(Expect::Present));
    let ops = vec![add, present(), none()];
    let outcome = bench.apply(&Proposal { atomic: true, ..proposal(ops) }).outcome;
    let conflict = OpResult::Conflict { current: Some(Revision(1)) };
    assert_eq!(outcome.results, [OpResult::Aborted, OpResult::Aborted, conflict]);
    let again = bench.results(vec![none(), present()]);
    assert_eq!(again, [OpResult::Nothing, OpResult::Conflict { current: None }]);
}

#[test]
fn a_check_gets_no_revision_and_writes_nothing() {
    let mut bench = bench();
    bench.results(vec![put("a", "1", Expect::Any)]);
    let applied = bench.apply(&proposal(vec![check("a", Condition::Is(Expect::Present))]));
    assert_eq!(
        (applied.outcome.results.as_slice(), applied.changes.len()),
        (&[OpResult::Nothing][..], 0)
    );
    assert_eq!(bench.state.position().revision, Revision(1));
}

#[test]
fn nobody_checks_before_every_replica_can() {
    let mut bench = Bench::new();
    let refused = bench.results(vec![check("a", Condition::Is(Expect::Absent))]);
    assert_eq!(refused, [OpResult::LevelTooLow { level: 1 }]);
}

#[test]
fn who_starts_anew_says_the_same() {
    let mut bench = bench();
    bench.results(vec![put_saying("n", "Active"), put("quotas/n/q", "1", Expect::Absent)]);
    let looks = || {
        let since = |revision| check("quotas/n/", Condition::NoneSince(Revision(revision)));
        vec![unless_ending("n"), since(1), since(2), check("n", Condition::Is(Expect::Absent))]
    };
    let first = bench.results(looks());
    let again = bench.results(looks());
    let mut reopened = Bench::over(bench.store);
    assert_eq!((&again, &reopened.results(looks())), (&first, &first));
}
