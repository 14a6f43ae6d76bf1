//! The bounded queue in front of one machine, and the two lanes into it.
//!
//! Way in: [`Mailbox`].  Owns: what waits.  Never: a handler.
//! Invariants: 1. no more told messages wait than the policy allows.  2. the actor is woken at most
//! once until it finds both lanes empty.  3. the machine's own lane is never longer than
//! [`Mailbox::OWN_MAX`].
//! Time and order: messages of one sender stay in order; ends of the machine's own effects go ahead
//! of them.

use std::{
    any::Any,
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
};

use actors_core::{ChildSpec, MailboxPolicy, WhenFull};
use tokio::sync::{Semaphore, TryAcquireError};

use crate::{
    fault::Fault,
    life::{AnyMailbox, Levels},
    observer::{DeadReason, Morgue},
    task::lock,
    trace::{Letter, Trace},
};

/// Lets an actor begin, or tells it that something waits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wake;

/// Why a message was not taken. It goes back to its sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Its mailbox is full: the sender tries later, or does without.
    #[error("the mailbox is full")]
    Full,
    /// That life is over, or its end has begun. A virtual reference finds the next one.
    #[error("the actor has ended")]
    Ended,
    /// Nothing runs at that path or address now.
    #[error("no such actor is running")]
    NotFound,
    /// What runs there takes messages of another type: a mistake in the program.
    #[error("the actor takes messages of another type")]
    WrongType,
    /// The key failed too often and is left stopped until somebody unparks it.
    #[error("the key is parked")]
    Parked,
}

/// A message that was not taken, with the reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{refusal}")]
pub struct TellError<E> {
    /// The message.
    pub event: E,
    /// Why it was not taken.
    pub refusal: Refusal,
}

/// What the host does next.
pub(crate) enum Next<E> {
    Stop,
    Fault(Fault),
    /// An end of an effect of its own.
    Event(Letter<E>),
    /// There are told messages in the batch.
    Batch,
    Idle,
}

/// The mailbox of one life of one machine.
#[derive(Debug)]
pub(crate) struct Mailbox<E> {
    path: Arc<str>,
    policy: MailboxPolicy,
    /// Whether a stop waits until nothing else does.
    drains: bool,
    queue: Mutex<Queue<E>>,
    /// One permit for each message that may still wait; used only by `WhenFull::Wait`.
    room: Semaphore,
    /// Something came that goes ahead of the batch that the host has taken.
    is_urgent: AtomicBool,
    refused: AtomicU64,
    morgue: Arc<Morgue>,
}

#[derive(Debug)]
struct Queue<E> {
    own: VecDeque<Letter<E>>,
    told: VecDeque<Letter<E>>,
    /// Of the host, which waits in its one endless turn.
    waker: Option<Waker>,
    is_awake: bool,
    is_closed: bool,
    stop_asked: bool,
    /// Whether the host knows of it.
    stop_given: bool,
    /// An operator wants nothing handled; a stop ends that.
    is_suspended: bool,
    fault: Option<Fault>,
}

