//! Questions of both directions over one link: who waits here, and what is worked on for the peer.
//!
//! Way in: [`Waiting`], [`Serving`].
//! Invariants: 1. no more wait, or are worked on, than the limits say.  2. once the link has ended,
//! nobody waits and nothing is worked on.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use mesh_wire::Failure;
use tokio::sync::oneshot;

/// What comes back for a question.
#[derive(Debug)]
pub(crate) enum Reply {
    Answer(Bytes),
    Failed(Failure),
}

/// Why a question cannot be asked, or not be worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoRoom {
    Full,
    Ended,
}

/// By the number of the question; `None` once the link has ended.
#[derive(Debug)]
struct Table<T> {
    open: Mutex<Option<BTreeMap<u64, oneshot::Sender<T>>>>,
    max: usize,
}

impl<T> Table<T> {
    fn new(max: usize) -> Self {
        Self { open: Mutex::new(Some(BTreeMap::new())), max }
    }

    fn lock(&self) -> MutexGuard<'_, Option<BTreeMap<u64, oneshot::Sender<T>>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, number: u64) -> Result<oneshot::Receiver<T>, NoRoom> {
        let mut table = self.lock();
        let open = table.as_mut().ok_or(NoRoom::Ended)?;
        if open.len() >= self.max {
            return Err(NoRoom::Full);
        }
        let (sender, receiver) = oneshot::channel();
        open.insert(number, sender);
        Ok(receiver)
    }

    fn take(&self, number: u64) -> Option<oneshot::Sender<T>> {
        self.lock().as_mut()?.remove(&number)
    }

    fn end(&self) {
        let open = self.lock().take();
        // Outside of the lock, for it wakes them.
        drop(open);
    }
}

/// Who waits here for an answer of the peer.
#[derive(Debug)]
pub(crate) struct Waiting {
    table: Table<Reply>,
    next: Mutex<u64>,
}

impl Waiting {
    pub(crate) fn new(max: usize) -> Self {
        Self { table: Table::new(max), next: Mutex::new(0) }
    }

    /// A number for a new question, and where its answer comes. If that is closed, the link ended.
    pub(crate) fn open(&self) -> Result<(u64, oneshot::Receiver<Reply>), NoRoom> {
        let number = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            *next += 1;
            *next
        };
        Ok((number, self.table.enter(number)?))
    }

    /// Gives an answer to whoever waits; late ones are dropped.
    pub(crate) fn answer(&self, number: u64, reply: Reply) {
        if let Some(asker) = self.table.take(number) {
            // Who does not wait any more has given up just now.
            drop(asker.send(reply));
        }
    }

    /// Nobody waits for this one any more; whether somebody did.
    pub(crate) fn forget(&self, number: u64) -> bool {
        self.table.take(number).is_some()
    }

    pub(crate) fn end(&self) {
        self.table.end();
    }
}

/// What is worked on for the peer.
#[derive(Debug)]
pub(crate) struct Serving {
    table: Table<()>,
}

impl Serving {
    pub(crate) fn new(max: usize) -> Self {
        Self { table: Table::new(max) }
    }

    /// Begins one; the receiver resolves when the work is to be given up.
    pub(crate) fn begin(&self, number: u64) -> Result<oneshot::Receiver<()>, NoRoom> {
        self.table.enter(number)
    }

    /// It is done, or the peer does not want it any more.
    pub(crate) fn finish(&self, number: u64) {
        drop(self.table.take(number));
    }

    pub(crate) fn end(&self) {
        self.table.end();
    }
}
