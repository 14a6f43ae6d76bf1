//! Questions to a machine: a number goes in with the event, the answer comes back by it.
//!
//! Way in: [`Asks`] for who asks, [`Answers`] for the machine's driver.  Owns: who waits for which
//! number.
//! Invariants: 1. no more than the capacity wait.  2. every question ends: answered, late, or
//! unanswered.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{Arc, Mutex, Weak},
    task::{Context, Poll, Waker},
    time::Duration,
};

use actors_core::{Correlation, Mono};

use crate::{clock::Clock, mailbox::Refusal, reference::Ref, task::lock, timers::Timers};

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
}

/// Answers for one life of a machine; kept by its driver. When it is dropped, open questions end.
#[derive(Debug)]
pub struct Answers<R> {
    table: Arc<Mutex<Table<R>>>,
}

/// Invariant: a question has one seat from its beginning to its end, and its number names that seat and
/// which question of the seat it is.
#[derive(Debug)]
struct Table<R> {
    seats: Vec<Seat<R>>,
    free: Vec<u32>,
    capacity: usize,
    /// When the timer fires that ends late questions, if one is set.
    timer: Option<Mono>,
}

#[derive(Debug)]
struct Seat<R> {
    /// Which question this is, or which will be the next.
    round: u32,
    state: State<R>,
}

#[derive(Debug)]
enum State<R> {
    Free,
    Waits { deadline: Mono, waker: Option<Waker> },
    Done(Result<R, AskError>),
}

impl<R> Clone for Asks<R> {
    fn clone(&self) -> Self {
        Self { table: Arc::clone(&self.table) }
    }
}

impl<R: Send + 'static> Asks<R> {
    /// No question may wait yet; at most `capacity` ever do at a time.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        let (seats, free) = (Vec::new(), Vec::new());
        let capacity = capacity.min(u32::MAX as usize);
        Self { table: Arc::new(Mutex::new(Table { seats, free, capacity, timer: None })) }
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
        let deadline = Clock.mono().after(within);
        let open = self.open(deadline, actor)?;
        let mut tell = pin!(actor.tell(question(open.number)));
        let told = match poll_fn(|context| Poll::Ready(tell.as_mut().poll(context))).await {
            Poll::Ready(told) => told,
            // Only where there is no room, so most questions need no timer of their own.
            Poll::Pending => {
                tokio::time::timeout(within, tell).await.map_err(|_| AskError::Late)?
            }
        };
        told.map_err(|error| AskError::Refused(error.refusal))?;
        poll_fn(|context| open.poll(context)).await
    }

    fn open<E: Send + 'static>(&self, deadline: Mono, of: &Ref<E>) -> Result<Open<R>, AskError> {
        let mut table = lock(&self.table);
        let number = table.sit_down(deadline).ok_or(AskError::Full)?;
        let is_first = table.timer.is_none_or(|at| deadline < at);
        if is_first && let Some(timers) = of.timers() {
            table.timer = Some(deadline);
            drop(table);
            end_late(&timers, deadline, Arc::downgrade(&self.table));
        }
        Ok(Open { number, table: Arc::clone(&self.table) })
    }
}

/// Ends what is late at `at`, and whatever is late later. One timer serves many questions: most are
/// answered long before it fires.
fn end_late<R: Send + 'static>(timers: &Arc<Timers>, at: Mono, table: Weak<Mutex<Table<R>>>) {
    let again = Arc::downgrade(timers);
    timers.at(at, move || {
        let Some(known) = table.upgrade() else { return };
        let (wakers, next) = lock(&known).end_late(at);
        wakers.into_iter().for_each(Waker::wake);
        if let (Some(next), Some(timers)) = (next, again.upgrade()) {
            end_late(&timers, next, table);
        }
    });
}

