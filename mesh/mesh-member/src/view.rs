//! What is believed of members, with the evidence: for other parts of the process and for people.
//!
//! Way in: [`MemberView`].

use std::{fmt, sync::Arc, time::Duration};

use actors_core::{Mono, Wall};
use serde::{Deserialize, Serialize};

use crate::MemberInfo;

/// What this member believes of one member (of itself, too).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberView {
    /// What it says of itself, or said last.
    pub info: Arc<MemberInfo>,
    /// What is believed of it.
    pub state: MemberState,
    /// When it was last heard here, on this process's clock; `None` if it was not heard in this
    /// life of this process.
    pub heard: Option<Mono>,
    /// How long ago that was when this view was made; zero if it was never heard.
    pub heard_ago: Duration,
    /// How many verdicts about it were taken back because it was heard again.
    pub rejoined: u32,
    /// It is heard again after a verdict, but comes and goes: it must go on so long from when this
    /// was noticed until it counts as alive.
    pub damped: Option<Duration>,
    /// The link to it.
    pub links: LinkStanding,
}

/// What is believed of a member. Only [`MemberState::Dead`] is a verdict; only it moves work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum MemberState {
    /// It is heard, or heard by those whom this member asked.
    Alive,
    /// Its process is gone: it closed its link, or a new process answered in its place. What it ran
    /// may run on. If it is heard again before a verdict, nothing happened.
    AgentLost {
        /// When that was noticed.
        since: Wall,
        /// Who says what.
        evidence: Vec<Opinion>,
    },
    /// Nothing was heard of it for too long; others are being asked. Of this member itself: it does
    /// not hear enough others, and judges nobody until it does.
    Suspect {
        /// When that was noticed.
        since: Wall,
        /// Who says what.
        evidence: Vec<Opinion>,
    },
    /// The verdict: enough members have not heard of it for long enough, and none has.
    Dead {
        /// When the verdict was reached, or heard of.
        since: Wall,
        /// Who said what.
        evidence: Vec<Opinion>,
    },
    /// It said that it goes for good, or an operator had it forgotten.
    Left,
}

impl MemberState {
    /// One word, for tables: `alive`, `agent-lost`, `suspect`, `dead`, `left`.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::AgentLost { .. } => "agent-lost",
            Self::Suspect { .. } => "suspect",
            Self::Dead { .. } => "dead",
            Self::Left => "left",
        }
    }

    /// Who says what; empty where nothing is to be explained.
    #[must_use]
    pub fn evidence(&self) -> &[Opinion] {
        match self {
            Self::AgentLost { evidence, .. }
            | Self::Suspect { evidence, .. }
            | Self::Dead { evidence, .. } => evidence,
            Self::Alive | Self::Left => &[],
        }
    }

    /// Since when, if it is not alive and has not left.
    #[must_use]
    pub fn since(&self) -> Option<Wall> {
        match self {
            Self::AgentLost { since, .. }
            | Self::Suspect { since, .. }
            | Self::Dead { since, .. } => Some(*since),
            Self::Alive | Self::Left => None,
        }
    }

    /// Whether a verdict stands.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        matches!(self, Self::Dead { .. })
    }
}

/// What one member said of another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opinion {
    /// Who says it.
    pub by: String,
    /// When it was said, or arrived.
    pub at: Wall,
    /// For how long that member had heard nothing then, in milliseconds. If it never heard of it in
    /// its own life: for how long it has listened.
    pub silence_ms: u64,
    /// Whether that member ever heard it in its own life.
    pub was_heard: bool,
    /// How that member's link to it stands.
    pub link: LinkStanding,
}

impl fmt::Display for Opinion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (secs, tenths) = (self.silence_ms / 1_000, self.silence_ms / 100 % 10);
        match self.was_heard {
            true => write!(f, "{} heard it {secs}.{tenths} s before", self.by)?,
            false => write!(f, "{} has not heard it in {secs}.{tenths} s", self.by)?,
        }
        match &self.link {
            LinkStanding::None => Ok(()),
            LinkStanding::Up => f.write_str(", its link is up"),
            LinkStanding::Down { why, .. } => write!(f, ", its link {why}"),
        }
    }
}

/// How the link to a member stands.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum LinkStanding {
    /// There was none yet.
    #[default]
    None,
    /// It is up.
    Up,
    /// It ended.
    Down {
        /// How.
        why: LinkEnd,
        /// When.
        at: Wall,
    },
}

/// How a link ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum LinkEnd {
    /// The peer closed it in order: its process ends.
    Closed,
    /// Another process answered in the peer's place: its process was restarted.
    Reset,
    /// Nothing came from the peer for the link's idle time.
    Idle,
    /// The peer's identity was refused, or it refused ours.
    Refused(String),
    /// Anything else.
    Failed(String),
}

impl LinkEnd {
    /// Whether it tells that the peer's process is gone. Silence does not.
    #[must_use]
    pub fn is_process_gone(&self) -> bool {
        matches!(self, Self::Closed | Self::Reset)
    }
}

impl fmt::Display for LinkEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("was closed by it"),
            Self::Reset => f.write_str("was reset by a new process in its place"),
            Self::Idle => f.write_str("fell silent"),
            Self::Refused(why) => write!(f, "was refused: {why}"),
            Self::Failed(why) => write!(f, "failed: {why}"),
        }
    }
}

/// What happened to the link to a peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum LinkChange {
    /// It is up: the peer proved who it is just now.
    Up,
    /// It ended; a new one is being tried.
    Down {
        /// How.
        why: LinkEnd,
    },
}
