//! Sees handlers that take long while they still run: one thread that looks at every slab at work, and
//! once a second at everything else.
//!
//! Way in: [`Watchdog::enter`] around work, [`Watchdog::add`] for each slab.  Never: a decision; that is
//! the slab's own, at each look.
//! Time and order: it sleeps while no slab works, and looks every [`TICK`] otherwise. It is a thread of
//! its own, for the runtime may have a single one, and that is what a slow handler holds up.

use std::{
    sync::{
        Arc, Mutex, OnceLock, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{Builder, Thread},
    time::Duration,
};

use crate::{clock::Clock, life::Life, task::lock};

/// How long one event may take before its actor is named.
pub(crate) const BUDGET: Duration = Duration::from_millis(10);

/// The time between two looks.
const TICK: Duration = Duration::from_millis(2);

/// The time between two rounds over everything that is no slab.
const ROUND: Duration = Duration::from_secs(1);

/// What can be looked at while somebody works in it.
pub(crate) trait Watched: Send + Sync {
    /// Sees whether somebody takes long, and does what is to be done about it. Never waits.
    fn look(self: Arc<Self>);
}

/// What is looked at, to the end of this life.
type Known = (Weak<Life>, Weak<dyn Watched>);

/// The watchdog of one system.
#[derive(Default)]
pub(crate) struct Watchdog {
    /// How many are at work.
    at_work: AtomicUsize,
    is_asleep: AtomicBool,
    watched: Mutex<Vec<Known>>,
    /// What is looked at once a round, whoever works.
    whole: OnceLock<Weak<dyn Watched>>,
    thread: OnceLock<Thread>,
}

/// Somebody is at work until it is dropped.
pub(crate) struct AtWork(Arc<Watchdog>);

impl Watchdog {
    /// Looks at `watched`, from now to the end of `life`.
    pub(crate) fn add(self: &Arc<Self>, life: &Arc<Life>, watched: &Arc<impl Watched + 'static>) {
        let watched = Arc::downgrade(watched);
        let mut all = lock(&self.watched);
        all.retain(|(life, _)| life.strong_count() > 0);
        all.push((Arc::downgrade(life), watched));
        self.thread.get_or_init(|| start(Arc::downgrade(self)));
    }

    /// Looks at `whole` once a round, from now on; the first one counts.
    pub(crate) fn watch_over(self: &Arc<Self>, whole: &Arc<impl Watched + 'static>) {
        let whole = Arc::downgrade(whole);
        self.whole.get_or_init(|| whole);
        self.thread.get_or_init(|| start(Arc::downgrade(self)));
    }

    /// Begins a piece of work.
    pub(crate) fn enter(self: &Arc<Self>) -> AtWork {
        self.at_work.fetch_add(1, Ordering::SeqCst);
        if self.is_asleep.load(Ordering::SeqCst) && self.is_asleep.swap(false, Ordering::SeqCst) {
            self.wake();
        }
        AtWork(Arc::clone(self))
    }

    fn wake(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }

    /// Whether nobody works, so that the next one wakes the thread.
    fn falls_asleep(&self) -> bool {
        self.is_asleep.store(true, Ordering::SeqCst);
        // Whoever began before that did not see it.
        self.at_work.load(Ordering::SeqCst) == 0 || !self.is_asleep.swap(false, Ordering::SeqCst)
    }

    fn look(&self) {
        let all: Vec<_> = lock(&self.watched).clone();
        for (life, watched) in all {
            // Held until the slab is let go, so that the end of its life waits for that.
            let Some(_share) = life.upgrade().and_then(|life| life.share()) else { continue };
            if let Some(watched) = watched.upgrade() {
                watched.look();
            }
        }
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.at_work.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.wake();
    }
}

/// Starts the thread, which ends with its watchdog; nobody waits for it.
fn start(watchdog: Weak<Watchdog>) -> Thread {
    let work = move || {
        let mut round = Clock.mono().after(ROUND);
        loop {
            let Some(known) = watchdog.upgrade() else { return };
            let is_idle = known.falls_asleep();
            drop(known);
            let until_round = round.since(Clock.mono());
            std::thread::park_timeout(if is_idle { until_round } else { TICK });
            let Some(known) = watchdog.upgrade() else { return };
            if !is_idle {
                known.look();
            }
            let now = Clock.mono();
            if now >= round {
                round = now.after(ROUND);
                let whole = known.whole.get().and_then(Weak::upgrade);
                // The system may end here, and the watchdog with it.
                drop(known);
                whole.into_iter().for_each(Watched::look);
            }
        }
    };
    match Builder::new().name("watchdog".to_owned()).stack_size(256 * 1024).spawn(work) {
        Ok(thread) => thread.thread().clone(),
        Err(error) => {
            // Slow handlers are not seen then; everything else works as ever.
            tracing::error!(%error, "no thread for the watchdog");
            std::thread::current()
        }
    }
}
