//! Keys, prefixes, uids and owners; snapshots that stay as they are.

use super::*;
use crate::Snapshot;

fn keys<'a>(items: impl Iterator<Item = &'a Arc<crate::Item>>) -> Vec<String> {
    items.map(|item| item.key().to_string()).collect()
}

fn list(snapshot: &Snapshot, prefix: &str, after: Option<&str>, limit: usize) -> Vec<String> {
    keys(snapshot.list(&prefix.into(), after.map(Key::from).as_ref(), limit))
}

#[test]
fn lists_go_by_prefix_in_pages() {
    let mut feed = Feed::new();
    for key in ["/r/pods/b/1", "/r/pods/a/2", "/r/pods/a/1", "/r/podsets/a/1", "/r/nodes/n1"] {
        feed.put(key, columns(key, &[]));
    }
    let snapshot = feed.catalog.snapshot();
    assert_eq!(list(&snapshot, "/r/pods/", None, 9), ["/r/pods/a/1", "/r/pods/a/2", "/r/pods/b/1"]);
    assert_eq!(list(&snapshot, "/r/pods/a/", None, 9), ["/r/pods/a/1", "/r/pods/a/2"]);
    assert_eq!(list(&snapshot, "/r/pods/", Some("/r/pods/a/1"), 1), ["/r/pods/a/2"]);
    assert_eq!(list(&snapshot, "/r/pods/", Some("/r/pods/a/11"), 1), ["/r/pods/a/2"]);
    assert_eq!(list(&snapshot, "", None, 9).len(), 5);
}

#[test]
fn a_key_from_outside_the_prefix_is_no_mistake_of_the_list() {
    let mut feed = Feed::new();
    feed.put("/r/pods/a/1", columns("u1", &[]));
    let snapshot = feed.catalog.snapshot();
    for behind in ["/r/pods/b", "/r/pods0", "/r/z", "/s"] {
        assert_eq!(list(&snapshot, "/r/pods/", Some(behind), 9), [""; 0], "{behind}");
    }
    assert_eq!(list(&snapshot, "/r/pods/", Some("/a"), 9), ["/r/pods/a/1"]);
    let last = Key::from_bytes([255, 255]);
    assert_eq!(snapshot.list(&last, Some(&last), 9).count(), 0);
}

#[test]
fn indexes_follow_every_change() {
    let mut feed = Feed::new();
    feed.put("/r/pods/a/1", columns("u1", &["rs1"]));
    feed.put("/r/pods/a/2", columns("u2", &["rs1", "rs2"]));
    let before = feed.catalog.snapshot();
    feed.put("/r/pods/a/1", columns("u1", &["rs2"]));
    feed.delete("/r/pods/a/2");
    feed.put("/r/pods/a/2", columns("u3", &[]));
    let after = feed.catalog.snapshot();
    assert_eq!(keys(before.by_owner("rs1")), ["/r/pods/a/1", "/r/pods/a/2"]);
    assert_eq!(keys(before.by_owner("rs2")), ["/r/pods/a/2"]);
    assert_eq!(
        (keys(after.by_owner("rs1")).len(), keys(after.by_owner("rs2"))),
        (0, vec!["/r/pods/a/1".to_owned()])
    );
    let uid = |snapshot: &Snapshot, uid| snapshot.by_uid(uid).map(|item| item.revision().0);
    assert_eq!(
        [uid(&before, "u1"), uid(&before, "u2"), uid(&before, "u3")],
        [Some(1), Some(2), None]
    );
    assert_eq!([uid(&after, "u1"), uid(&after, "u2"), uid(&after, "u3")], [Some(3), None, Some(5)]);
    assert_eq!((before.revision(), before.len()), (Revision(2), 2));
    assert_eq!((after.revision(), after.len(), after.is_empty()), (Revision(5), 2, false));
}
