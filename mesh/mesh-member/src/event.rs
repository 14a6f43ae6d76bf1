//! What the machine can be told, what it wants done, and what members say to each other.
//!
//! Way in: [`MemberEvent`], [`MemberEffect`], [`MemberMessage`].

use actors_core::{Mono, Wall};
use mesh_wire::Role;
use serde::{Deserialize, Serialize};

use crate::{
    CarrierCommand, CarrierEvent, LinkChange, LinkStanding, MemberInfo, MemberState, MemberView,
    Opinion,
};

/// What can happen to a member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum MemberEvent {
    /// The time of a [`MemberEffect::Wake`] has come. The first one starts the machine.
    Tick,
    /// These were members before this process began: they are expected back.
    Known(Vec<MemberInfo>),
    /// What we say of ourselves changed. Node, role and incarnation are kept as they are.
    Info(MemberInfo),
    /// From the carrier.
    Carrier(CarrierEvent),
    /// The link to a peer came up or ended.
    Link {
        /// The peer's node.
        peer: String,
        /// What happened.
        change: LinkChange,
    },
    /// The answer to [`MemberEffect::Probe`]: something, anything, came over the link to this peer
    /// since the last probe of it.
    Stirred {
        /// The peer's node.
        peer: String,
    },
    /// A message of another member.
    Message {
        /// The node that sent it, as its certificate says.
        from: String,
        /// Its role, as its certificate says.
        role: Role,
        /// What it says.
        message: MemberMessage,
    },
    /// The nodes that vote in the store's Raft group: the judges. Servers know it themselves;
    /// agents are told by servers.
    Voters(Vec<String>),
    /// An operator says that this node is gone for good: it counts as having left, everywhere.
    Forget {
        /// Which.
        node: String,
    },
    /// This process leaves for good: it says so to all.
    Leave,
}

/// What a member wants done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum MemberEffect {
    /// For the carrier.
    Carrier(CarrierCommand),
    /// Send this to a member, now or never.
    Send {
        /// Its node.
        to: String,
        /// What to say.
        message: MemberMessage,
    },
    /// Deliver [`MemberEvent::Tick`] at this time.
    Wake {
        /// When.
        at: Mono,
    },
    /// Look whether anything came over the link to this peer since the last probe; if so say
    /// [`MemberEvent::Stirred`].
    Probe {
        /// The peer's node.
        peer: String,
        /// The first probe of a silence: it only begins to look. What came before was heard.
        begins: bool,
    },
    /// What is believed of all members changed.
    Publish(Vec<MemberView>),
    /// A verdict was reached, or heard of, or taken back.
    Verdict(Verdict),
}

/// A verdict about a member, or its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// About whom.
    pub node: String,
    /// About which life of it.
    pub incarnation: Wall,
    /// What is believed of it now: [`MemberState::Dead`], or [`MemberState::Alive`] if a verdict
    /// was taken back.
    pub state: MemberState,
    /// Who reached it; this member itself, if it did.
    pub by: String,
}

/// What members say to each other, straight over their links.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum MemberMessage {
    /// Who the sender is, in full: when a link comes up, and when it changes.
    Hello {
        /// What it says of itself.
        info: MemberInfo,
        /// The judges, as a server knows them; empty if it does not.
        voters: Vec<String>,
        /// Whether the receiver should say the same of itself.
        wants_answer: bool,
    },
    /// The sender is alive.
    Heartbeat {
        /// Its life.
        incarnation: Wall,
        /// If it does not hear enough others: for how long, in milliseconds. What it says of others
        /// counts for nothing then, and that it can be heard is no sign that it can be reached.
        deaf_ms: Option<u64>,
        /// From judges: verdicts that stand, and those that were taken back lately.
        standings: Vec<Standing>,
    },
    /// When did you hear of these last?
    Ask {
        /// About whom.
        subjects: Vec<String>,
    },
    /// What the sender knows of those it was asked about.
    Answer {
        /// As [`MemberMessage::Heartbeat`] has it.
        deaf_ms: Option<u64>,
        /// One for each subject that the sender knows.
        opinions: Vec<OpinionOf>,
    },
    /// A verdict, with what it rests on; sent once to all when it is reached.
    Verdict {
        /// About whom, and its number.
        standing: Standing,
        /// Who said what.
        evidence: Vec<Opinion>,
    },
    /// The sender leaves for good.
    Leaving {
        /// Its life.
        incarnation: Wall,
    },
}

/// What judges hold of a member, numbered so that the newest wins everywhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Its node.
    pub node: String,
    /// The life that it was last seen in.
    pub incarnation: Wall,
    /// How many verdicts were reached and taken back: odd while one stands. The greater wins.
    pub flips: u32,
    /// How often it came and went lately: what it must wait grows with it.
    pub damping: u8,
    /// It left for good in that life; wins over any verdict about it.
    pub has_left: bool,
}

/// What one member knows of another, for whoever asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpinionOf {
    /// About whom.
    pub subject: String,
    /// The life in which it was heard last.
    pub incarnation: Wall,
    /// For how long it was silent, in milliseconds; see [`Opinion::silence_ms`].
    pub silence_ms: u64,
    /// See [`Opinion::was_heard`].
    pub was_heard: bool,
    /// How long ago another member had heard it that told the sender so itself, in milliseconds:
    /// for receivers that cannot reach that one. Passed on once, so that it does not echo.
    pub elsewhere_ms: Option<u64>,
    /// How the link to it stands.
    pub link: LinkStanding,
}
