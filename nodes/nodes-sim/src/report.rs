//! What came of a run: its number, what it covered, and the verdict.
//!
//! Way in: [`Report`].  Invariant: a report names the one command that replays its run.

use std::{collections::BTreeMap, fmt, time::Duration};

use actors_sim::DiskTally;

use crate::record::Counts;

/// What must never happen, whatever goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Invariant {
    /// What clients were told is what one store could have told them, one request at a time.
    Linearizable,
    /// A watch shows every change once and in order.
    WatchesComplete,
    /// Two replicas that applied the same index are the same.
    ReplicasAgree,
    /// Whoever was told that something is on disk finds it there.
    DiskHolds,
    /// What is committed can be applied.
    EntriesApply,
    /// One leader a term.
    OneLeader,
    /// Nothing changes an object but through the door.
    ThroughTheDoor,
    /// Control loops write what they declare.
    DeclaredWrites,
    /// Nobody is refused for what the caller did right.
    AnswersMakeSense,
    /// Never more pods of a set than it asked for, none bound twice, no uid given twice.
    PodsAsWanted,
    /// Of the pods of a fenced Deployment of one replica never two run at once.
    FencedOnce,
    /// Nothing is replaced for the loss of an agent's process that is soon back.
    NothingReplaced,
    /// The end of a watched life is told once, always.
    DownOnce,
    /// A key is awake once.
    OneActivation,
    /// A key remembers what it saved.
    RecordsLast,
    /// A timer dies with its life.
    TimersDie,
    /// Two lives of one actor never overlap.
    OneLife,
    /// No machine panics.
    NoPanic,
    /// A schedule keeps the budget of its plan.
    WithinBudget,
    /// Everything becomes what was asked for, once the faults are over.
    Converges,
}

impl Invariant {
    /// All of them.
    pub const ALL: [Self; 20] = [
        Self::Linearizable,
        Self::WatchesComplete,
        Self::ReplicasAgree,
        Self::DiskHolds,
        Self::EntriesApply,
        Self::OneLeader,
        Self::ThroughTheDoor,
        Self::DeclaredWrites,
        Self::AnswersMakeSense,
        Self::PodsAsWanted,
        Self::FencedOnce,
        Self::NothingReplaced,
        Self::DownOnce,
        Self::OneActivation,
        Self::RecordsLast,
        Self::TimersDie,
        Self::OneLife,
        Self::NoPanic,
        Self::WithinBudget,
        Self::Converges,
    ];

    /// What verdicts call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Linearizable => "linearizable",
            Self::WatchesComplete => "watches-complete",
            Self::ReplicasAgree => "replicas-agree",
            Self::DiskHolds => "disk-holds",
            Self::EntriesApply => "entries-apply",
            Self::OneLeader => "one-leader",
            Self::ThroughTheDoor => "through-the-door",
            Self::DeclaredWrites => "declared-writes",
            Self::AnswersMakeSense => "answers-make-sense",
            Self::PodsAsWanted => "pods-as-wanted",
            Self::FencedOnce => "fenced-once",
            Self::NothingReplaced => "nothing-replaced",
            Self::DownOnce => "down-once",
            Self::OneActivation => "one-activation",
            Self::RecordsLast => "records-last",
            Self::TimersDie => "timers-die",
            Self::OneLife => "one-life",
            Self::NoPanic => "no-panic",
            Self::WithinBudget => "within-budget",
            Self::Converges => "converges",
        }
    }

    /// The one of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|invariant| invariant.name() == name)
    }
}

/// Something that must never happen, and did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// What it breaks.
    pub invariant: Invariant,
    /// The virtual time at which it was seen.
    pub at: Duration,
    /// What happened.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (invariant, at) = (self.invariant.name(), self.at.as_secs_f64());
        write!(f, "{invariant} is violated at {at:.9} s: {}", self.what)
    }
}

/// What became of one fault point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Coverage {
    /// Which.
    pub site: &'static str,
    /// Whether the run came by.
    pub is_reached: bool,
    /// How often it fired.
    pub fired: u64,
}

/// What came of a run.
#[derive(Debug, Clone)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// The name of the plan.
    pub plan: String,
    /// One number for everything that happened.
    pub hash: u64,
    /// How much virtual time passed.
    pub elapsed: Duration,
    /// How many events were delivered.
    pub events: u64,
    /// By kind, how many faults began and how many were felt.
    pub faults: BTreeMap<&'static str, (u64, u64)>,
    /// How often leadership changed.
    pub leader_changes: u64,
    /// How many different servers led.
    pub leaders: usize,
    /// How many operations and watch events were judged.
    pub judged: usize,
    /// How much of what happened.
    pub counts: Counts,
    /// What disks did.
    pub disks: DiskTally,
    /// Every fault point of this world.
    pub coverage: Vec<Coverage>,
    /// What must never happen, and did.
    pub violations: Vec<Violation>,
    /// What is odd.
    pub notes: Vec<String>,
    /// The last things that happened, if lines were kept.
    pub lines: Vec<String>,
}

impl Report {
    /// A seed counts only if it covers at least this much virtual time,
    pub const ELAPSED_MIN: Duration = Duration::from_secs(60);
    /// this many faults that were felt,
    pub const FELT_MIN: u64 = 20;
    /// and this many changes of leadership.
    pub const LEADER_CHANGES_MIN: u64 = 1;

    /// How many faults were felt.
    #[must_use]
    pub fn felt(&self) -> u64 {
        self.faults.values().map(|(_, felt)| felt).sum()
    }

    /// Whether the seed covers enough to count.
    #[must_use]
    pub fn counts(&self) -> bool {
        self.elapsed >= Self::ELAPSED_MIN
            && self.felt() >= Self::FELT_MIN
            && self.leader_changes >= Self::LEADER_CHANGES_MIN
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.violations.is_empty()
    }

    /// The one command that runs this again.
    #[must_use]
    pub fn command(&self) -> String {
        command(self.seed, &self.plan)
    }
}

/// The one command that runs a seed of a plan.
#[must_use]
pub fn command(seed: u64, plan: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-._/".contains(letter);
    if plan.chars().all(is_plain) {
        return format!("starling sim run --seed {seed} --plan {plan}");
    }
    // As a POSIX shell quotes it.
    format!("starling sim run --seed {seed} --plan '{}'", plan.replace('\'', r"'\''"))
}
