//! What became of a plan's items.
//!
//! Way in: [`Verdict`].  Invariant: as many verdicts as items, in the order of the items.

use serde::{Deserialize, Serialize};

/// What became of one item. Always final: a driver whose write ended unknown proposes it again
/// under the same token until it knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// It happened at this revision, or had nothing to change and reads so from this revision on.
    Done {
        /// The world shows it from this revision on.
        revision: u64,
    },
    /// It did not happen.
    Refused(Refusal),
}

/// Why a write was refused, as the API's `Status` says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The item as a line of text: `create Pod/web-*`.
    pub item: String,
    /// The HTTP code: 409, 422…
    pub code: u16,
    /// The `reason`: `AlreadyExists`, `Conflict`, `Forbidden`…
    pub reason: String,
    /// The `message`.
    pub message: String,
    /// The `reason` of the first cause, if there is one: `NamespaceTerminating`.
    pub cause: String,
}

impl Refusal {
    /// Whether the world is simply not what it was when the plan was made: look again, say nothing.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        matches!(self.reason.as_str(), "Conflict" | "AlreadyExists" | "NotFound")
    }

    /// Whether the cluster could not write just now, whatever was asked: try again, say nothing.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.code == 429 || self.code >= 500
    }

    /// Whether no retry can help until something else happens: a creation in a namespace that is
    /// going away.
    #[must_use]
    pub fn is_pointless(&self) -> bool {
        self.cause == "NamespaceTerminating"
    }
}
