//! Supervision as data: what runs, how often it may fail, what happens then. Validated before anything starts.
//!
//! Way in: [`TreeSpec::validate`].  Spec: OTP's supervisor flags and child specifications (OTP Design Principles,
//! "Supervisor Behaviour"); back-off, jitter and `Park` are ours.

use std::{collections::BTreeSet, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{MailboxPolicy, Rng};

/// How one child of a supervisor is run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChildSpec {
    /// Its name among its siblings, and the last part of its path in the tree.
    pub name: String,
    /// When it is started again.
    pub restart: Restart,
    /// How long to wait before each start that follows a failure.
    pub backoff: Backoff,
    /// How long it may take to stop before it is killed.
    pub shutdown: Duration,
    /// How many messages may wait for it.
    pub mailbox: MailboxPolicy,
}

/// When a child that ended is started again; OTP's three restart types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Restart {
    /// Always.
    Permanent,
    /// Only after an abnormal end.
    Transient,
    /// Never.
    Temporary,
}

/// Waiting times between failures: `initial`, doubled each time up to `max`, varied by `jitter_percent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backoff {
    /// Before the first restart.
    pub initial: Duration,
    /// Never longer than this, before jitter.
    pub max: Duration,
    /// Up to this share is added or taken away, 0 to 100.
    pub jitter_percent: u8,
}

/// At most `restarts` within `period`; one more is a failure of the supervisor's subtree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intensity {
    /// How many restarts are tolerated.
    pub restarts: u32,
    /// In which time.
    pub period: Duration,
}

/// What a supervisor does when the intensity is passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnLimit {
    /// Stops all children and fails itself: its own supervisor decides, up to the process.
    Escalate,
    /// Leaves the failing child stopped, says so, and keeps the others; for keyed actors.
    Park,
}

/// A supervisor and what it starts, left to right. The strategy is one-for-one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeSpec {
    /// Its name among its siblings; the root's is the process's.
    pub name: String,
    /// How many restarts its children may need together (`Escalate`) or each (`Park`).
    pub intensity: Intensity,
    /// What happens beyond that.
    pub on_limit: OnLimit,
    /// Children, started in this order and stopped in the reverse one.
    pub children: Vec<ChildSpec>,
}

/// Why a tree is refused, with the path of the offending part. The author of the tree mends it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// A name is empty or contains `/`.
    #[error("{path}: a child's name must not be empty and must not contain '/'")]
    Name {
        /// Where.
        path: String,
    },
    /// Two siblings share a name.
    #[error("{path}: two children have this name")]
    Duplicate {
        /// Where.
        path: String,
    },
    /// A bound is zero.
    #[error("{path}: {field} must be greater than zero")]
    Zero {
        /// Where.
        path: String,
        /// Which bound.
        field: &'static str,
    },
    /// A back-off whose first wait is longer than its longest, or whose jitter is over 100 %.
    #[error("{path}: back-off must have initial <= max and jitter_percent <= 100")]
    Backoff {
        /// Where.
        path: String,
    },
}

