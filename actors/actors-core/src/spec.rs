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
    /// Whether its own end may end its supervisor: see [`AutoShutdown`].
    #[serde(default)]
    pub significant: bool,
    /// Whether, asked to stop, it first handles what waits, and takes nothing new.
    #[serde(default)]
    pub drains: bool,
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

/// Which children are restarted together with one that failed; OTP's strategies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Strategy {
    /// None.
    #[default]
    OneForOne,
    /// All: they cannot do without each other.
    OneForAll,
    /// Those that were started after it: they depend on it.
    RestForOne,
}

/// When a supervisor ends because significant children did, by themselves and without being restarted; as OTP 24 has
/// it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum AutoShutdown {
    /// Never.
    #[default]
    Never,
    /// With the first one.
    AnySignificant,
    /// With the last one.
    AllSignificant,
}

/// A supervisor and what it starts, left to right.
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
    /// Who is restarted with a child that failed.
    #[serde(default)]
    pub strategy: Strategy,
    /// When it ends with its children.
    #[serde(default)]
    pub auto_shutdown: AutoShutdown,
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
    /// A child has a specification but nothing to start.
    #[error("{path}: nothing is known that could be started for this child")]
    Unknown {
        /// Where.
        path: String,
    },
    /// Something could be started for a child without a specification.
    #[error("{path}: no child of this name is specified")]
    Unspecified {
        /// Where.
        path: String,
    },
    /// A significant child in a place where OTP has none.
    #[error("{path}: {why}")]
    Significant {
        /// Where.
        path: String,
        /// Which rule it breaks.
        why: &'static str,
    },
    /// Only single children can be parked.
    #[error("{path}: on_limit Park needs the strategy one-for-one")]
    Park {
        /// Where.
        path: String,
    },
    /// Supervisors stand in each other, more than anybody needs: the tree was built by a loop.
    #[error("{path}: more than {max} supervisors stand in each other")]
    Depth {
        /// Where.
        path: String,
        /// The bound.
        max: usize,
    },
    /// A child at the bottom could be restarted too often before the process gives up.
    #[error(
        "{path}: its supervisors allow {product} restarts before the root gives up, at most {max}"
    )]
    Storm {
        /// Where.
        path: String,
        /// The product of all intensities above it.
        product: u64,
        /// The bound.
        max: u64,
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
            significant: false,
            drains: false,
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

    /// The same child, whose own end may end its supervisor.
    #[must_use]
    pub fn significant(mut self) -> Self {
        self.significant = true;
        self
    }

    /// The same child, which handles what waits for it before it stops.
    #[must_use]
    pub fn draining(mut self) -> Self {
        self.drains = true;
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
        self.validate_below(&self.name)
    }

    /// Checks all but the name, as that of the supervisor at `path`.
    ///
    /// # Errors
    /// As [`TreeSpec::validate`].
    pub fn validate_below(&self, path: &str) -> Result<(), SpecError> {
        if self.intensity.period.is_zero() {
            return Err(SpecError::Zero { path: path.to_owned(), field: "intensity.period" });
        }
        if self.on_limit == OnLimit::Park && self.strategy != Strategy::OneForOne {
            return Err(SpecError::Park { path: path.to_owned() });
        }
        let mut seen = BTreeSet::new();
        for child in &self.children {
            self.validate_child(child, path)?;
            if !seen.insert(child.name.as_str()) {
                return Err(SpecError::Duplicate { path: format!("{path}/{}", child.name) });
            }
        }
        Ok(())
    }

    /// Checks one child that this supervisor, at `path`, has or is to get.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn validate_child(&self, child: &ChildSpec, path: &str) -> Result<(), SpecError> {
        child.validate(path)?;
        let path = || format!("{path}/{}", child.name);
        if child.significant && child.restart == Restart::Permanent {
            let why = "a significant child must be transient or temporary";
            return Err(SpecError::Significant { path: path(), why });
        }
        if child.significant && self.auto_shutdown == AutoShutdown::Never {
            let why = "a significant child needs a supervisor with auto_shutdown";
            return Err(SpecError::Significant { path: path(), why });
        }
        Ok(())
    }
}

/// How bad it can get below a supervisor: what all supervisors above allow together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Worst {
    depth: usize,
    product: u64,
}

impl Default for Worst {
    fn default() -> Self {
        Self { depth: 0, product: 1 }
    }
}

impl Worst {
    /// Most supervisors that may stand in each other.
    pub const DEPTH_MAX: usize = 16;

    /// Most restarts of one child, of all its supervisors' lives together, before the root gives up.
    pub const RESTARTS_MAX: u64 = 1_000_000;

    /// The same below one more supervisor.
    ///
    /// # Errors
    /// [`SpecError::Depth`] and [`SpecError::Storm`], with the supervisor's `path`.
    pub fn below(self, intensity: Intensity, path: &str) -> Result<Self, SpecError> {
        let depth = self.depth + 1;
        if depth > Self::DEPTH_MAX {
            return Err(SpecError::Depth { path: path.to_owned(), max: Self::DEPTH_MAX });
        }
        let product = self.product.saturating_mul(u64::from(intensity.restarts) + 1);
        if product > Self::RESTARTS_MAX {
            let (path, max) = (path.to_owned(), Self::RESTARTS_MAX);
            return Err(SpecError::Storm { path, product, max });
        }
        Ok(Self { depth, product })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(children: Vec<ChildSpec>) -> TreeSpec {
        let intensity = Intensity { restarts: 5, period: Duration::from_secs(30) };
        let (strategy, auto_shutdown) = (Strategy::OneForOne, AutoShutdown::Never);
        let on_limit = OnLimit::Escalate;
        TreeSpec { name: "root".into(), intensity, on_limit, children, strategy, auto_shutdown }
    }

    #[test]
    fn significance_and_parking_have_their_places() {
        let text = |tree: &TreeSpec| tree.validate().map_err(|error| error.to_string());
        let mut wrong = tree(vec![ChildSpec::transient("a").significant()]);
        let said = "root/a: a significant child needs a supervisor with auto_shutdown";
        assert_eq!(text(&wrong), Err(said.into()));
        wrong.auto_shutdown = AutoShutdown::AnySignificant;
        assert_eq!(text(&wrong), Ok(()));
        wrong.children[0].restart = Restart::Permanent;
        let said = "root/a: a significant child must be transient or temporary";
        assert_eq!(text(&wrong), Err(said.into()));
        let mut parked = tree(Vec::new());
        (parked.on_limit, parked.strategy) = (OnLimit::Park, Strategy::RestForOne);
        assert_eq!(text(&parked), Err("root: on_limit Park needs the strategy one-for-one".into()));
    }

    #[test]
    fn supervisors_that_could_storm_together_are_refused() {
        let of = |restarts| Intensity { restarts, period: Duration::from_secs(1) };
        let worst =
            Worst::default().below(of(999), "a").and_then(|worst| worst.below(of(999), "b"));
        let refused = worst.and_then(|worst| worst.below(of(1), "a/b/c"));
        let said = "a/b/c: its supervisors allow 2000000 restarts before the root gives up, at most 1000000";
        assert_eq!(refused.map_err(|error| error.to_string()), Err(said.to_owned()));
        let mut deep = Ok(Worst::default());
        for _ in 0..=Worst::DEPTH_MAX {
            deep = deep.and_then(|worst: Worst| worst.below(of(0), "deep"));
        }
        assert_eq!(deep, Err(SpecError::Depth { path: "deep".into(), max: Worst::DEPTH_MAX }));
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