impl<R> Table<R> {
    fn sit_down(&mut self, deadline: Mono) -> Option<Correlation> {
        if self.free.is_empty() && self.seats.len() < self.capacity {
            self.free.push(u32::try_from(self.seats.len()).ok()?);
            self.seats.push(Seat { round: 0, state: State::Free });
        }
        let place = self.free.pop()?;
        let seat = self.seats.get_mut(place as usize)?;
        seat.state = State::Waits { deadline, waker: None };
        Some(Correlation(u64::from(seat.round) << 32 | u64::from(place)))
    }

    fn seat(&mut self, number: Correlation) -> Option<&mut Seat<R>> {
        let place = usize::try_from(number.0 & u64::from(u32::MAX)).ok()?;
        let seat = self.seats.get_mut(place)?;
        (u64::from(seat.round) == number.0 >> 32).then_some(seat)
    }

    /// The end of a question, if it waits; whom to wake.
    fn end(&mut self, number: Correlation, end: Result<R, AskError>) -> Option<Option<Waker>> {
        let seat = self.seat(number)?;
        let State::Waits { waker, .. } = &mut seat.state else { return None };
        let waker = waker.take();
        seat.state = State::Done(end);
        Some(waker)
    }

    fn end_late(&mut self, now: Mono) -> (Vec<Waker>, Option<Mono>) {
        if self.timer == Some(now) {
            self.timer = None;
        }
        let (mut wakers, mut next) = (Vec::new(), None::<Mono>);
        for seat in &mut self.seats {
            let State::Waits { deadline, waker } = &mut seat.state else { continue };
            if *deadline <= now {
                wakers.extend(waker.take());
                seat.state = State::Done(Err(AskError::Late));
            } else {
                next = Some(next.map_or(*deadline, |next| next.min(*deadline)));
            }
        }
        let next = next.filter(|next| self.timer.is_none_or(|at| *next < at));
        self.timer = next.or(self.timer);
        (wakers, next)
    }
}

impl<R> Answers<R> {
    /// Answers one question. False if nobody waits any more.
    pub fn answer(&self, number: Correlation, answer: R) -> bool {
        let ended = lock(&self.table).end(number, Ok(answer));
        if let Some(Some(waker)) = &ended {
            waker.wake_by_ref();
        }
        ended.is_some()
    }
}

impl<R> Drop for Answers<R> {
    fn drop(&mut self) {
        let mut wakers = Vec::new();
        for seat in &mut lock(&self.table).seats {
            if let State::Waits { waker, .. } = &mut seat.state {
                wakers.extend(waker.take());
                seat.state = State::Done(Err(AskError::Ended));
            }
        }
        // Outside the lock, which the askers take.
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// Takes a question back when its asker does not wait any more.
struct Open<R> {
    number: Correlation,
    table: Arc<Mutex<Table<R>>>,
}

impl<R> Open<R> {
    fn poll(&self, context: &Context<'_>) -> Poll<Result<R, AskError>> {
        let mut table = lock(&self.table);
        // It is nobody else's until it is dropped.
        let Some(seat) = table.seat(self.number) else { return Poll::Ready(Err(AskError::Ended)) };
        if let State::Waits { waker, .. } = &mut seat.state {
            *waker = Some(context.waker().clone());
            return Poll::Pending;
        }
        match std::mem::replace(&mut seat.state, State::Free) {
            State::Done(end) => Poll::Ready(end),
            State::Waits { .. } | State::Free => Poll::Ready(Err(AskError::Ended)),
        }
    }
}

impl<R> Drop for Open<R> {
    fn drop(&mut self) {
        let mut table = lock(&self.table);
        let left = table.seat(self.number).map(|seat| {
            seat.round = seat.round.wrapping_add(1);
            std::mem::replace(&mut seat.state, State::Free)
        });
        table.free.push(u32::try_from(self.number.0 & u64::from(u32::MAX)).unwrap_or(0));
        drop(table);
        // An answer that nobody took may hold anything.
        drop(left);
    }
}