impl ChildSpec {
    /// A child that is always restarted, with the defaults: 5 s to stop, back-off 100 ms to 30 s, 20 % jitter.
    #[must_use]
    pub fn permanent(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            restart: Restart::Permanent,
            backoff: Backoff::default(),
            shutdown: Duration::from_secs(5),
            mailbox: MailboxPolicy::default(),
        }
    }

    /// A child that is restarted only if it fails.
    #[must_use]
    pub fn transient(name: impl Into<String>) -> Self {
        Self { restart: Restart::Transient, ..Self::permanent(name) }
    }

    /// A child that is never restarted.
    #[must_use]
    pub fn temporary(name: impl Into<String>) -> Self {
        Self { restart: Restart::Temporary, ..Self::permanent(name) }
    }

    /// The same child with another mailbox.
    #[must_use]
    pub fn mailbox(mut self, mailbox: MailboxPolicy) -> Self {
        self.mailbox = mailbox;
        self
    }

    /// The same child with another back-off.
    #[must_use]
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// The same child with another time to stop.
    #[must_use]
    pub fn shutdown(mut self, shutdown: Duration) -> Self {
        self.shutdown = shutdown;
        self
    }

    /// Checks this child; `parent` is the path of its supervisor.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn validate(&self, parent: &str) -> Result<(), SpecError> {
        let path = format!("{parent}/{}", self.name);
        if self.name.is_empty() || self.name.contains('/') {
            return Err(SpecError::Name { path });
        }
        if self.mailbox.capacity == 0 {
            return Err(SpecError::Zero { path, field: "mailbox.capacity" });
        }
        if self.shutdown.is_zero() {
            return Err(SpecError::Zero { path, field: "shutdown" });
        }
        if self.backoff.initial > self.backoff.max || self.backoff.jitter_percent > 100 {
            return Err(SpecError::Backoff { path });
        }
        Ok(())
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            initial: Duration::from_millis(100),
            max: Duration::from_secs(30),
            jitter_percent: 20,
        }
    }
}

impl Backoff {
    /// The wait before the start that follows failure number `failures` (1 for the first).
    pub fn wait(&self, failures: u32, rng: &mut Rng) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        let plain = self.initial.saturating_mul(1 << doublings).min(self.max);
        let spread = plain * u32::from(self.jitter_percent) / 100;
        let spread_ns = u64::try_from(spread.as_nanos()).unwrap_or(u64::MAX / 2);
        (plain - spread) + Duration::from_nanos(rng.between(0, spread_ns.saturating_mul(2)))
    }
}

impl TreeSpec {
    /// Checks the whole tree, so that nothing starts on a wrong one.
    ///
    /// # Errors
    /// The first rule that is broken, with its path.
    pub fn validate(&self) -> Result<(), SpecError> {
        if self.name.is_empty() || self.name.contains('/') {
            return Err(SpecError::Name { path: self.name.clone() });
        }
        if self.intensity.period.is_zero() {
            return Err(SpecError::Zero { path: self.name.clone(), field: "intensity.period" });
        }
        let mut seen = BTreeSet::new();
        for child in &self.children {
            child.validate(&self.name)?;
            if !seen.insert(child.name.as_str()) {
                return Err(SpecError::Duplicate { path: format!("{}/{}", self.name, child.name) });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(children: Vec<ChildSpec>) -> TreeSpec {
        let intensity = Intensity { restarts: 5, period: Duration::from_secs(30) };
        TreeSpec { name: "root".into(), intensity, on_limit: OnLimit::Escalate, children }
    }

    #[test]
    fn a_wrong_tree_is_refused_with_its_path() {
        let zero = ChildSpec::permanent("a").mailbox(MailboxPolicy::wait(0));
        let error = tree(vec![zero]).validate().map_err(|error| error.to_string());
        assert_eq!(error, Err("root/a: mailbox.capacity must be greater than zero".into()));
        let twins = tree(vec![ChildSpec::permanent("a"), ChildSpec::permanent("a")]);
        assert_eq!(twins.validate(), Err(SpecError::Duplicate { path: "root/a".into() }));
        let slash = tree(vec![ChildSpec::permanent("a/b")]);
        assert_eq!(slash.validate(), Err(SpecError::Name { path: "root/a/b".into() }));
    }

    #[test]
    fn back_off_doubles_up_to_its_maximum_within_its_jitter() {
        let backoff = Backoff::default();
        let mut rng = Rng::from_number(1);
        for (failures, plain_ms) in [(1, 100), (2, 200), (5, 1_600), (9, 25_600), (40, 30_000)] {
            let wait = backoff.wait(failures, &mut rng).as_millis();
            assert!(
                (plain_ms * 80 / 100..=plain_ms * 120 / 100).contains(&wait),
                "{failures}: {wait} ms"
            );
        }
    }
}
