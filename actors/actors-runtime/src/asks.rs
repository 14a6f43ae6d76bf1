//! Questions to a machine: a number goes in with the event, the answer comes back by it.
//!
//! Way in: [`Asks`] for who asks, [`Answers`] for the machine's driver.  Owns: who waits for which
//! number.
//! Invariants: 1. no more than the capacity wait.  2. every question ends: answered, late, or
//! unanswered.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use actors_core::Correlation;
use tokio::sync::oneshot;

use crate::{mailbox::Refusal, reference::Ref, task::lock};

/// Why a question has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// The question was not taken. Nothing was done.
    #[error("the question was not taken")]
    Refused(#[source] Refusal),
    /// Too many questions wait. Nothing was done; the caller tries later.
    #[error("too many questions wait for an answer")]
    Full,
    /// The deadline passed; what was asked for may happen yet.
    #[error("no answer came in time")]
    Late,
    /// The actor ended before it answered; what was asked for may have happened.
    #[error("the actor ended before it answered")]
    Ended,
}

/// Asks machines of one kind. Cheap to clone; survives restarts of the machine.
#[derive(Debug)]
pub struct Asks<R> {
    table: Arc<Mutex<Table<R>>>,
    capacity: usize,
}

/// Answers for one life of a machine; kept by its driver. When it is dropped, open questions end.
#[derive(Debug)]
pub struct Answers<R> {
    table: Arc<Mutex<Table<R>>>,
}

#[derive(Debug)]
struct Table<R> {
    next: Correlation,
    waiting: BTreeMap<Correlation, oneshot::Sender<R>>,
}

impl<R> Clone for Asks<R> {
    fn clone(&self) -> Self {
        Self { table: Arc::clone(&self.table), capacity: self.capacity }
    }
}

impl<R: Send + 'static> Asks<R> {
    /// No question may wait yet; at most `capacity` ever do at a time.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        let table = Table { next: Correlation::default(), waiting: BTreeMap::new() };
        Self { table: Arc::new(Mutex::new(table)), capacity }
    }

    /// What the driver of one life answers with.
    #[must_use]
    pub fn answers(&self) -> Answers<R> {
        Answers { table: Arc::clone(&self.table) }
    }

    /// Sends the event that `question` makes of a fresh number, and awaits its answer for at most
    /// `within`.
    ///
    /// # Errors
    /// See [`AskError`]: only `Refused` and `Full` say that nothing was done.
    pub async fn ask<E: Send + 'static>(
        &self,
        actor: &Ref<E>,
        within: Duration,
        question: impl FnOnce(Correlation) -> E,
    ) -> Result<R, AskError> {
        let (open, answer) = self.open()?;
        let told = tokio::time::timeout(within, async {
            let told = actor.tell(question(open.number)).await;
            told.map_err(|error| AskError::Refused(error.refusal))?;
            answer.await.map_err(|_| AskError::Ended)
        });
        told.await.unwrap_or(Err(AskError::Late))
    }

    fn open(&self) -> Result<(Open<R>, oneshot::Receiver<R>), AskError> {
        let mut table = lock(&self.table);
        if table.waiting.len() >= self.capacity {
            return Err(AskError::Full);
        }
        let number = table.next.take();
        let (sender, receiver) = oneshot::channel();
        table.waiting.insert(number, sender);
        Ok((Open { number, table: Arc::clone(&self.table) }, receiver))
    }
}

impl<R> Answers<R> {
    /// Answers one question. False if nobody waits any more.
    pub fn answer(&self, number: Correlation, answer: R) -> bool {
        let waiting = lock(&self.table).waiting.remove(&number);
        waiting.is_some_and(|sender| sender.send(answer).is_ok())
    }
}

impl<R> Drop for Answers<R> {
    fn drop(&mut self) {
        // Dropping the senders tells the askers; outside the lock, for it wakes them.
        drop(std::mem::take(&mut lock(&self.table).waiting));
    }
}

/// Takes a question back when its asker does not wait any more.
struct Open<R> {
    number: Correlation,
    table: Arc<Mutex<Table<R>>>,
}

impl<R> Drop for Open<R> {
    fn drop(&mut self) {
        lock(&self.table).waiting.remove(&self.number);
    }
}
