//! The ticks of a member, which pause while time does not matter to it: an idle server sleeps.
//!
//! Way in: [`Pulse::set`] by the driver after each event, [`Pulse::run`] beside it.
//! Time and order: the first tick comes at once, so that a sole voter leads at once. After a pause
//! the next one comes a whole tick after it was wanted.

use std::{
    convert::Infallible,
    sync::atomic::{AtomicBool, Ordering},
};

use tokio::{
    sync::Notify,
    time::{Duration, MissedTickBehavior, interval},
};

/// Whether one member wants ticks.
#[derive(Debug)]
pub(crate) struct Pulse {
    is_wanted: AtomicBool,
    wanted: Notify,
}

impl Default for Pulse {
    fn default() -> Self {
        Self { is_wanted: AtomicBool::new(true), wanted: Notify::new() }
    }
}

impl Pulse {
    /// Pauses the ticks, or lets them go on.
    pub(crate) fn set(&self, is_wanted: bool) {
        if !self.is_wanted.swap(is_wanted, Ordering::AcqRel) && is_wanted {
            self.wanted.notify_one();
        }
    }

    /// Calls `tick` for as long as it is awaited.
    pub(crate) async fn run(&self, every: Duration, tick: impl Fn()) -> Infallible {
        let mut interval = interval(every);
        // A process that was paused must not take the time it slept for a silence of the leader.
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            if self.is_wanted.load(Ordering::Acquire) {
                tick();
            } else {
                self.wanted.notified().await;
                interval.reset();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[tokio::test]
    async fn there_are_no_ticks_while_they_are_not_wanted() {
        let pulse = Pulse::default();
        let ticks = Mutex::new(0);
        let ended = Notify::new();
        let count = || {
            let mut ticks = ticks.lock().unwrap();
            *ticks += 1;
            // The third one is the last that is wanted for now, the fifth the last of all.
            pulse.set(*ticks != 3 && *ticks != 5);
            if *ticks == 5 {
                ended.notify_one();
            }
        };
        let resume = async {
            // As long as 20 ticks.
            assert!(
                tokio::time::timeout(Duration::from_millis(20), ended.notified()).await.is_err()
            );
            assert_eq!(*ticks.lock().unwrap(), 3);
            pulse.set(true);
            ended.notified().await;
        };
        tokio::select! {
            never = pulse.run(Duration::from_millis(1), count) => match never {},
            () = resume => {}
        }
        assert_eq!(*ticks.lock().unwrap(), 5);
    }
}
