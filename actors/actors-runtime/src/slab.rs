//! The slab host: one actor runs many keyed machines, each awake only while it has work.
//!
//! Way in: [`Keyed`], [`SlabRef::tell`].  Owns: the machines of one kind.
//! Invariants: 1. a key that panics, waits or is parked never holds up another.  2. a key at rest
//! without timers, tasks or recent failures takes no memory at all.  3. every key has its own
//! mailbox bound.
//! Time and order: keys take turns, one event each; a key's own events go ahead of what others
//! sent.

mod batch;
mod body;
mod face;
mod failures;
mod hall;
mod host;
mod key;
mod line;
mod pool;
mod record;
mod state;
mod wait;
mod watch;
mod work;

use std::{
    future::Future,
    ops::Deref,
    sync::{Arc, Weak},
};

use actors_core::{Backoff, ExitReason, Intensity, Machine, MailboxPolicy, Mono, SpecError};

pub use self::key::KeyRef;
pub(crate) use self::{host::start_slab, pool::Pool};
use self::{record::Spot, state::Order};
use crate::{
    life::{Death, Life},
    mailbox::{Refusal, TellError},
    observer::Registry,
    reference::{Finder, Target},
    task::caught,
    trace::Trace,
};

/// What makes the machines of a slab, and carries out their effects. It is shared by all keys, and by
/// all workers: while one of its calls takes long, the others go on elsewhere.
pub trait Keyed: Send + Sync + 'static {
    /// The machine of one key.
    type Machine: Machine<Event: Send, Effect: Send> + Send;
    /// Keeps what a machine reads alive while it handles one event.
    type Guard: Deref<Target = <Self::Machine as Machine>::View>;

    /// What a machine may read now.
    fn view(&self) -> Self::Guard;

    /// Makes the machine of `inbox.key()` from what the store knows; its first events may be sent
    /// to `inbox`.
    /// `None` if there is no such thing: what was sent to the key becomes dead letters.
    ///
    /// It should return at once. If it does not, as when a record is read from a slow disk, only its
    /// own key waits.
    fn activate(&self, inbox: &KeyInbox<EventOf<Self>>) -> Option<Self::Machine>;

    /// Begins one effect and should return at once; its end comes back through `inbox`. If it blocks,
    /// only its own key waits.
    fn submit(&self, effect: <Self::Machine as Machine>::Effect, inbox: &KeyInbox<EventOf<Self>>);

    /// Whether the machine may be forgotten until the next event, because the store could give it
    /// back. Asked often, also where other keys wait for the answer.
    fn is_at_rest(&self, machine: &Self::Machine) -> bool;
}

/// The event of a keyed machine.
pub type EventOf<K> = <<K as Keyed>::Machine as Machine>::Event;

/// How a slab runs its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlabSpec {
    /// The first part of their addresses: `kind/key`.
    pub kind: String,
    /// The bound of each key's mailbox.
    pub mailbox: MailboxPolicy,
    /// Most keys that may be awake, waiting or parked at a time; more are refused as
    /// [`Refusal::Full`].
    pub keys_max: u32,
    /// How often one key may fail before it is parked.
    pub intensity: Intensity,
    /// How long a key waits after a failure.
    pub backoff: Backoff,
}

impl SlabSpec {
    /// Checks the bounds; `path` is the slab's.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn validate(&self, path: &str) -> Result<(), SpecError> {
        let zero = |field| SpecError::Zero { path: path.to_owned(), field };
        if self.keys_max == 0 {
            return Err(zero("keys_max"));
        }
        if self.mailbox.capacity == 0 {
            return Err(zero("mailbox.capacity"));
        }
        if self.intensity.period.is_zero() {
            return Err(zero("intensity.period"));
        }
        if self.backoff.initial > self.backoff.max || self.backoff.jitter_percent > 100 {
            return Err(SpecError::Backoff { path: path.to_owned() });
        }
        Ok(())
    }
}

/// The way back to one keyed machine. Dies with the life of the key that it was made for: a failure
/// ends it, rest does not.
pub struct KeyInbox<E> {
    pool: Weak<Pool<E>>,
    key: Arc<str>,
    spot: Spot,
    /// Which life of the key, counted over the whole slab.
    life: u64,
    slab: Arc<Life>,
}

impl<E> Clone for KeyInbox<E> {
    fn clone(&self) -> Self {
        Self {
            pool: Weak::clone(&self.pool),
            key: Arc::clone(&self.key),
            spot: self.spot,
            life: self.life,
            slab: Arc::clone(&self.slab),
        }
    }
}

impl<E> std::fmt::Debug for KeyInbox<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyInbox({}/{})", self.slab.slot.path, self.key)
    }
}

