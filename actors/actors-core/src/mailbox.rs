//! How many messages may wait for an actor, and what happens to the next one.
//!
//! Way in: [`MailboxPolicy`].  Invariant: a capacity is never zero (checked by `TreeSpec::validate`).

use serde::{Deserialize, Serialize};

/// The bound of one mailbox. Every mailbox has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailboxPolicy {
    /// Most messages that may wait.
    pub capacity: u32,
    /// What happens to a message that finds the mailbox full.
    pub when_full: WhenFull,
}

/// What happens at the bound of a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum WhenFull {
    /// The sender waits for room: back-pressure. Never between two actors that send to each other.
    Wait,
    /// The oldest waiting message becomes a dead letter: for readings of which only the newest counts.
    ShedOldest,
    /// The new message is handed back to its sender as refused.
    Refuse,
}

impl MailboxPolicy {
    /// A mailbox whose senders are refused at the bound.
    #[must_use]
    pub const fn refuse(capacity: u32) -> Self {
        Self { capacity, when_full: WhenFull::Refuse }
    }

    /// A mailbox whose senders wait at the bound.
    #[must_use]
    pub const fn wait(capacity: u32) -> Self {
        Self { capacity, when_full: WhenFull::Wait }
    }
}

impl Default for MailboxPolicy {
    fn default() -> Self {
        Self::wait(1_024)
    }
}
