//! Monitors: whoever must know of the end of an actor or of a key is told of it once, always.
//!
//! Way in: `System::monitor`, `Inbox::monitor`, `KeyInbox::monitor`.  Owns: who is told of one life's
//! end.
//! Invariant: a watcher is told exactly once: at the end, or at once if that is past; unless it was
//! taken back before.
//! Spec: Erlang's `monitor/2`; what is not running ends at once, as `noproc`.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, Weak},
};

use actors_core::{ExitReason, Incarnation};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::{
    driver::Inbox,
    life::{AnyMailbox, Life},
    observer::DeadReason,
    slab::KeyInbox,
    system::{OrderError, System},
    task::lock,
    trace::Trace,
};

/// The end of one life of an actor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Down {
    /// Its path.
    pub path: String,
    /// Which of its lives; 0 if nothing was running there.
    pub incarnation: Incarnation,
    /// Why it ended; `Lost`, if nothing was running there.
    pub reason: ExitReason,
}

pub(crate) type Tell = Box<dyn FnOnce(Down) + Send>;

/// Who is told of the end of one life.
#[derive(Default)]
pub(crate) struct Watchers(Mutex<State>);

#[derive(Default)]
struct State {
    next: u64,
    waiting: BTreeMap<u64, Tell>,
    /// Set at the end.
    down: Option<Down>,
}

impl std::fmt::Debug for Watchers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Watchers({})", lock(&self.0).waiting.len())
    }
}

impl Watchers {
    /// Most that may wait for the end of one life.
    const LEN_MAX: usize = 65_536;

    /// The number under which it waits; `None` if it was told at once.
    pub(crate) fn add(&self, tell: Tell) -> Result<Option<u64>, Tell> {
        let mut state = lock(&self.0);
        if let Some(down) = state.down.clone() {
            drop(state);
            tell(down);
            return Ok(None);
        }
        if state.waiting.len() >= Self::LEN_MAX {
            return Err(tell);
        }
        state.next += 1;
        let number = state.next;
        state.waiting.insert(number, tell);
        Ok(Some(number))
    }

    pub(crate) fn is_empty(&self) -> bool {
        lock(&self.0).waiting.is_empty()
    }

    pub(crate) fn remove(&self, number: u64) {
        // Dropped outside the lock: it may hold anything.
        let taken = lock(&self.0).waiting.remove(&number);
        drop(taken);
    }

    /// Tells everybody; later ones are told at once.
    pub(crate) fn end(&self, down: Down) {
        let (waiting, told) = {
            let mut state = lock(&self.0);
            let waiting = std::mem::take(&mut state.waiting);
            // Mostly nobody waits.
            let told = (!waiting.is_empty()).then(|| down.clone());
            state.down = Some(down);
            (waiting, told)
        };
        let Some(down) = told else { return };
        waiting.into_values().for_each(|tell| tell(down.clone()));
    }
}

/// One life of an actor, or of a key, that may be watched.
#[derive(Debug, Clone)]
pub(crate) enum Subject {
    Actor(Weak<Life>),
    /// A key of this slab.
    Key(Weak<dyn AnyMailbox>, Arc<str>),
}

/// A monitor that waits. Dropping it takes it back.
#[derive(Debug)]
pub struct Watching {
    watchers: Weak<Watchers>,
    /// `None`: there is nothing to take back.
    waits: Option<(u64, Subject)>,
}

impl Watching {
    pub(crate) fn new(watchers: &Arc<Watchers>, number: u64, subject: Subject) -> Self {
        Self { watchers: Arc::downgrade(watchers), waits: Some((number, subject)) }
    }

    /// It was told at once.
    pub(crate) fn nothing() -> Self {
        Self { watchers: Weak::new(), waits: None }
    }

    /// It is not taken back any more.
    pub(crate) fn leave(mut self) {
        self.waits = None;
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let Some((number, subject)) = self.waits.take() else { return };
        if let Some(watchers) = self.watchers.upgrade() {
            watchers.remove(number);
        }
        if let Subject::Key(slab, key) = subject
            && let Some(slab) = slab.upgrade()
        {
            slab.unwatched(&key);
        }
    }
}

/// Waits for the end of one life of an actor.
#[derive(Debug)]
pub struct Monitor {
    told: oneshot::Receiver<Down>,
    watching: Watching,
}

