//! Decides how long a container that ended waits before it is started again.
//!
//! Way in: [`RestartBackoff::next_wait`].
//! Spec: Kubernetes documentation, "Pod Lifecycle", "Container restart policy": the first restart
//! is immediate, then waits of 10 s, doubled up to 300 s; a container that ran for 10 minutes
//! without a problem starts afresh.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The wait before the second restart in a row.
const INITIAL: Duration = Duration::from_secs(10);
/// No wait is longer.
const MAX: Duration = Duration::from_secs(300);
/// A run of this length is a success that forgets earlier waits.
const RESET_AFTER: Duration = Duration::from_secs(600);

/// The memory of one container's restarts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RestartBackoff {
    /// Invariant: zero, or between [`INITIAL`] and [`MAX`].
    last_wait: Option<Duration>,
}

impl RestartBackoff {
    /// The wait after a run that lasted `ran_for`; it counts from the moment at which the container
    /// ended.
    pub fn next_wait(&mut self, ran_for: Duration) -> Duration {
        if ran_for >= RESET_AFTER {
            self.last_wait = None;
        }
        let wait = match self.last_wait {
            None => Duration::ZERO,
            Some(Duration::ZERO) => INITIAL,
            Some(last) => (last * 2).min(MAX),
        };
        self.last_wait = Some(wait);
        wait
    }

    /// The memory of a container that was restarted `restarts` times in a life of the agent that is
    /// over.
    ///
    /// What the earlier agent remembered is lost; one restart is assumed, so that a crash loop goes
    /// on with waits.
    #[must_use]
    pub fn resumed(restarts: u32) -> Self {
        Self { last_wait: (restarts > 0).then_some(Duration::ZERO) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(runs: &[u64]) -> Vec<u64> {
        let mut backoff = RestartBackoff::default();
        runs.iter().map(|ran| backoff.next_wait(Duration::from_secs(*ran)).as_secs()).collect()
    }

    #[test]
    fn waits_double_from_ten_seconds_to_five_minutes_after_an_immediate_restart() {
        assert_eq!(waits(&[1; 9]), [0, 10, 20, 40, 80, 160, 300, 300, 300]);
    }

    #[test]
    fn ten_good_minutes_forget_the_waits() {
        assert_eq!(waits(&[1, 1, 1, 600, 1]), [0, 10, 20, 0, 10]);
    }

    #[test]
    fn a_crash_loop_goes_on_after_a_restart_of_the_agent() {
        assert_eq!(RestartBackoff::resumed(4).next_wait(Duration::from_secs(1)).as_secs(), 10);
        assert_eq!(RestartBackoff::resumed(0).next_wait(Duration::from_secs(1)).as_secs(), 0);
    }
}
