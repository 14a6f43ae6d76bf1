//! Cursors: every change once, in order, without a gap, whatever the ring still holds.

use super::*;
use crate::{Cursor, EventKind, Polled};

/// A watcher that falls back to the history, as the io layer does.
struct Watcher {
    cursor: Cursor,
    lagged: usize,
}

impl Watcher {
    fn new(after: u64, prefix: &str) -> Self {
        Self { cursor: Cursor::new(Revision(after), prefix.into()), lagged: 0 }
    }

    /// Reads until there is nothing more; gives `revision+key` or `revision-key` of each event.
    fn read(&mut self, feed: &Feed, limit: usize) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let (events, more) = match self.cursor.poll(feed.catalog.ring(), limit) {
                Polled::Batch { events, more } => (events, more),
                Polled::Lagged => {
                    self.lagged += 1;
                    let known = usize::try_from(self.cursor.after().0).unwrap();
                    // One change that the cursor knows already is among them.
                    let start = known.saturating_sub(1);
                    let history =
                        feed.changes[start..].iter().take(limit + 1).map(Arc::clone).collect();
                    (self.cursor.take_history(history, None), true)
                }
            };
            lines.extend(events.iter().map(|event| {
                let sign = if event.kind() == EventKind::Deleted { '-' } else { '+' };
                format!("{}{sign}{}", event.revision(), event.key)
            }));
            if !more {
                return lines;
            }
        }
    }
}

fn busy(limits: RingLimits) -> (Feed, Vec<String>) {
    let mut feed = Feed::with_ring(limits);
    let mut expected = Vec::new();
    for number in 0..40_u64 {
        let revision = number + 1;
        let key = format!("/r/{}/{}", ["pods", "nodes"][usize::from(number % 3 == 0)], number % 4);
        if number % 5 == 4 && feed.catalog.snapshot().get(&key.as_str().into()).is_some() {
            feed.delete(&key);
            expected.push(format!("{revision}-{key}"));
        } else {
            feed.put(&key, columns(&key, &[]));
            expected.push(format!("{revision}+{key}"));
        }
    }
    (feed, expected)
}

#[test]
fn a_watcher_gets_every_change_once_whatever_it_missed() {
    for events in [1, 3, 16, 100] {
        let (feed, all) = busy(RingLimits { events, bytes: usize::MAX });
        for (after, limit) in [(0, 1), (0, 7), (13, 2), (39, 1), (40, 5)] {
            for prefix in ["/r/", "/r/pods/", "/r/none/"] {
                let mut watcher = Watcher::new(after, prefix);
                let position = usize::try_from(after).unwrap();
                let of_prefix =
                    all[position..].iter().filter(|line| line.contains(prefix)).cloned();
                assert_eq!(
                    watcher.read(&feed, limit),
                    of_prefix.collect::<Vec<_>>(),
                    "{events} {after} {prefix}"
                );
                assert_eq!(watcher.cursor.after(), Revision(40));
                assert_eq!(watcher.lagged > 0, after < 40_u64.saturating_sub(events as u64));
            }
        }
    }
}

#[test]
fn a_ring_keeps_to_its_bytes_but_keeps_the_newest_event() {
    let (feed, _) = busy(RingLimits { events: 100, bytes: 4_000 });
    let ring = feed.catalog.ring();
    assert_eq!(ring.newest(), Revision(40));
    assert!(ring.floor() > Revision(30) && ring.floor() < Revision(39), "{}", ring.floor());
    let (feed, _) = busy(RingLimits { events: 100, bytes: 0 });
    assert_eq!(feed.catalog.ring().floor(), Revision(39));
}

#[test]
fn a_watcher_ahead_of_the_replica_waits() {
    let (mut feed, _) = busy(RingLimits::default());
    let mut watcher = Watcher::new(41, "/r/");
    assert_eq!(watcher.read(&feed, 9), [""; 0]);
    feed.put("/r/pods/x", columns("x", &[]));
    feed.put("/r/pods/y", columns("y", &[]));
    assert_eq!(watcher.read(&feed, 9), ["42+/r/pods/y"]);
}

#[test]
fn events_say_what_happened_and_share_their_items() {
    let mut feed = Feed::new();
    feed.put("/r/pods/a", columns("u", &[]));
    let resident = feed.catalog.snapshot().get(&"/r/pods/a".into()).unwrap();
    feed.put("/r/pods/a", columns("u", &[]));
    feed.delete("/r/pods/a");
    let mut cursor = Cursor::new(Revision(0), Key::default());
    let Polled::Batch { events, .. } = cursor.poll(feed.catalog.ring(), 9) else {
        panic!("nothing was lost")
    };
    let kinds: Vec<_> = events.iter().map(|event| event.kind()).collect();
    assert_eq!(kinds, [EventKind::Added, EventKind::Modified, EventKind::Deleted]);
    assert!(Arc::ptr_eq(events[0].item(), &resident));
    assert!(events[1].prev().is_some_and(|prev| Arc::ptr_eq(prev, &resident)));
    assert_eq!(events[2].item().object().resource_version(), "3");
    assert_eq!(events[2].prev().map(|prev| prev.revision()), Some(Revision(2)));
}
