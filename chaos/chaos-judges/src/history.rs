//! What clients asked, and what they were told.
//!
//! Way in: [`Operation`].  Plain data, so that a failing history can be saved with its seed.

use actors_core::Mono;
use serde::{Deserialize, Serialize};

/// One call of one client. All times are on one clock: the simulator's, or that of the machine of
/// the clients.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// Who asked.
    pub client: u32,
    /// What was asked.
    pub call: Call,
    /// When it was sent.
    pub invoked: Mono,
    /// When the answer came; ignored for [`Answer::Unknown`].
    pub returned: Mono,
    /// What was answered.
    pub answer: Answer,
}

/// What a client asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Call {
    /// The value of one key.
    Get {
        /// Which.
        key: String,
        /// Whether a stale answer will do.
        freshness: Freshness,
    },
    /// All keys that begin with a prefix.
    List {
        /// Which.
        prefix: String,
        /// Whether a stale answer will do.
        freshness: Freshness,
    },
    /// A change of one key.
    Write {
        /// Which.
        key: String,
        /// Its new value; `None` deletes it. Values should differ, so that a write of unknown
        /// outcome is found.
        value: Option<String>,
        /// On which condition.
        expected: Expected,
    },
}

/// Whether a read must show everything that was answered before it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Freshness {
    /// It must.
    Consistent,
    /// It may show an older state, but a true one.
    Stale,
}

/// On which condition a write happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Expected {
    /// None.
    Any,
    /// There is no such key.
    Absent,
    /// There is such a key.
    Present,
    /// The key was last changed at this revision.
    Revision(u64),
}

/// What a client was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// The state at `revision` had these keys (at most one for [`Call::Get`]), in order.
    Read {
        /// The revision of the state that was read.
        revision: u64,
        /// The keys and what they held.
        found: Vec<(String, Version)>,
    },
    /// The write happened.
    Written {
        /// The revision it got.
        revision: u64,
    },
    /// The write did not happen: the key was last changed at `current`, or there was none.
    Conflict {
        /// When the key was changed last.
        current: Option<u64>,
    },
    /// The operation surely had no effect, and says nothing of the state.
    Refused,
    /// No answer came: it may have happened, once.
    Unknown,
}

/// What a key holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// When it was changed last.
    pub revision: u64,
    /// The value.
    pub value: String,
}

impl Expected {
    /// Whether a key that holds `current` meets the condition.
    #[must_use]
    pub fn is_met_by(self, current: Option<&Version>) -> bool {
        match self {
            Self::Any => true,
            Self::Absent => current.is_none(),
            Self::Present => current.is_some(),
            Self::Revision(revision) => current.is_some_and(|version| version.revision == revision),
        }
    }
}
