//! Encodings: made once, and never more of them than the bound.

use std::cell::Cell;

use super::*;
use crate::{Form, Item, Shelf};

/// A form that is not ours.
const OTHER: Form = Form(7);

/// Asks for a form of `len` bytes, and says whether it had to be made.
fn is_made(item: &Arc<Item>, form: Form, len: usize) -> bool {
    let made = Cell::new(false);
    let make = || {
        made.set(true);
        Ok::<_, ()>(Bytes::from(vec![b'x'; len]))
    };
    assert_eq!(item.form(form, make).map(|bytes| bytes.len()), Ok(len));
    made.get()
}

fn feed(bytes_max: usize) -> Feed {
    let feed = Feed::new();
    Feed { catalog: feed.catalog.with_shelf(Shelf::new(bytes_max)), ..feed }
}

fn item(feed: &Feed, key: &str) -> Arc<Item> {
    feed.catalog.snapshot().get(&key.into()).expect("it is there")
}

#[test]
fn a_form_is_made_once_for_all_readers_of_a_version() {
    let mut feed = feed(10_000);
    feed.put("/registry/pods/a/p", columns("u", &[]));
    let first = item(&feed, "/registry/pods/a/p");
    assert_eq!(first.form_len(OTHER), None);
    assert!(is_made(&first, OTHER, 100) && !is_made(&first, OTHER, 100));
    assert!(is_made(&first, Form::JSON, 50), "each form is of its own");
    assert!(!is_made(&item(&feed, "/registry/pods/a/p"), OTHER, 100));
    feed.put("/registry/pods/a/p", columns("u", &[]));
    assert!(is_made(&item(&feed, "/registry/pods/a/p"), OTHER, 100), "another version");
}

#[test]
fn the_oldest_go_first_and_their_lengths_stay_known() {
    let mut feed = feed(2_000);
    let keys: Vec<String> =
        (0..40).map(|number| format!("/registry/pods/a/p{number:02}")).collect();
    for key in &keys {
        feed.put(key, columns(key, &[]));
        assert!(is_made(&item(&feed, key), OTHER, 100));
        assert!(feed.catalog.shelf().bytes() <= 2_000);
    }
    assert!(!is_made(&item(&feed, &keys[39]), OTHER, 100), "the newest is kept");
    assert!(is_made(&item(&feed, &keys[0]), OTHER, 100), "the oldest had to go");
    assert_eq!(item(&feed, &keys[1]).form_len(OTHER), Some(100));
}

#[test]
fn neither_old_versions_nor_large_ones_drive_out_what_is_asked_for_now() {
    let mut feed = feed(2_000);
    feed.put("/registry/pods/a/old", columns("o", &[]));
    for number in 0..5_000 {
        feed.put("/registry/pods/a/new", columns(&format!("n{number}"), &[]));
    }
    for number in 0..10 {
        let key = format!("/registry/pods/a/p{number}");
        feed.put(&key, columns(&key, &[]));
        assert!(is_made(&item(&feed, &key), OTHER, 100));
    }
    let old = item(&feed, "/registry/pods/a/old");
    assert!(is_made(&old, OTHER, 100) && is_made(&old, OTHER, 100), "there is no room for it");
    let new = item(&feed, "/registry/pods/a/new");
    assert!(is_made(&new, OTHER, 1_000) && is_made(&new, OTHER, 1_000), "it is too large");
    assert!(!is_made(&item(&feed, "/registry/pods/a/p9"), OTHER, 100));
}

#[test]
fn what_is_gone_makes_room() {
    let mut feed = feed(1_000);
    for round in 0..50 {
        feed.put("/registry/pods/a/p", columns(&format!("u{round}"), &[]));
        is_made(&item(&feed, "/registry/pods/a/p"), OTHER, 200);
    }
    feed.delete("/registry/pods/a/p");
    assert!(feed.catalog.shelf().bytes() <= 1_000);
}
