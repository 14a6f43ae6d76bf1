//! References to actors: exact ones die with a life, virtual ones find the current one each time.
//!
//! Way in: [`Ref`], [`Exact`].  Never: an owner; holding a reference keeps nobody alive.
//! Time and order: messages of one sender through one reference arrive in order within a life.

use std::{
    any::Any,
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicUsize, Ordering, fence},
    },
};

use actors_core::Address;
use tokio::sync::Notify;

use crate::{
    mailbox::{Mailbox, Refusal, TellError},
    observer::{Registry, Slot},
    task::lock,
    timers::Timers,
};

/// Reaches one life of one actor.
#[derive(Debug)]
pub struct Exact<E> {
    mailbox: Weak<Mailbox<E>>,
}

impl<E> Clone for Exact<E> {
    fn clone(&self) -> Self {
        Self { mailbox: Weak::clone(&self.mailbox) }
    }
}

impl<E: Send + 'static> Exact<E> {
    pub(crate) fn new(mailbox: Arc<Mailbox<E>>) -> Self {
        Self { mailbox: Arc::downgrade(&mailbox) }
    }

    /// Sends a message; waits for room if the actor's policy is `Wait`.
    ///
    /// # Errors
    /// The message comes back if that life is over, or if the mailbox is full and the policy is
    /// `Refuse`.
    pub async fn tell(&self, event: E) -> Result<(), TellError<E>> {
        match self.mailbox.upgrade() {
            Some(mailbox) => mailbox.tell(event).await,
            None => Err(TellError { event, refusal: Refusal::Ended }),
        }
    }

    /// Sends a message without waiting, whatever the policy.
    ///
    /// # Errors
    /// The message comes back if that life is over, or if the mailbox is full and does not shed.
    pub fn try_tell(&self, event: E) -> Result<(), TellError<E>> {
        match self.mailbox.upgrade() {
            Some(mailbox) => mailbox.try_tell(event),
            None => Err(TellError { event, refusal: Refusal::Ended }),
        }
    }
}

/// Names a place, by where it is in the tree or by what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    Path(String),
    Address(String),
}

impl From<&Address> for Target {
    fn from(address: &Address) -> Self {
        Self::Address(address.to_string())
    }
}

/// Where those wait that look for an actor which does not run yet. Most often there is nobody, and who
/// has news writes nothing then: all starts of a system would write to this one place.
#[derive(Debug, Default)]
pub(crate) struct Changed {
    notify: Notify,
    waiting: AtomicUsize,
}

/// Somebody waits, until it is dropped.
struct Awaited<'a>(&'a Changed);

impl Changed {
    /// Something begins to take messages.
    pub(crate) fn tell(&self) {
        // Either this one sees who waits, or that one finds what is new.
        fence(Ordering::SeqCst);
        if self.waiting.load(Ordering::Relaxed) > 0 {
            self.notify.notify_waiters();
        }
    }

    fn wait(&self) -> Awaited<'_> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        Awaited(self)
    }
}

impl Drop for Awaited<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Finds the mailbox of whichever life is current.
#[derive(Debug)]
pub(crate) struct Finder<T> {
    registry: Weak<Registry>,
    target: Target,
    /// What was found last; asked first, so that a message costs no search.
    found: Arc<Mutex<Weak<T>>>,
}

impl<T> Clone for Finder<T> {
    fn clone(&self) -> Self {
        Self {
            registry: Weak::clone(&self.registry),
            target: self.target.clone(),
            found: Arc::clone(&self.found),
        }
    }
}

impl<T: Any + Send + Sync> Finder<T> {
    pub(crate) fn new(registry: &Arc<Registry>, target: Target) -> Self {
        let found = Arc::new(Mutex::new(Weak::new()));
        Self { registry: Arc::downgrade(registry), target, found }
    }

    /// What was found last, if that life is not over.
    pub(crate) fn last(&self) -> Option<Arc<T>> {
        lock(&self.found).upgrade()
    }

