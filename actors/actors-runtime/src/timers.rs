//! All timers of one system: a heap of instants on `CLOCK_BOOTTIME`, and one task that fires what
//! is due.
//!
//! Way in: [`Timers::at`].  Owns: the heap.  Never: the meaning of a timer.
//! Time and order: timers fire in the order of their instants, those of one instant in the order in
//! which they were set. The runtime sleeps on a clock that stops in suspend, so it looks again at
//! least once a second.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, Weak},
    time::Duration,
};

use actors_core::Mono;
use tokio::{runtime::Handle, sync::Notify};

use crate::{
    clock::Clock,
    task::{lock, spawn_unowned},
};

type Fire = Box<dyn FnOnce() + Send>;

/// The timers of one system. Setting one costs a lock and a box; a fired one is forgotten.
pub(crate) struct Timers {
    heap: Mutex<Heap>,
    changed: Arc<Notify>,
}

impl std::fmt::Debug for Timers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Timers")
    }
}

#[derive(Default)]
struct Heap {
    next: u64,
    due: BTreeMap<(Mono, u64), Fire>,
}

/// The longest sleep while a timer is set: bounds how late one fires after the machine was
/// suspended.
const SLEEP_MAX: Duration = Duration::from_secs(1);

impl Timers {
    /// Starts the task that fires; it ends when the timers are dropped.
    pub(crate) fn start(runtime: &Handle, clock: Clock) -> Arc<Self> {
        let changed = Arc::new(Notify::new());
        let timers = Arc::new(Self { heap: Mutex::default(), changed: Arc::clone(&changed) });
        drop(spawn_unowned(runtime, run(Arc::downgrade(&timers), changed, clock)));
        timers
    }

    /// Calls `fire` at `at`, or at once if that is past. `fire` must be short and must not block.
    pub(crate) fn at(&self, at: Mono, fire: impl FnOnce() + Send + 'static) {
        let mut heap = lock(&self.heap);
        heap.next += 1;
        let key = (at, heap.next);
        let is_first = heap.due.first_key_value().is_none_or(|(first, _)| key < *first);
        heap.due.insert(key, Box::new(fire));
        drop(heap);
        if is_first {
            self.changed.notify_one();
        }
    }

    /// Fires what is due and says how long to sleep; `None` if no timer is set.
    fn fire_due(&self, now: Mono) -> Option<Duration> {
        let due = {
            let mut heap = lock(&self.heap);
            let later = heap.due.split_off(&(now.after(Duration::from_nanos(1)), 0));
            std::mem::replace(&mut heap.due, later)
        };
        due.into_values().for_each(|fire| fire());
        let heap = lock(&self.heap);
        heap.due.first_key_value().map(|((at, _), _)| at.since(now).min(SLEEP_MAX))
    }
}

impl Drop for Timers {
    fn drop(&mut self) {
        self.changed.notify_one();
    }
}

async fn run(timers: Weak<Timers>, changed: Arc<Notify>, clock: Clock) {
    loop {
        // The timers are held only while they fire, so that dropping them ends this task.
        let sleep = match timers.upgrade() {
            Some(timers) => timers.fire_due(clock.mono()),
            None => return,
        };
        match sleep {
            // That the time is over is what a timeout is for here, so its result says nothing.
            Some(sleep) => drop(tokio::time::timeout(sleep, changed.notified()).await),
            None => changed.notified().await,
        }
    }
}
