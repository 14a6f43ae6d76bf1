//! Decides when an image that was not there is looked for again.
//!
//! Spec: Kubernetes documentation, "Images", "ImagePullBackOff": growing waits, at most 300 s.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The wait after the first failure.
const INITIAL: Duration = Duration::from_secs(10);
/// No wait is longer.
const MAX: Duration = Duration::from_secs(300);

/// The memory of one container's failed looks for its image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct PullBackoff {
    wait: Option<Duration>,
}

impl PullBackoff {
    /// The wait after one more failure.
    pub(crate) fn next_wait(&mut self) -> Duration {
        let wait = self.wait.map_or(INITIAL, |last| (last * 2).min(MAX));
        self.wait = Some(wait);
        wait
    }
}
