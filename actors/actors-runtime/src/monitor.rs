//! Monitors and links: whoever must know of an actor's end is told of it once, always.
//!
//! Way in: `System::monitor`, `Inbox::monitor`, `Inbox::link`.  Owns: who is told of one life's end.
//! Invariant: a watcher is told exactly once: at the end, or at once if that is past; unless it was
//! taken back before.
//! Spec: Erlang's `monitor/2` and `link/1`; what is not running ends at once, as `noproc`.

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

type Tell = Box<dyn FnOnce(Down) + Send>;

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
    fn add(&self, tell: Tell) -> Result<Option<u64>, Tell> {
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

    fn remove(&self, number: u64) {
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

/// A slab, and one of its keys.
type KeyOf = (Weak<dyn AnyMailbox>, Box<str>);

/// A monitor that waits. Dropping it takes it back.
#[derive(Debug)]
pub struct Watching {
    watchers: Weak<Watchers>,
    number: Option<u64>,
    /// The slab of a key that is watched, and the key.
    key: Option<KeyOf>,
}

impl Drop for Watching {
    fn drop(&mut self) {
        if let (Some(watchers), Some(number)) = (self.watchers.upgrade(), self.number) {
            watchers.remove(number);
        }
        if let Some((slab, key)) = self.key.take()
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
        let life = self.registry().by_path(path).and_then(|slot| slot.current());
        let (watchers, key) = match life {
            Some(life) => (Some(Arc::clone(&life.watchers)), None),
            None => self.watchers_of_key(path).unzip(),
        };
        let Some(watchers) = watchers else {
            let reason = ExitReason::Lost("nothing was running there".to_owned());
            tell(Down { path: path.to_owned(), incarnation: Incarnation(0), reason });
            return Ok(Watching { watchers: Weak::new(), number: None, key: None });
        };
        let many = |_| OrderError::TooMany(path.to_owned());
        let number = watchers.add(tell).map_err(many)?;
        Ok(Watching { watchers: Arc::downgrade(&watchers), number, key })
    }

    /// Who watches the current life of one key of a slab, and what is told when one of them does not
    /// any more.
    fn watchers_of_key(&self, path: &str) -> Option<(Arc<Watchers>, KeyOf)> {
        let (host, key) = self.registry().host_above(path)?;
        let life = host.current()?;
        let slab = life.mailbox()?;
        let watchers = slab.watchers_of(key)?;
        Some((watchers, (Arc::downgrade(slab), key.into())))
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

    /// Ties this life to the one that is current at `path` now: when one of them ends by a failure,
    /// the other one is ended too, as lost. Clean ends part them.
    ///
    /// # Errors
    /// [`OrderError::TooMany`]; [`OrderError::NotFound`] if nothing runs there.
    pub fn link(&self, system: &System, path: &str) -> Result<(), OrderError> {
        let missing = || OrderError::NotFound(path.to_owned());
        let other = system.registry().by_path(path).and_then(|slot| slot.current());
        let other = other.ok_or_else(missing)?;
        let many = |path: &str| OrderError::TooMany(path.to_owned());
        let there = other.watchers.add(take_along(&self.life)).map_err(|_| many(path))?;
        let here = self.life.watchers.add(take_along(&other)).map_err(|_| many(self.path()));
        if let (Err(_), Some(number)) = (&here, there) {
            other.watchers.remove(number);
        }
        here.map(drop)
    }
}

/// Ends `life` when the other one has failed.
fn take_along(life: &Arc<Life>) -> Tell {
    let life = Arc::downgrade(life);
    Box::new(move |down| {
        if let Some(life) = life.upgrade().filter(|_| !down.reason.is_clean()) {
            life.fail(ExitReason::Lost(format!(
                "{}, to which it was linked, {}",
                down.path, down.reason
            )));
        }
    })
}
