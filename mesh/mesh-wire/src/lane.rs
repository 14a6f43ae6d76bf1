//! Lanes: the long streams of a link, so that what is small and urgent never waits for what is big.
//!
//! Way in: [`Lane`].

use std::fmt;

use serde::{Deserialize, Serialize};

/// One long bidirectional stream of a link, with a queue of its own at each end. Frames of one lane
/// arrive in order; frames of two lanes have no order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Lane {
    /// Who is alive.
    Control,
    /// What is true, in what order.
    Raft,
    /// Questions and answers.
    Rpc,
    /// Changes.
    Watch,
    /// What is big and may be late.
    Bulk,
}

impl Lane {
    /// All lanes, the most urgent first.
    pub const ALL: [Self; 5] = [Self::Control, Self::Raft, Self::Rpc, Self::Watch, Self::Bulk];

    /// Its place in [`Lane::ALL`].
    #[must_use]
    pub fn index(self) -> usize {
        match self {
            Self::Control => 0,
            Self::Raft => 1,
            Self::Rpc => 2,
            Self::Watch => 3,
            Self::Bulk => 4,
        }
    }

    /// As it stands in tables and messages.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::Raft => "raft",
            Self::Rpc => "rpc",
            Self::Watch => "watch",
            Self::Bulk => "bulk",
        }
    }

    /// Most bytes of the body of one frame. Entries of the log have up to 16 MiB, and a frame of
    /// Raft must be able to carry one; what is bigger elsewhere goes over a stream, in pieces.
    #[must_use]
    pub fn body_len_max(self) -> usize {
        match self {
            Self::Control => 1024 * 1024,
            Self::Raft => 17 * 1024 * 1024,
            Self::Rpc | Self::Watch | Self::Bulk => 4 * 1024 * 1024,
        }
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_lane_stands_at_its_index() {
        for (index, lane) in Lane::ALL.into_iter().enumerate() {
            assert_eq!(lane.index(), index);
        }
    }
}
