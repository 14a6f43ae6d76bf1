//! The kinds of faults, and whom they hit.
//!
//! Way in: [`FaultKind`].

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

/// Whom a fault hits; resolved when it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Target {
    /// The server that leads then; any server if none does.
    Leader,
    /// One of the servers that do not lead then, by its place among them.
    Follower(u8),
    /// One server, by its number, whether it leads or not.
    Server(u8),
    /// One machine that runs pods.
    Agent(u8),
    /// The machine that runs the pod which must never run twice; any machine that runs pods if
    /// none does.
    Fenced,
}

/// Which way of a link is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Way {
    /// Neither hears the other.
    Both,
    /// The second does not hear the first; the first hears the second.
    One,
}

/// The rhythm of a cut that comes and goes; it begins cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rhythm {
    /// How long messages are lost.
    pub cut: Duration,
    /// How long they pass.
    pub open: Duration,
}

impl Rhythm {
    /// Several times a second, as [`FaultKind::Flap`] has it.
    pub const USUAL: Self =
        Self { cut: Duration::from_millis(120), open: Duration::from_millis(180) };
}

/// One thing that goes wrong for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FaultKind {
    /// A machine loses its power, and with it what its disk had not synced; at the end it starts
    /// again.
    Crash(Target),
    /// A machine loses its power right behind one of its next events, however close the one after
    /// that is; at the end it starts again.
    CrashAfter {
        /// Which machine.
        target: Target,
        /// Behind how many events, at least 1; not at all if fewer happen before the end.
        events: u32,
    },
    /// A machine loses its power in the middle of what one of its next events brings about: some of it
    /// is done, the rest never is; at the end it starts again.
    CrashAmid {
        /// Which machine.
        target: Target,
        /// In which of the events that bring about several things, at least 1.
        events: u32,
    },
    /// All servers lose their power at the same instant; at the end they start again.
    PowerCut,
    /// A machine can reach nobody and nobody it.
    Isolate(Target),
    /// A machine is heard by the others but hears nothing from them.
    Deaf(Target),
    /// A machine hears the others but is not heard by them.
    Mute(Target),
    /// A machine stands still; at the end it goes on as if nothing had happened, and all that
    /// should have happened meanwhile happens to it at once.
    Pause(Target),
    /// The process on a machine is killed; what it runs goes on. At the end it is started again.
    LoseProcess(Target),
    /// A machine's links come and go several times a second.
    Flap(Target),
    /// Two machines lose each other, or one of them the other; both reach everybody else.
    Unlink {
        /// Whose messages are lost.
        from: Target,
        /// Who does not hear them.
        to: Target,
        /// Whether messages back are lost too.
        way: Way,
        /// If set, the cut comes and goes.
        rhythm: Option<Rhythm>,
    },
    /// Some of all messages are lost.
    Loss {
        /// How many of a million.
        per_million: u32,
    },
    /// Some of all messages arrive twice.
    Duplicate {
        /// How many of a million.
        per_million: u32,
    },
    /// Some of all messages arrive twice or late, overtaken by others.
    Jumble {
        /// How many of a million, of each sort.
        per_million: u32,
    },
    /// All messages take up to this long.
    SlowNet {
        /// The longest way.
        latency_max: Duration,
    },
    /// Every sync of a server's disk takes long.
    SlowDisk(Target),
    /// Some syncs of a server's disk hang for longer than a leader may wait.
    StallDisk(Target),
    /// A server's disk refuses writes for want of room.
    FullDisk(Target),
    /// Some syncs of a server's disk fail.
    FailDisk(Target),
    /// A machine's wall clock jumps, and jumps back at the end.
    ClockJump {
        /// Whose.
        target: Target,
        /// How far; negative is back.
        by_ms: i64,
    },
    /// A machine's clocks run faster than true time; what they gained or lost stays.
    ClockSkew {
        /// Whose.
        target: Target,
        /// By how many millionths; negative is slower, above -1,000,000.
        ppm: i32,
    },
}

