//! Tests of what entries do, through the public surface.

mod apply;
mod checks;
mod compaction;
mod crash;
mod golden;
mod leases;
mod memory;
mod model;
mod residents;
mod tokens;

use std::sync::Arc;

use actors_core::Wall;
use bytes::Bytes;

use crate::{
    Applied, Columns, Expect, GroupId, Key, LeaseId, Mvcc, Op, OpResult, Proposal, Revision, Token,
    Writer,
};
use memory::MemoryState;

/// A proposal of a user's request, without a token.
fn proposal(ops: Vec<Op>) -> Proposal {
    Proposal {
        group: GroupId::MAIN,
        writer: Writer::unplaced("door"),
        token: Token::NONE,
        feature_level: 1,
        at: Wall(1_000),
        atomic: false,
        ops,
    }
}

fn put(key: &str, value: &str, expect: Expect) -> Op {
    let value = Bytes::copy_from_slice(value.as_bytes());
    Op::Put { key: key.into(), value, columns: Columns::default(), expect, lease: None }
}

fn put_leased(key: &str, lease: u64) -> Op {
    let (value, columns) = (Bytes::from_static(b"{}"), Columns::default());
    Op::Put { key: key.into(), value, columns, expect: Expect::Any, lease: Some(LeaseId(lease)) }
}

fn delete(key: &str, expect: Expect) -> Op {
    Op::Delete { key: key.into(), expect }
}

fn done(revision: u64, created: bool) -> OpResult {
    OpResult::Done { revision: Revision(revision), created }
}

/// A state over a store in memory, and the entries' next index.
struct Bench {
    store: Arc<MemoryState>,
    state: Mvcc,
}

impl Bench {
    fn new() -> Self {
        Self::over(Arc::new(MemoryState::default()))
    }

    fn over(store: Arc<MemoryState>) -> Self {
        let state = Mvcc::open(store.clone(), GroupId::MAIN).expect("a sound store opens");
        Self { store, state }
    }

    /// Applies and commits one entry.
    fn apply(&mut self, proposal: &Proposal) -> Applied {
        let index = self.state.position().index + 1;
        let applied = self.state.apply(index, 1, proposal).expect("the entry applies");
        self.state.commit().expect("memory takes everything");
        applied
    }

    fn results(&mut self, ops: Vec<Op>) -> Vec<OpResult> {
        self.apply(&proposal(ops)).outcome.results
    }

    fn value(&self, key: &str) -> Option<String> {
        let stored = self.state.reader().get(&Key::from(key)).expect("readable");
        stored.map(|stored| String::from_utf8_lossy(&stored.value).into_owned())
    }

    /// The keys that changed after a revision, with `+` for a put and `-` for a deletion.
    fn changes_after(&self, after: u64) -> Vec<String> {
        let changes = self.state.reader().changes_after(Revision(after), usize::MAX).expect("kept");
        let line = |change: &crate::Change| {
            let sign = if change.value.is_some() { '+' } else { '-' };
            format!("{}{sign}{}", change.revision, change.key)
        };
        changes.iter().map(|change| line(change)).collect()
    }
}