impl<E: Send + 'static> Mailbox<E> {
    /// Most ends of effects that may wait. A machine that passes it has more under way than any
    /// disk or network takes, which is a bug: it ends with an error.
    pub(crate) const OWN_MAX: usize = 65_536;

    pub(crate) fn new(path: Arc<str>, spec: &ChildSpec, morgue: Arc<Morgue>) -> Arc<Self> {
        let policy = spec.mailbox;
        let queue = Queue {
            own: VecDeque::new(),
            told: VecDeque::new(),
            waker: None,
            is_awake: false,
            is_closed: false,
            stop_asked: false,
            stop_given: false,
            is_suspended: false,
            fault: None,
        };
        Arc::new(Self {
            path,
            policy,
            drains: spec.drains,
            queue: Mutex::new(queue),
            room: Semaphore::new(policy.capacity as usize),
            is_urgent: AtomicBool::new(false),
            refused: AtomicU64::new(0),
            morgue,
        })
    }

    /// Resolves when something has come since the host found nothing.
    pub(crate) async fn woken(&self) {
        let poll = |context: &mut Context<'_>| {
            let mut queue = lock(&self.queue);
            if queue.is_awake {
                return Poll::Ready(());
            }
            match &queue.waker {
                Some(known) if known.will_wake(context.waker()) => {}
                _ => queue.waker = Some(context.waker().clone()),
            }
            Poll::Pending
        };
        std::future::poll_fn(poll).await;
    }

    /// Sends one message; waits for room only if the policy says so.
    pub(crate) async fn tell(&self, event: E) -> Result<(), TellError<E>> {
        if self.policy.when_full != WhenFull::Wait {
            return self.try_tell(event);
        }
        // Quicker than a future, where there is room; those that wait already go first all the same.
        if let Ok(permit) = self.room.try_acquire() {
            permit.forget();
            return self.push(event);
        }
        match self.room.acquire().await {
            Ok(permit) => permit.forget(),
            Err(_) => return Err(TellError { event, refusal: Refusal::Ended }),
        }
        self.push(event)
    }

    /// Sends one message without waiting, whatever the policy.
    pub(crate) fn try_tell(&self, event: E) -> Result<(), TellError<E>> {
        if self.policy.when_full == WhenFull::Wait {
            match self.room.try_acquire() {
                Ok(permit) => permit.forget(),
                Err(TryAcquireError::NoPermits) => return Err(self.refuse(event)),
                Err(TryAcquireError::Closed) => {
                    return Err(TellError { event, refusal: Refusal::Ended });
                }
            }
        }
        self.push(event)
    }

    fn refuse(&self, event: E) -> TellError<E> {
        self.refused.fetch_add(1, Ordering::Relaxed);
        TellError { event, refusal: Refusal::Full }
    }

    fn push(&self, event: E) -> Result<(), TellError<E>> {
        let mut queue = lock(&self.queue);
        if queue.is_closed || (self.drains && queue.stop_asked) {
            return Err(TellError { event, refusal: Refusal::Ended });
        }
        if queue.told.len() >= self.policy.capacity as usize {
            match self.policy.when_full {
                WhenFull::ShedOldest => {
                    let oldest = queue.told.pop_front();
                    let trace = oldest.map_or(Trace::NONE, |letter| letter.trace);
                    self.bury(DeadReason::Shed, trace);
                }
                // With `Wait` a permit was taken, so this cannot be reached.
                WhenFull::Refuse | WhenFull::Wait => return Err(self.refuse(event)),
            }
        }
        queue.told.push_back(Letter::of(event));
        queue.wake();
        Ok(())
    }

    /// Adds the end of an effect. False if there is no room, which ends the actor.
    pub(crate) fn push_own(&self, event: E) -> bool {
        let mut queue = lock(&self.queue);
        if queue.is_closed {
            drop(queue);
            self.bury(DeadReason::Ended, Trace::current());
            return true;
        }
        if queue.own.len() >= Self::OWN_MAX {
            return false;
        }
        queue.own.push_back(Letter::of(event));
        self.is_urgent.store(true, Ordering::Relaxed);
        queue.wake();
        true
    }

    /// What is to be handled now: at most `max` told messages, in `batch`. `Idle` means that the next
    /// message wakes the actor again.
    pub(crate) fn next(&self, batch: &mut VecDeque<Letter<E>>, max: usize) -> Next<E> {
        let mut queue = lock(&self.queue);
        self.is_urgent.store(false, Ordering::Relaxed);
        if let Some(fault) = queue.fault.take() {
            return Next::Fault(fault);
        }
        let is_due = !self.drains || (queue.own.is_empty() && queue.told.is_empty());
        if queue.stop_asked && !queue.stop_given && is_due {
            queue.stop_given = true;
            return Next::Stop;
        }
        if queue.is_suspended && !queue.stop_asked {
            queue.is_awake = false;
            return Next::Idle;
        }
        if let Some(event) = queue.own.pop_front() {
            // The others go ahead of the next batch.
            self.is_urgent.store(!queue.own.is_empty(), Ordering::Relaxed);
            return Next::Event(event);
        }
        if queue.told.is_empty() {
            queue.is_awake = false;
            return Next::Idle;
        }
        if queue.told.len() <= max && batch.is_empty() {
            std::mem::swap(&mut queue.told, batch);
        } else {
            let count = queue.told.len().min(max);
            batch.extend(queue.told.drain(..count));
        }
        Next::Batch
    }

    /// Whether what was taken and not handled is to be given back.
    pub(crate) fn is_urgent(&self) -> bool {
        self.is_urgent.load(Ordering::Relaxed)
    }

    /// Makes room for as many as were handled, and takes back those of the batch that were not.
    pub(crate) fn settle(&self, handled: usize, batch: &mut VecDeque<Letter<E>>) {
        if !batch.is_empty() {
            let mut queue = lock(&self.queue);
            if queue.is_closed {
                batch.drain(..).for_each(|letter| self.bury(DeadReason::Ended, letter.trace));
            }
            while let Some(event) = batch.pop_back() {
                queue.told.push_front(event);
            }
        }
        if self.policy.when_full == WhenFull::Wait && handled > 0 {
            self.room.add_permits(handled);
        }
    }

    pub(crate) fn bury(&self, reason: DeadReason, trace: Trace) {
        self.morgue.add::<E>(&self.path, reason, trace);
    }
}

impl<E> Queue<E> {
    /// Wakes the host, if it found nothing before.
    fn wake(&mut self) {
        if !std::mem::replace(&mut self.is_awake, true)
            && let Some(waker) = &self.waker
        {
            waker.wake_by_ref();
        }
    }
}

impl<E: std::fmt::Debug + Send + 'static> AnyMailbox for Mailbox<E> {
    fn request_stop(&self) {
        let mut queue = lock(&self.queue);
        queue.stop_asked = true;
        self.is_urgent.store(true, Ordering::Relaxed);
        queue.wake();
    }

    fn inject(&self, fault: Fault) {
        let mut queue = lock(&self.queue);
        queue.fault = Some(fault);
        self.is_urgent.store(true, Ordering::Relaxed);
        queue.wake();
    }

    fn rouse(&self) {
        let mut queue = lock(&self.queue);
        self.is_urgent.store(true, Ordering::Relaxed);
        queue.wake();
    }

    fn suspend(&self, is_suspended: bool) {
        let mut queue = lock(&self.queue);
        queue.is_suspended = is_suspended;
        self.is_urgent.store(true, Ordering::Relaxed);
        queue.wake();
    }

    fn close(&self) {
        self.room.close();
        let (own, told) = {
            let mut queue = lock(&self.queue);
            queue.is_closed = true;
            queue.waker = None;
            (std::mem::take(&mut queue.own), std::mem::take(&mut queue.told))
        };
        own.into_iter().chain(told).for_each(|letter| self.bury(DeadReason::Ended, letter.trace));
    }

    fn levels(&self) -> Levels {
        let queue = lock(&self.queue);
        Levels {
            depth: (queue.own.len() + queue.told.len()) as u64,
            capacity: u64::from(self.policy.capacity),
            refused: self.refused.load(Ordering::Relaxed),
            is_suspended: queue.is_suspended,
        }
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}