    /// Searches anew.
    pub(crate) fn find(&self) -> Result<Arc<T>, Refusal> {
        let registry = self.registry.upgrade().ok_or(Refusal::NotFound)?;
        let mailbox = mailbox_at::<T>(&registry, &self.target)?;
        *lock(&self.found) = Arc::downgrade(&mailbox);
        Ok(mailbox)
    }

    /// Waits until there is one.
    pub(crate) async fn ready(&self) -> Result<Arc<T>, Refusal> {
        loop {
            let registry = self.registry.upgrade().ok_or(Refusal::NotFound)?;
            let changed = registry.changed();
            drop(registry);
            // Registered before the search, so that a start in between is not missed.
            let mut told = std::pin::pin!(changed.notify.notified());
            told.as_mut().enable();
            let _waits = changed.wait();
            match self.find() {
                Err(Refusal::NotFound) => told.await,
                result => return result,
            }
        }
    }
}

/// Reaches whichever life of an actor is current: it survives restarts.
#[derive(Debug)]
pub struct Ref<E> {
    finder: Finder<Mailbox<E>>,
}

impl<E> Clone for Ref<E> {
    fn clone(&self) -> Self {
        Self { finder: self.finder.clone() }
    }
}

impl<E: Send + 'static> Ref<E> {
    pub(crate) fn new(registry: &Arc<Registry>, target: Target) -> Self {
        Self { finder: Finder::new(registry, target) }
    }

    /// The timers of the actor's system; `None` once that is gone.
    pub(crate) fn timers(&self) -> Option<Arc<Timers>> {
        let registry = self.finder.registry.upgrade()?;
        Some(Arc::clone(registry.timers()))
    }

    /// Sends a message; waits for room if the actor's policy is `Wait`. Does not wait for an actor
    /// to start: see [`Ref::ready`].
    ///
    /// # Errors
    /// The message comes back with the reason.
    pub async fn tell(&self, event: E) -> Result<(), TellError<E>> {
        let event = match self.finder.last() {
            Some(mailbox) => match mailbox.tell(event).await {
                Err(TellError { event, refusal: Refusal::Ended }) => event,
                result => return result,
            },
            None => event,
        };
        match self.finder.find() {
            Ok(mailbox) => mailbox.tell(event).await,
            Err(refusal) => Err(TellError { event, refusal }),
        }
    }

    /// Sends a message without waiting, whatever the policy.
    ///
    /// # Errors
    /// The message comes back with the reason.
    pub fn try_tell(&self, event: E) -> Result<(), TellError<E>> {
        let event = match self.finder.last() {
            Some(mailbox) => match mailbox.try_tell(event) {
                Err(TellError { event, refusal: Refusal::Ended }) => event,
                result => return result,
            },
            None => event,
        };
        match self.finder.find() {
            Ok(mailbox) => mailbox.try_tell(event),
            Err(refusal) => Err(TellError { event, refusal }),
        }
    }

    /// The current life, which takes messages, though it may still be starting.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] or [`Refusal::WrongType`].
    pub fn exact(&self) -> Result<Exact<E>, Refusal> {
        self.finder.find().map(Exact::new)
    }

    /// Waits until there is a life that takes messages; for ever, if none begins.
    ///
    /// # Errors
    /// [`Refusal::WrongType`], or [`Refusal::NotFound`] once the system is gone.
    pub async fn ready(&self) -> Result<Exact<E>, Refusal> {
        self.finder.ready().await.map(Exact::new)
    }
}

/// The mailbox of type `T` of what runs at `target` now.
pub(crate) fn mailbox_at<T: Any + Send + Sync>(
    registry: &Registry,
    target: &Target,
) -> Result<Arc<T>, Refusal> {
    let slot: Arc<Slot> = match target {
        Target::Path(path) => registry.by_path(path),
        Target::Address(address) => registry.by_address(address),
    }
    .ok_or(Refusal::NotFound)?;
    let life = slot.current().ok_or(Refusal::NotFound)?;
    let mailbox = life.mailbox().ok_or(Refusal::NotFound)?;
    Arc::clone(mailbox).into_any().downcast().map_err(|_| Refusal::WrongType)
}
