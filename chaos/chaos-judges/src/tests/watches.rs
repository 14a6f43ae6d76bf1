//! Planted mistakes in what a watcher saw.

use super::*;
use crate::{Seen, WatchRecord, judge_watch};

/// A watch of `p/` behind revision 1 that saw changes of the log (by revision), and bookmarks
/// (below zero).
fn check(seen: &[i64], expected: &[&str]) {
    let log = log("p/a=1 p/a=2 q=1 p/b=1 p/a p/b=2");
    let see = |number: &i64| match u64::try_from(*number) {
        Ok(revision) => Seen::Change(log.at(revision).expect("a revision of the log").clone()),
        Err(_) => Seen::Bookmark(number.unsigned_abs()),
    };
    let seen = seen.iter().map(see).collect();
    let watch = WatchRecord { prefix: "p/".to_owned(), after: 1, started: Mono(0), seen };
    assert_eq!(lines(&judge_watch(&watch, &log)), expected, "{watch:?}");
}

#[test]
fn a_watch_may_stop_anywhere() {
    check(&[], &[]);
    check(&[2, 4], &[]);
    check(&[2, -3, 4, 5, -5, 6, -6, -6], &[]);
}

#[test]
fn a_gap_is_found() {
    let missed = "the change of p/b at revision 4 was not seen before what follows it";
    check(&[2, 5, 6], &[missed]);
    check(&[2, -4, 5], &[missed]);
    check(&[2, 4, 5, -6], &["the change of p/b at revision 6 was not seen before what follows it"]);
}

#[test]
fn a_repetition_is_found() {
    check(&[2, 4, 4, 5], &["revision 4 was seen again after 4"]);
    check(&[1, 2], &["revision 1 was seen again after 1"]);
    check(
        &[2, -4, 4],
        &[
            "the change of p/b at revision 4 was not seen before what follows it",
            "revision 4 was seen again after 4",
        ],
    );
}

#[test]
fn a_change_of_order_is_found() {
    let missed = "the change of p/b at revision 4 was not seen before what follows it";
    check(&[2, 5, 4], &[missed, "revision 4 was seen again after 5"]);
}

#[test]
fn what_did_not_happen_is_found() {
    check(&[2, 3], &["revision 3 of q was seen, but is not in the log so"]);
    check(&[2, 4, 5, 6, -7], &["revision 7 of  was seen, but is not in the log so"]);
    let log = log("p/a=1");
    let seen = vec![Seen::Change(entry(1, "p/a", Some("2")))];
    let watch = WatchRecord { prefix: String::new(), after: 0, started: Mono(0), seen };
    assert_eq!(
        lines(&judge_watch(&watch, &log)),
        ["revision 1 of p/a was seen, but is not in the log so"]
    );
}
