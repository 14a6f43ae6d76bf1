//! Planted mistakes in what clients saw, one each.

use super::*;
use crate::judge_operations;

fn check(log: &FinalLog, history: &[Operation], expected: &[&str]) {
    assert_eq!(lines(&judge_operations(history, log)), expected);
}

#[test]
fn a_sound_history_is_sound() {
    let log = log("a=1 b=1 a=2 b");
    let history = [
        written((0, 2), "a=1", 1),
        written((1, 5), "b=1", 2),
        get((3, 4), "a", 1, Some(version(1, "1"))),
        get((3, 4), "b", 2, Some(version(2, "1"))),
        write((6, 7), "a=2", Expected::Revision(1), Answer::Written { revision: 3 }),
        write((6, 8), "a=3", Expected::Revision(1), Answer::Conflict { current: Some(3) }),
        write((6, 8), "c=1", Expected::Present, Answer::Conflict { current: None }),
        write((9, 0), "b", Expected::Any, Answer::Unknown),
        write((9, 0), "c=9", Expected::Any, Answer::Unknown),
        get((9, 12), "b", 4, None),
    ];
    let verdict = judge_operations(&history, &log);
    assert!(verdict.is_sound(), "{verdict:?}");
    assert_eq!((verdict.judged, verdict.unjudged), (10, 0));
}

#[test]
fn an_acknowledged_write_that_is_gone_is_found() {
    let history = [written((0, 1), "a=1", 1), written((2, 3), "a=2", 2)];
    let lost = "was acknowledged at revision 2, where the log lacks it";
    check(&log("a=1"), &history, &[&format!("operation 1 {lost}")]);
    let other = "the change of b at revision 2 is nobody's";
    check(&log("a=1 b=1"), &history, &[&format!("operation 1 {lost}"), other]);
}

#[test]
fn one_change_is_one_clients() {
    let history = [written((0, 1), "a=1", 1), written((0, 1), "a=1", 1)];
    check(&log("a=1"), &history, &["operations 0 and 1 were both acknowledged at revision 1"]);
}

#[test]
fn a_write_without_an_answer_happens_once_and_one_that_was_refused_never() {
    let unknown = || write((0, 0), "a=1", Expected::Any, Answer::Unknown);
    check(&log("a=1"), &[unknown()], &[]);
    check(&log(""), &[unknown()], &[]);
    check(&log("a=1 a=1"), &[unknown()], &["the change of a at revision 2 is nobody's"]);
    let refused = write((0, 1), "a=1", Expected::Any, Answer::Refused);
    check(&log("a=1"), &[refused], &["the change of a at revision 1 is nobody's"]);
}

#[test]
fn a_stale_read_is_found_unless_it_was_asked_for() {
    let log = log("a=1 a=2");
    let stale = get((4, 5), "a", 1, Some(version(1, "1")));
    let writes = [written((0, 1), "a=1", 1), written((2, 3), "a=2", 2)];
    let history = [&writes[..], std::slice::from_ref(&stale)].concat();
    check(&log, &history, &["operation 2 took effect at revision 1, but began when 2 was known"]);
    let concurrent = Operation { invoked: Mono(3), ..stale.clone() };
    check(&log, &[&writes[..], &[concurrent]].concat(), &[]);
    let call = Call::Get { key: "a".to_owned(), freshness: Freshness::Stale };
    check(&log, &[&writes[..], &[Operation { call, ..stale }]].concat(), &[]);
}

#[test]
fn reads_do_not_go_back_in_time_either() {
    let log = log("a=1 a=2");
    let history = [
        write((0, 0), "a=1", Expected::Any, Answer::Unknown),
        write((0, 0), "a=2", Expected::Any, Answer::Unknown),
        get((1, 2), "a", 2, Some(version(2, "2"))),
        get((3, 4), "a", 1, Some(version(1, "1"))),
    ];
    check(&log, &history, &["operation 3 took effect at revision 1, but began when 2 was known"]);
}

#[test]
fn a_write_that_overtakes_an_older_one_is_found() {
    let history = [written((0, 1), "a=1", 2), written((2, 3), "b=1", 1)];
    let log = log("b=1 a=1");
    check(&log, &history, &["operation 1 took effect at revision 1, but began when 2 was known"]);
    let unanswered =
        [written((0, 1), "a=1", 2), write((2, 0), "b=1", Expected::Any, Answer::Unknown)];
    check(
        &log,
        &unanswered,
        &["operation 1 took effect at revision 1, but began when 2 was known"],
    );
}