impl<E: std::fmt::Debug + Send + 'static> KeyInbox<E> {
    /// The key.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Delivers `event` ahead of what others sent to this key.
    pub fn send(&self, event: E) {
        if let Some(pool) = self.pool.upgrade() {
            pool.push_own((&self.key, self.spot, self.life), event);
        }
    }

    /// Delivers `event` at `at`; wakes the machine if it is at rest. Never, if the key fails or
    /// ends before.
    pub fn send_at(&self, at: Mono, event: E) {
        if self.begin() {
            let (inbox, trace) = (self.clone(), Trace::current());
            self.slab.slot.timers.at(at, move || {
                let _entered = trace.enter();
                inbox.finish(Ok(event));
            });
        }
    }

    /// Runs `future` and delivers what it gives; if it panics, the key fails. Dropped with the
    /// slab, not with the key: what an ended key's future gives is a dead letter.
    pub fn spawn(&self, future: impl Future<Output = E> + Send + 'static) {
        let Some(share) = self.slab.share().filter(|_| self.begin()) else { return };
        let (inbox, trace) = (self.clone(), Trace::current());
        let spawned = self.slab.tasks.spawn(async move {
            let _share: Arc<Death> = share;
            let end = trace.cover(caught(future, &inbox.slab.meter)).await;
            let _entered = trace.enter();
            inbox.finish(end.map_err(ExitReason::Panic));
        });
        if spawned.is_err() {
            let text = "too many tasks are under way".to_owned();
            self.finish(Err(ExitReason::Error(text)));
        }
    }

    /// Ends this key after its current event. `Normal` and `Shutdown` forget it, anything else is a
    /// failure.
    pub fn end(&self, reason: ExitReason) {
        if let Some(pool) = self.pool.upgrade() {
            pool.order(self.spot, Order::End { life: self.life, reason });
        }
    }

    fn begin(&self) -> bool {
        self.pool.upgrade().is_some_and(|pool| pool.begin(self.spot, self.life))
    }

    fn finish(&self, end: Result<E, ExitReason>) {
        let Some(pool) = self.pool.upgrade() else { return };
        pool.finish(self.spot, self.life);
        match end {
            Ok(event) => pool.push_own((&self.key, self.spot, self.life), event),
            Err(reason) => pool.order(self.spot, Order::End { life: self.life, reason }),
        }
    }
}

/// Reaches the keys of whichever life of a slab is current: it survives restarts.
#[derive(Debug)]
pub struct SlabRef<E> {
    finder: Finder<Pool<E>>,
}

impl<E> Clone for SlabRef<E> {
    fn clone(&self) -> Self {
        Self { finder: self.finder.clone() }
    }
}

impl<E: std::fmt::Debug + Send + 'static> SlabRef<E> {
    pub(crate) fn new(registry: &Arc<Registry>, target: Target) -> Self {
        Self { finder: Finder::new(registry, target) }
    }

    /// Sends a message to one key, which wakes if it is at rest; waits for room if the policy is
    /// `Wait`. Does not wait for the slab to start: see [`SlabRef::ready`].
    ///
    /// # Errors
    /// The message comes back: no slab runs, the key is full or parked, or too many keys are awake.
    pub async fn tell(&self, key: &str, event: E) -> Result<(), TellError<E>> {
        let event = match self.finder.last() {
            Some(pool) => match pool.tell(key, &mut None, event).await {
                Err(TellError { event, refusal: Refusal::Ended }) => event,
                result => return result,
            },
            None => event,
        };
        match self.finder.find() {
            Ok(pool) => pool.tell(key, &mut None, event).await,
            Err(refusal) => Err(TellError { event, refusal }),
        }
    }

    /// Sends a message to one key without waiting, whatever the policy.
    ///
    /// # Errors
    /// As [`SlabRef::tell`].
    pub fn try_tell(&self, key: &str, event: E) -> Result<(), TellError<E>> {
        let event = match self.finder.last() {
            Some(pool) => match pool.try_tell(key, &mut None, event) {
                Err(TellError { event, refusal: Refusal::Ended }) => event,
                result => return result,
            },
            None => event,
        };
        match self.finder.find() {
            Ok(pool) => pool.try_tell(key, &mut None, event),
            Err(refusal) => Err(TellError { event, refusal }),
        }
    }

    /// One key, for many messages to it.
    #[must_use]
    pub fn key(&self, key: &str) -> KeyRef<E> {
        KeyRef::new(self.clone(), key.into())
    }

    /// Waits until there is a life that takes messages; for ever, if none begins.
    ///
    /// # Errors
    /// [`Refusal::WrongType`], or [`Refusal::NotFound`] once the system is gone.
    pub async fn ready(&self) -> Result<(), Refusal> {
        self.finder.ready().await.map(drop)
    }
}
