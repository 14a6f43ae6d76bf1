//! What supervisors are told, what they want done, and why actors end.
//!
//! Way in: [`SupervisorMachine`], which decides; these are its words.

mod machine;

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

pub use self::machine::SupervisorMachine;
use crate::{ChildSpec, Incarnation, Mono};

/// Why an actor ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExitReason {
    /// It had nothing more to do.
    Normal,
    /// Its supervisor asked it to stop.
    Shutdown,
    /// It returned an error.
    Error(String),
    /// It panicked; the text is the panic's message.
    Panic(String),
    /// An operator or a chaos experiment killed it. Does not count toward the intensity.
    Killed,
    /// The machine or process that it ran on is gone.
    Lost(String),
}

impl ExitReason {
    /// Whether this end is no failure: a transient child stays down after it.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        matches!(self, Self::Normal | Self::Shutdown)
    }
}

impl fmt::Display for ExitReason {
    /// A clause about the actor, as events and tables show it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Normal => f.write_str("ended normally"),
            Self::Shutdown => f.write_str("was stopped"),
            Self::Error(text) => write!(f, "failed: {text}"),
            Self::Panic(text) => write!(f, "panicked: {text}"),
            Self::Killed => f.write_str("was killed by an operator"),
            Self::Lost(text) => write!(f, "was lost: {text}"),
        }
    }
}

/// What a supervisor is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SupervisorEvent {
    /// Starts all children of the specification.
    Start,
    /// Adds and starts one child; replaces nothing: a known name is ignored.
    Add(ChildSpec),
    /// Stops one child and forgets it.
    Remove(String),
    /// A child ended.
    Exited {
        /// Its name.
        name: String,
        /// Which of its lives.
        incarnation: Incarnation,
        /// Why.
        reason: ExitReason,
    },
    /// A wait that [`SupervisorEffect::Wait`] asked for is over.
    Waited {
        /// As it was asked for.
        name: String,
        /// As it was asked for.
        incarnation: Incarnation,
    },
    /// An operator starts a parked child again.
    Unpark(String),
    /// Stops all children, last started first, then ends.
    Shutdown,
}

/// What a supervisor wants done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SupervisorEffect {
    /// Start this child.
    Start {
        /// Which.
        spec: ChildSpec,
        /// The number of its new life.
        incarnation: Incarnation,
    },
    /// Ask this child to stop; kill it when `within` has passed.
    Stop {
        /// Which.
        name: String,
        /// Its time to stop.
        within: Duration,
    },
    /// This child is known no more: whatever is kept of it may go.
    Forget {
        /// Which.
        name: String,
    },
    /// Deliver [`SupervisorEvent::Waited`] at `at`.
    Wait {
        /// For which child; with a group, the one whose failure is the cause.
        name: String,
        /// For which life; with a group, for which of its restarts.
        incarnation: Incarnation,
        /// When.
        at: Mono,
    },
    /// Tell whoever watches (an event object, a log line, a metric).
    Notify(SupervisorNotice),
    /// All children have ended: end with this reason.
    End(ExitReason),
}

/// What people should know of a supervisor's work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SupervisorNotice {
    /// A child failed and is started again after a wait.
    Restarting {
        /// Which.
        name: String,
        /// Why it ended.
        reason: ExitReason,
        /// The wait before its next start.
        after: Duration,
    },
    /// A child failed too often and is left stopped.
    Parked {
        /// Which.
        name: String,
        /// Its last reason.
        reason: ExitReason,
    },
    /// What is never started again failed: a temporary child, or a part of a service.
    Ended {
        /// Which.
        name: String,
        /// Why it ended.
        reason: ExitReason,
    },
    /// Children failed too often: this supervisor fails.
    Escalated {
        /// The child that failed last.
        name: String,
        /// Its reason.
        reason: ExitReason,
    },
    /// One message takes a child longer than it may. Said by hosts, not by supervisors.
    Slow {
        /// Which.
        name: String,
        /// How long it has taken so far.
        taken: Duration,
    },
    /// An operator lets a child handle no messages. Said by hosts, not by supervisors.
    Suspended {
        /// Which.
        name: String,
    },
    /// An operator lets it go on.
    Resumed {
        /// Which.
        name: String,
    },
}

#[cfg(test)]
mod otp;
#[cfg(test)]
mod tests;