#[test]
fn a_read_of_the_future_is_found_at_the_write_that_made_it() {
    let history = [get((0, 1), "a", 1, Some(version(1, "1"))), written((2, 3), "a=1", 1)];
    check(
        &log("a=1"),
        &history,
        &["operation 1 took effect at revision 1, but began when 1 was known"],
    );
    check(&log(""), &history[..1], &["operation 0 read at revision 1; the log ends at 0"]);
}

#[test]
fn a_wrong_value_is_found() {
    let history = [written((0, 1), "a=1", 1), written((0, 1), "b=1", 2)];
    let log = log("a=1 b=1");
    let wrong = "operation 2 read a at revision 2, but it held something else";
    for found in [None, Some(version(1, "2")), Some(version(2, "1"))] {
        check(&log, &[&history[..], &[get((2, 3), "a", 2, found)]].concat(), &[wrong]);
    }
    let list = |found: &[(&str, Version)]| {
        let call = Call::List { prefix: String::new(), freshness: Freshness::Consistent };
        let found =
            found.iter().map(|(key, version)| ((*key).to_owned(), version.clone())).collect();
        [&history[..], &[operation((2, 3), call, Answer::Read { revision: 2, found })]].concat()
    };
    check(&log, &list(&[("a", version(1, "1")), ("b", version(2, "1"))]), &[]);
    check(&log, &list(&[("b", version(2, "1"))]), &[wrong]);
    let missing = "operation 2 read b at revision 2, but it held something else";
    check(&log, &list(&[("a", version(1, "1"))]), &[missing]);
}

#[test]
fn a_condition_that_was_not_met_is_found() {
    let first = written((0, 1), "a=1", 1);
    let log = log("a=1 a=2");
    for expected in [Expected::Absent, Expected::Revision(7)] {
        let second = write((2, 3), "a=2", expected, Answer::Written { revision: 2 });
        let unmet = "operation 1 was done at revision 2, where its condition was not met";
        check(&log, &[first.clone(), second], &[unmet]);
    }
}

#[test]
fn a_conflict_with_what_was_not_there_is_found() {
    let log = log("a=1 a=2");
    let writes = [written((0, 1), "a=1", 1), written((2, 3), "a=2", 2)];
    let conflict = |times, expected, current| {
        let refused = write(times, "a=3", expected, Answer::Conflict { current });
        [&writes[..], &[refused]].concat()
    };
    let wrong = "operation 2 was refused for a version of a that it cannot have met";
    check(&log, &conflict((4, 5), Expected::Revision(1), Some(2)), &[]);
    check(&log, &conflict((2, 5), Expected::Absent, Some(1)), &[]);
    check(&log, &conflict((4, 5), Expected::Absent, Some(1)), &[wrong]);
    check(&log, &conflict((4, 5), Expected::Revision(2), Some(2)), &[wrong]);
    check(&log, &conflict((4, 5), Expected::Present, None), &[wrong]);
}

#[test]
fn a_log_with_a_gap_and_answers_to_other_questions_are_found() {
    let broken =
        FinalLog { entries: vec![entry(1, "a", None), entry(3, "a", None)], ..FinalLog::default() };
    check(&broken, &[], &["the final log has revision 3 where 2 belongs"]);
    let call = Call::Get { key: "a".to_owned(), freshness: Freshness::Stale };
    let odd = operation((0, 1), call, Answer::Written { revision: 1 });
    check(&log(""), &[odd], &["operation 0 got an answer to another question"]);
}

#[test]
fn what_was_compacted_is_not_judged() {
    let base = [("a".to_owned(), version(4, "1"))].into();
    let log = FinalLog { after: 5, base, entries: vec![entry(6, "a", Some("2"))] };
    let history = [
        written((0, 1), "a=0", 2),
        get((0, 1), "a", 4, Some(version(4, "1"))),
        get((2, 3), "a", 5, Some(version(4, "1"))),
        write((4, 5), "a=2", Expected::Revision(4), Answer::Written { revision: 6 }),
    ];
    let verdict = judge_operations(&history, &log);
    assert_eq!((lines(&verdict), verdict.unjudged), (vec![], 2));
}
