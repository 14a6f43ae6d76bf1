//! Who waits for the end of a proposal, a read, or a change of members.
//!
//! Way in: [`Waiting::open`], [`Waiting::answer`].  Invariants: 1. never more than
//! [`Waiting::LEN_MAX`].
//! 2. every question ends: answered, or dropped together with the life that could have answered it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use actors_core::Correlation;
use store_mvcc::Outcome;
use store_raft::{Members, Refusal};
use tokio::sync::oneshot;

use crate::locks::lock;

/// How a question ended.
#[derive(Debug)]
pub(crate) enum Reply {
    /// A proposal was applied here.
    Applied(Outcome),
    /// A read may be answered once this index is applied.
    ReadAt(u64),
    /// The members are these, from this index on.
    Members(u64, Members),
    /// It will not happen, or nobody knows.
    Refused(Refusal),
    /// It never got anywhere: nothing was done.
    Unavailable,
}

/// All open questions of one store.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    next: Correlation,
    open: BTreeMap<Correlation, oneshot::Sender<Reply>>,
}

/// One open question; taken back when it is dropped.
pub(crate) struct Question {
    pub(crate) id: Correlation,
    pub(crate) reply: oneshot::Receiver<Reply>,
    waiting: Arc<Waiting>,
}

impl Waiting {
    const LEN_MAX: usize = 65_536;

    /// Opens a question; `None` if too many are open.
    pub(crate) fn open(self: &Arc<Self>) -> Option<Question> {
        let mut table = lock(&self.table);
        if table.open.len() >= Self::LEN_MAX {
            return None;
        }
        let id = table.next.take();
        let (sender, reply) = oneshot::channel();
        table.open.insert(id, sender);
        Some(Question { id, reply, waiting: Arc::clone(self) })
    }

    /// Answers a question, if somebody still waits.
    pub(crate) fn answer(&self, id: Correlation, reply: Reply) {
        let sender = lock(&self.table).open.remove(&id);
        if let Some(sender) = sender {
            // Who asked may be gone; then nobody wants to know.
            drop(sender.send(reply));
        }
    }

    /// Ends all questions without an answer: who could have answered is gone.
    pub(crate) fn abandon(&self) {
        // Outside the lock, for it wakes who asked.
        let open = std::mem::take(&mut lock(&self.table).open);
        drop(open);
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        lock(&self.waiting.table).open.remove(&self.id);
    }
}