impl Target {
    /// Whether it is a machine that runs pods.
    #[must_use]
    pub fn is_agent(&self) -> bool {
        matches!(self, Self::Agent(_) | Self::Fenced)
    }
}

/// What a fault takes from the group of servers while it lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing that a quorum needs.
    Harmless,
    /// Everything is slower or repeated, nothing is impossible.
    Slows,
    /// One server may be as good as gone.
    TakesOne,
    /// All servers are gone.
    TakesAll,
}

impl FaultKind {
    /// What it takes from the servers.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match self {
            Self::PowerCut => Severity::TakesAll,
            Self::Crash(target)
            | Self::CrashAfter { target, .. }
            | Self::CrashAmid { target, .. }
            | Self::Isolate(target)
            | Self::Deaf(target)
            | Self::Mute(target)
            | Self::Pause(target)
            | Self::LoseProcess(target)
            | Self::Flap(target) => {
                if target.is_agent() {
                    Severity::Harmless
                } else {
                    Severity::TakesOne
                }
            }
            Self::Unlink { from, to, .. } => {
                if from.is_agent() || to.is_agent() {
                    Severity::Harmless
                } else {
                    Severity::TakesOne
                }
            }
            Self::SlowDisk(_) | Self::StallDisk(_) | Self::FullDisk(_) | Self::FailDisk(_) => {
                Severity::TakesOne
            }
            Self::Loss { .. }
            | Self::Duplicate { .. }
            | Self::Jumble { .. }
            | Self::SlowNet { .. } => Severity::Slows,
            Self::ClockJump { .. } | Self::ClockSkew { .. } => Severity::Harmless,
        }
    }

    /// The names of all kinds.
    pub const NAMES: [&'static str; 27] = [
        "agent crash",
        "crash",
        "crash between two events",
        "crash amid effects",
        "power cut",
        "agent cut off",
        "partition",
        "agent deaf",
        "one-way partition",
        "agent mute",
        "one-way partition outwards",
        "agent pause",
        "pause",
        "agent's process lost",
        "flapping links",
        "one-way cut of a link",
        "cut of a link",
        "loss",
        "duplication",
        "jumbled messages",
        "slow network",
        "slow disk",
        "stalled disk",
        "full disk",
        "failed syncs",
        "clock jump",
        "clock skew",
    ];

    /// The name of its kind, for tables.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Crash(Target::Agent(_) | Target::Fenced) => "agent crash",
            Self::Crash(_) => "crash",
            Self::CrashAfter { .. } => "crash between two events",
            Self::CrashAmid { .. } => "crash amid effects",
            Self::PowerCut => "power cut",
            Self::Isolate(Target::Agent(_) | Target::Fenced) => "agent cut off",
            Self::Isolate(_) => "partition",
            Self::Deaf(Target::Agent(_) | Target::Fenced) => "agent deaf",
            Self::Deaf(_) => "one-way partition",
            Self::Mute(Target::Agent(_) | Target::Fenced) => "agent mute",
            Self::Mute(_) => "one-way partition outwards",
            Self::Pause(Target::Agent(_) | Target::Fenced) => "agent pause",
            Self::Pause(_) => "pause",
            Self::LoseProcess(_) => "agent's process lost",
            Self::Flap(_) => "flapping links",
            Self::Unlink { way: Way::One, .. } => "one-way cut of a link",
            Self::Unlink { .. } => "cut of a link",
            Self::Loss { .. } => "loss",
            Self::Duplicate { .. } => "duplication",
            Self::Jumble { .. } => "jumbled messages",
            Self::SlowNet { .. } => "slow network",
            Self::SlowDisk(_) => "slow disk",
            Self::StallDisk(_) => "stalled disk",
            Self::FullDisk(_) => "full disk",
            Self::FailDisk(_) => "failed syncs",
            Self::ClockJump { .. } => "clock jump",
            Self::ClockSkew { .. } => "clock skew",
        }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