impl Monitor {
    /// Resolves at the end.
    pub async fn down(self) -> Down {
        let lost = || Down {
            path: String::new(),
            incarnation: Incarnation(0),
            reason: ExitReason::Lost("the system is gone".to_owned()),
        };
        let down = self.told.await.unwrap_or_else(|_| lost());
        drop(self.watching);
        down
    }
}

impl System {
    /// Watches the life that is current at `path` now: its end is told once, also if nothing runs
    /// there. One key of a slab can be watched like any other actor; its rest is no end, but one that is
    /// at rest already does not run.
    ///
    /// # Errors
    /// [`OrderError::TooMany`]: 65,536 watch it already.
    pub fn monitor(&self, path: &str) -> Result<Monitor, OrderError> {
        let (sender, told) = oneshot::channel();
        // Nobody waits any more if the monitor was dropped meanwhile.
        let watching = self.watch(path, Box::new(move |down| drop(sender.send(down))))?;
        Ok(Monitor { told, watching })
    }

    fn watch(&self, path: &str, tell: Tell) -> Result<Watching, OrderError> {
        let Some((watchers, subject)) = self.subject_at(path) else {
            let reason = ExitReason::Lost("nothing was running there".to_owned());
            tell(Down { path: path.to_owned(), incarnation: Incarnation(0), reason });
            return Ok(Watching::nothing());
        };
        let many = |_| OrderError::TooMany(path.to_owned());
        Ok(match watchers.add(tell).map_err(many)? {
            Some(number) => Watching::new(&watchers, number, subject),
            None => Watching::nothing(),
        })
    }

    /// The life of an actor, or of a key, that is current at `path` now, and who watches it.
    pub(crate) fn subject_at(&self, path: &str) -> Option<(Arc<Watchers>, Subject)> {
        if let Some(life) = self.registry().by_path(path).and_then(|slot| slot.current()) {
            return Some(life.subject());
        }
        let (host, key) = self.registry().host_above(path)?;
        let life = host.current()?;
        let slab = life.mailbox()?;
        Some((slab.watchers_of(key)?, Subject::Key(Arc::downgrade(slab), key.into())))
    }
}

impl Life {
    /// Who watches it, and what is watched.
    pub(crate) fn subject(self: &Arc<Self>) -> (Arc<Watchers>, Subject) {
        (Arc::clone(&self.watchers), Subject::Actor(Arc::downgrade(self)))
    }
}

impl<E: Send + 'static> Inbox<E> {
    /// Watches the life that is current at `path` now: the event that `wrap` makes of its end is
    /// delivered once, ahead of what others sent. Taken back with this life, or with the result.
    ///
    /// # Errors
    /// [`OrderError::TooMany`]: 65,536 watch it already.
    pub fn monitor(
        &self,
        system: &System,
        path: &str,
        wrap: impl FnOnce(Down) -> E + Send + 'static,
    ) -> Result<Watching, OrderError> {
        let (mailbox, life) = (Arc::downgrade(&self.mailbox), Arc::downgrade(&self.life));
        let tell = move |down: Down| {
            let (Some(mailbox), Some(life)) = (mailbox.upgrade(), life.upgrade()) else { return };
            if !life.is_ending() && !mailbox.push_own(wrap(down)) {
                mailbox.bury(DeadReason::Shed, Trace::NONE);
                life.end(ExitReason::Error("more ends of effects wait than are allowed".into()));
            }
        };
        system.watch(path, Box::new(tell))
    }
}

impl<E: std::fmt::Debug + Send + 'static> KeyInbox<E> {
    /// Watches the life that is current at `path` now: the event that `wrap` makes of its end is
    /// delivered once, ahead of what others sent, and wakes the machine if it is at rest. Taken back
    /// with this life of the key, or with the result.
    ///
    /// # Errors
    /// [`OrderError::TooMany`]: 65,536 watch it already; [`OrderError::NotFound`]: this life of the key
    /// is over.
    pub fn monitor(
        &self,
        system: &System,
        path: &str,
        wrap: impl FnOnce(Down) -> E + Send + 'static,
    ) -> Result<Watching, OrderError> {
        let waits = self.wait().ok_or_else(|| OrderError::NotFound(self.path()))?;
        system.watch(path, Box::new(move |down| waits.end(wrap(down))))
    }
}
