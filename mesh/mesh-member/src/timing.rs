//! How long everything takes: the numbers behind "a verdict within three and a half seconds".
//!
//! Way in: [`Timing`].  Never: a number about time elsewhere in this crate.
//! A heartbeat a second to each other, one answering the other, so that an idle process wakes once a
//! second to speak. A member dies at a random point of its second; so it was last heard 0 to 1 s
//! before, and its verdict comes 2.0 to 3.0 s after the fault (3.2 s where one judges alone), beside
//! what the network takes. Two lost heartbeats in a row make a suspect at most: before that it was
//! asked for.

use std::time::Duration;

/// The times that members keep. All members of a mesh keep the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing;

impl Timing {
    /// Between two heartbeats to the same member: a second, less what an answer may be late by.
    pub const BEAT: Duration = Duration::from_millis(960);
    /// Who hears a heartbeat and has not spoken for so long answers with its own: what carries it also
    /// acknowledges the other one, and both need no times of their own.
    pub const ECHO_AFTER: Duration = Duration::from_millis(500);
    /// Who was answered so lately is not spoken to unasked. If it falls silent then, it hears nothing
    /// for this and a heartbeat's time, which is less than makes a suspect.
    pub const ANSWERED_FOR: Duration = Duration::from_millis(750);
    /// A member that is silent for longer than a heartbeat may take is watched more closely.
    pub const QUIET: Duration = Duration::from_millis(1_250);
    /// After so much silence the member is called and the others are asked.
    pub const ASK_AFTER: Duration = Duration::from_millis(1_500);
    /// And again so often, for the first ten seconds.
    pub const ASK_EVERY: Duration = Duration::from_millis(300);
    /// After so much silence, here and from those who answered, it is a suspect. Whoever has not
    /// heard its own majority for so long is deaf: it judges nobody.
    pub const SUSPECT: Duration = Duration::from_millis(2_000);
    /// So much silence here makes a verdict, if enough others agree.
    pub const VERDICT: Duration = Duration::from_millis(3_000);
    /// So much silence here makes a verdict where nobody else has a say.
    pub const VERDICT_ALONE: Duration = Duration::from_millis(3_200);
    /// Who has heard nothing for so long agrees to a verdict; and whoever has heard it within this
    /// time, and says so, prevents one. Less than [`Timing::VERDICT`] by what two members' last
    /// hearings and the way of an answer may differ.
    pub const AGREES: Duration = Duration::from_millis(2_400);
    /// An agreement counts for so long, and is asked for again meanwhile.
    pub const AGREEMENT_LASTS: Duration = Duration::from_millis(700);
    /// An opinion is told as evidence for so long.
    pub const OPINION_LASTS: Duration = Duration::from_millis(1_000);
    /// Whoever was deaf counts at most so much of it as others' silence: what is left until a
    /// verdict is enough for an answer of everybody who lives.
    pub const SILENCE_IN_DEAFNESS: Duration = Duration::from_millis(2_100);
    /// A member that nobody has heard in this life of theirs is given so long: after a power cut
    /// machines do not come back together.
    pub const GRACE: Duration = Duration::from_secs(15);
    /// A wake-up that is late by more than this tells that this process did not run; that time was
    /// nobody's silence.
    pub const LATE: Duration = Duration::from_millis(250);
    /// How long dead and departed members are remembered, and verdicts that were taken back told.
    pub const MEMORY: Duration = Duration::from_secs(600);
    /// The longest that a member which comes and goes must be heard before it counts as alive.
    pub const DAMPING_MAX: Duration = Duration::from_secs(60);

    /// How often others are asked about a member that nobody has heard for so long: ever more
    /// seldom, for where no verdict can be reached this goes on.
    #[must_use]
    pub fn ask_every(quiet: Duration) -> Duration {
        match quiet.as_secs() {
            0..10 => Self::ASK_EVERY,
            10..60 => Duration::from_secs(1),
            _ => Duration::from_secs(5),
        }
    }

    /// How long a member must be heard before its verdict is taken back: at once the first time,
    /// then 2 s, 4 s, 8 s and so on.
    #[must_use]
    pub fn damping(level: u8) -> Duration {
        match level {
            0 | 1 => Duration::ZERO,
            level => Duration::from_secs(1 << (level - 1).min(6)).min(Self::DAMPING_MAX),
        }
    }
}
