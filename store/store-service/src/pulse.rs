//! The ticks of a member, each when the member wants it: an idle server sleeps.
//!
//! Way in: [`Pulse::set`] by the driver after each event, [`Pulse::run`] beside it.
//! Time and order: the first tick comes at once, so that a sole voter leads at once. A time that is
//! put off, as by every heartbeat, wakes nobody: the sleeper looks when the old time has come.

use std::{
    convert::Infallible,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use actors_core::Mono;
use actors_runtime::Clock;
use store_raft::RaftConfig;
use tokio::{sync::Notify, time::timeout};

/// No tick is wanted.
const NEVER: u64 = u64::MAX;

/// When one member wants its next tick.
#[derive(Debug)]
pub(crate) struct Pulse {
    due: AtomicU64,
    /// Until when the sleeper sleeps.
    asleep_until: AtomicU64,
    earlier: Notify,
}

impl Default for Pulse {
    fn default() -> Self {
        Self { due: AtomicU64::new(0), asleep_until: AtomicU64::new(0), earlier: Notify::new() }
    }
}

impl Pulse {
    /// The next tick is wanted then, or there is none for now.
    pub(crate) fn set(&self, due: Option<Mono>) {
        let due = due.map_or(NEVER, |due| due.0);
        self.due.store(due, Ordering::SeqCst);
        if due < self.asleep_until.load(Ordering::SeqCst) {
            self.earlier.notify_one();
        }
    }

    /// Calls `tick` for as long as it is awaited.
    pub(crate) async fn run(&self, tick: impl Fn()) -> Infallible {
        loop {
            let (due, now) = (self.due.load(Ordering::SeqCst), Clock.mono());
            if due <= now.0 {
                let next = now.after(RaftConfig::TICK).0;
                // Until the member says otherwise. If it has done so just now, that counts.
                let _said =
                    self.due.compare_exchange(due, next, Ordering::SeqCst, Ordering::SeqCst);
                tick();
                continue;
            }
            self.asleep_until.store(due, Ordering::SeqCst);
            // Changed before anybody could see until when this sleeps, it would wake nobody.
            if self.due.load(Ordering::SeqCst) >= due {
                let span = Mono(due).since(now).min(LONGEST);
                drop(timeout(span, self.earlier.notified()).await);
            }
        }
    }
}

/// A sleep that is as good as one without an end, and that every timer can count.
const LONGEST: Duration = Duration::from_secs(3_600);

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn after(millis: u64) -> Option<Mono> {
        Some(Clock.mono().after(Duration::from_millis(millis)))
    }

    #[tokio::test]
    async fn there_are_no_ticks_while_they_are_not_wanted() {
        let pulse = Pulse::default();
        let ticks = Mutex::new(0);
        let ended = Notify::new();
        let count = || {
            let mut ticks = ticks.lock().unwrap();
            *ticks += 1;
            // The third one is the last that is wanted for now, the fifth the last of all.
            pulse.set(if *ticks == 3 || *ticks == 5 { None } else { after(1) });
            if *ticks == 5 {
                ended.notify_one();
            }
        };
        let resume = async {
            // As long as 20 ticks.
            assert!(timeout(Duration::from_millis(20), ended.notified()).await.is_err());
            assert_eq!(*ticks.lock().unwrap(), 3);
            pulse.set(after(1));
            ended.notified().await;
        };
        tokio::select! {
            never = pulse.run(count) => match never {},
            () = resume => {}
        }
        assert_eq!(*ticks.lock().unwrap(), 5);
    }

    #[tokio::test]
    async fn a_tick_that_is_put_off_comes_later_and_one_that_is_wanted_earlier_at_once() {
        let pulse = Pulse::default();
        let ticked = Mutex::new(Vec::new());
        let (began, ended) = (Clock.mono(), Notify::new());
        let count = || {
            let mut ticked = ticked.lock().unwrap();
            ticked.push(Clock.mono().since(began));
            pulse.set(if ticked.len() == 1 { after(3_600_000) } else { None });
            ended.notify_one();
        };
        let change = async {
            ended.notified().await;
            pulse.set(after(5));
            pulse.set(after(30));
            ended.notified().await;
        };
        tokio::select! {
            never = pulse.run(count) => match never {},
            () = change => {}
        }
        let ticked = ticked.lock().unwrap().clone();
        assert_eq!(ticked.len(), 2);
        assert!(ticked[1] >= Duration::from_millis(30), "{ticked:?}");
    }
}
