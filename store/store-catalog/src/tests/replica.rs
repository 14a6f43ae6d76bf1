//! The catalog over a real replica on a simulated disk: loading, history, compaction.

use actors_core::{Rng, Wall};
use actors_sim::SimDisk;
use store_mvcc::{Expect, GroupId, Mvcc, Op, Proposal, ReadError, Token, Writer};

use super::*;
use crate::{Cursor, Polled};

/// A replica, and the catalog over it.
struct Replica {
    state: Mvcc,
    catalog: Catalog,
}

impl Replica {
    fn new(limits: RingLimits) -> Self {
        let disk = SimDisk::new(Rng::from_number(1));
        let state = Mvcc::open(Arc::new(disk.state("state")), GroupId::MAIN).unwrap();
        Self { state, catalog: Catalog::new(limits, None) }
    }

    fn apply(&mut self, op: Op) {
        let proposal = Proposal {
            group: GroupId::MAIN,
            writer: Writer::unplaced("door"),
            token: Token::NONE,
            feature_level: 1,
            at: Wall(0),
            atomic: false,
            ops: vec![op],
        };
        let index = self.state.position().index + 1;
        let applied = self.state.apply(index, 1, &proposal).unwrap();
        self.state.commit().unwrap();
        let position = *self.state.position();
        self.catalog.publish(&applied.changes, position.revision);
        self.catalog.set_compacted(position.compacted);
    }

    fn put(&mut self, key: &str) {
        let value = Bytes::from(format!(r#"{{"metadata":{{"name":"{key}"}}}}"#));
        let columns = columns(key, &["owner"]);
        self.apply(Op::Put { key: key.into(), value, columns, expect: Expect::Any, lease: None });
    }

    /// Reads a watch to its end, falling back to the history on disk.
    fn watch(&self, cursor: &mut Cursor) -> Result<Vec<u64>, ReadError> {
        let mut revisions = Vec::new();
        loop {
            let (events, more) = match cursor.poll(self.catalog.ring(), 3) {
                Polled::Batch { events, more } => (events, more),
                Polled::Lagged => {
                    let history = self.state.reader().changes_after(cursor.after(), 3)?;
                    (cursor.take_history(history, self.catalog.opener()), true)
                }
            };
            revisions.extend(events.iter().map(|event| event.revision().0));
            if !more {
                return Ok(revisions);
            }
        }
    }
}

#[test]
fn a_catalog_that_is_loaded_is_the_one_that_was_built_change_by_change() {
    let mut replica = Replica::new(RingLimits::default());
    for number in 0..2_500 {
        replica.put(&format!("/r/pods/{}", number % 1_500));
    }
    replica.apply(Op::Delete { key: "/r/pods/7".into(), expect: Expect::Present });
    replica.apply(Op::Compact { below: Revision(1_000) });
    let mut loaded = Catalog::default();
    loaded.load(&replica.state.reader()).unwrap();
    let (built, loaded) = (replica.catalog.snapshot(), loaded.snapshot());
    let all = |snapshot: &crate::Snapshot| {
        let items = snapshot.list(&Key::default(), None, usize::MAX);
        items.map(|item| (item.key().clone(), item.revision())).collect::<Vec<_>>()
    };
    assert_eq!((loaded.len(), all(&loaded)), (1_499, all(&built)));
    assert_eq!((loaded.revision(), loaded.compacted()), (Revision(2_501), Revision(1_000)));
    assert_eq!((loaded.by_owner("owner").count(), built.by_owner("owner").count()), (1_499, 1_499));
}

#[test]
fn a_slow_watch_goes_on_from_the_history_and_then_expires() {
    let mut replica = Replica::new(RingLimits { events: 4, bytes: usize::MAX });
    let mut cursor = Cursor::new(Revision(2), "/r/pods/".into());
    for number in 0..20 {
        replica.put(&format!("/r/{}/{number}", ["pods", "nodes"][number % 2]));
    }
    let odd: Vec<u64> = (3..20).step_by(2).collect();
    assert_eq!(replica.watch(&mut cursor), Ok(odd));
    let mut late = Cursor::new(Revision(9), Key::default());
    replica.apply(Op::Compact { below: Revision(10) });
    let expired = ReadError::Expired { asked: Revision(9), compacted: Revision(10) };
    assert_eq!(replica.watch(&mut late), Err(expired));
    let mut just_in_time = Cursor::new(Revision(10), Key::default());
    assert_eq!(replica.watch(&mut just_in_time), Ok((11..=20).collect()));
    let mut resumed = Cursor::new(Revision(17), Key::default());
    let mut loaded = Catalog::default();
    loaded.load(&replica.state.reader()).unwrap();
    assert!(matches!(resumed.poll(loaded.ring(), 9), Polled::Lagged));
}

#[test]
fn what_was_below_a_prefix_can_be_read_until_it_is_compacted() {
    let mut replica = Replica::new(RingLimits::default());
    let mut kept = Vec::new();
    for number in 0..3_000 {
        replica.put(&format!("/r/{}/{}", ["pods", "nodes"][number % 2], number % 2_200));
        if number % 500 == 0 {
            kept.push(replica.catalog.snapshot());
        }
    }
    replica.apply(Op::Delete { key: "/r/pods/8".into(), expect: Expect::Present });
    let prefix = Key::from("/r/pods/");
    let all = |snapshot: &crate::Snapshot| {
        let items = snapshot.list(&prefix, None, usize::MAX);
        items.map(|item| (item.key().clone(), item.revision())).collect::<Vec<_>>()
    };
    let reader = replica.state.reader().clone();
    let read = |revision| crate::Snapshot::read_past(&reader, &prefix, revision, None);
    for snapshot in &kept {
        let past = read(snapshot.revision()).unwrap();
        assert_eq!((past.revision(), all(&past)), (snapshot.revision(), all(snapshot)));
        assert_eq!(past.len(), all(snapshot).len(), "nothing of other prefixes");
    }
    let newest = replica.catalog.snapshot().revision();
    assert_eq!(read(newest.next()).err(), Some(ReadError::Future { asked: newest.next(), newest }));
    replica.apply(Op::Compact { below: Revision(600) });
    let expired = ReadError::Expired { asked: Revision(501), compacted: Revision(600) };
    assert_eq!(read(Revision(501)).err(), Some(expired));
    assert!(read(Revision(1_001)).is_ok());
}
