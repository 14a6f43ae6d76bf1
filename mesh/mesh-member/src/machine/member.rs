//! What a member keeps of one other member.
//!
//! Way in: [`Member`].
//! Invariants: 1. no time in it is later than now.  2. opinions are of members, so at most as many.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use actors_core::{Mono, Wall};

use crate::{LinkStanding, MemberInfo, MemberState, Opinion, Standing, Timing};

/// One other member.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) info: Arc<MemberInfo>,
    /// Whether it is a judge.
    pub(super) votes: bool,
    /// What was last published of it.
    pub(super) state: MemberState,
    /// Silence is counted from here at the earliest: since it is known, since it began a new life,
    /// since this process hears its own majority again.
    pub(super) listening_since: Mono,
    /// When anything came from it last.
    pub(super) heard: Option<Mono>,
    /// When it last could both be heard and hear.
    pub(super) sound: Option<Mono>,
    /// It said so last: it does not hear enough others.
    pub(super) is_deaf: bool,
    /// When a member that was asked had heard it last.
    pub(super) second_hand: Option<Mono>,
    /// When a member had heard it that told so to one that was asked.
    pub(super) third_hand: Option<Mono>,
    pub(super) link: LinkStanding,
    /// When its process was found to be gone, if it was not heard since.
    pub(super) lost: Option<(Mono, Wall)>,
    /// What was answered about it, by whom.
    pub(super) opinions: BTreeMap<String, (Mono, Opinion)>,
    /// When others were asked last.
    pub(super) asked: Option<Mono>,
    /// See [`Standing::flips`].
    pub(super) flips: u32,
    /// See [`Standing::damping`].
    pub(super) damping: u8,
    /// See [`Standing::has_left`].
    pub(super) has_left: bool,
    /// When one of these three changed last.
    pub(super) stands_since: Mono,
    /// While a verdict stands: since when it is heard again.
    pub(super) back_since: Option<Mono>,
    /// When it was sent a heartbeat last.
    pub(super) beaten: Option<Mono>,
    /// That one was an answer to its own.
    pub(super) is_echo: bool,
}

impl Member {
    pub(super) fn new(info: MemberInfo, votes: bool, now: Mono) -> Self {
        Self {
            info: Arc::new(info),
            votes,
            state: MemberState::Alive,
            listening_since: now,
            heard: None,
            sound: None,
            is_deaf: false,
            second_hand: None,
            third_hand: None,
            link: LinkStanding::None,
            lost: None,
            opinions: BTreeMap::new(),
            asked: None,
            flips: 0,
            damping: 0,
            has_left: false,
            stands_since: now,
            back_since: None,
            beaten: None,
            is_echo: false,
        }
    }

    /// Whether a heartbeat of its own was answered lately, so that the next one surely comes before
    /// this one's silence is noticed.
    pub(super) fn is_answered(&self, now: Mono) -> bool {
        let is_fresh = |at: Mono| now.since(at) < Timing::ANSWERED_FOR;
        self.is_echo && self.beaten.is_some_and(is_fresh)
    }

    /// Whether it is sent the heartbeats of a member that is a judge, or not.
    pub(super) fn listens_to(&self, is_judge: bool) -> bool {
        !self.has_left && (is_judge || self.votes)
    }

    /// Whether a verdict about it stands.
    pub(super) fn is_dead(&self) -> bool {
        self.flips % 2 == 1
    }

    /// Whether it may take part: it has not left, and no verdict stands.
    pub(super) fn is_present(&self) -> bool {
        !self.has_left && !self.is_dead()
    }

    /// Whether nothing is held against it.
    pub(super) fn is_well(&self) -> bool {
        self.is_present() && self.lost.is_none() && self.state == MemberState::Alive
    }

    /// For how long this process could not both hear it and be heard by it.
    pub(super) fn silence(&self, now: Mono) -> Duration {
        now.since(self.sounded())
    }

    /// Since when it is silent.
    fn sounded(&self) -> Mono {
        self.listening_since.max(self.sound.unwrap_or_default())
    }

    /// For how long nobody could, as far as is known here.
    pub(super) fn quiet(&self, now: Mono) -> Duration {
        let elsewhere = self.second_hand.max(self.third_hand).unwrap_or_default();
        self.silence(now).min(now.since(elsewhere))
    }

    /// Something came from it, and its word is that it hears enough others.
    pub(super) fn hear(&mut self, now: Mono) {
        self.heard = Some(now);
        if !self.is_deaf {
            self.sound = Some(now);
            self.lost = None;
        }
    }

    /// Something came from it that says whether it hears enough others.
    pub(super) fn hear_whether_deaf(&mut self, now: Mono, deaf_ms: Option<u64>) {
        self.is_deaf = deaf_ms.is_some();
        self.hear(now);
        if let Some(deaf_ms) = deaf_ms {
            // Until then it was heard and could hear: no longer. It does not matter that it sounded
            // well a moment ago.
            let then = Mono(now.0.saturating_sub(deaf_ms.saturating_mul(1_000_000)));
            self.sound = self.sound.map(|sound| sound.min(then));
            self.lost = None;
        }
    }

    /// A new process of this node.
    pub(super) fn begin_life(&mut self, info: MemberInfo, now: Mono) {
        if info.started > self.info.started {
            self.listening_since = now;
            self.lost = None;
            self.is_deaf = false;
            self.opinions.clear();
            if self.has_left {
                self.has_left = false;
                self.stands_since = now;
            }
        }
        self.info = Arc::new(info);
    }

    /// Time in which this process did not run is nobody's silence.
    pub(super) fn shift(&mut self, by: Duration, now: Mono) {
        let heard = [&mut self.heard, &mut self.sound, &mut self.second_hand, &mut self.third_hand];
        let times = heard.into_iter().flatten().chain([&mut self.listening_since]);
        for at in times {
            *at = at.after(by).min(now);
        }
    }

    /// Whether somebody who was asked has heard nothing of it for long enough.
    pub(super) fn agrees(&self, by: &str, now: Mono) -> bool {
        self.opinions.get(by).is_some_and(|(at, opinion)| {
            now.since(*at) <= Timing::AGREEMENT_LASTS
                && Duration::from_millis(opinion.silence_ms) >= Timing::AGREES
        })
    }

    /// Whether anybody ever heard it, here or among those who were asked.
    pub(super) fn was_heard_by_anyone(&self) -> bool {
        self.sound.is_some() || self.opinions.values().any(|(_, opinion)| opinion.was_heard)
    }

    /// Whether nothing is held against it, and nothing needs to be thought of its silence yet.
    pub(super) fn is_fresh(&self, now: Mono) -> bool {
        const QUIET: u64 = Timing::QUIET.as_millis() as u64 * 1_000_000;
        now.0.saturating_sub(self.sounded().0) < QUIET && self.is_well()
    }

    /// When it may be looked at again if nothing comes from it, as [`Self::due`] has it, and before
    /// when there is nothing to be thought about it, if it is not heard while it is silent, and what
    /// is heard of it otherwise is that it hears enough others. `is_watched` is whether its silence
    /// means anything.
    pub(super) fn outlook(&self, now: Mono, is_watched: bool) -> (Option<Mono>, Mono) {
        const NEVER: Mono = Mono(u64::MAX);
        if self.is_fresh(now) {
            return (None, self.sounded().after(Timing::QUIET));
        }
        let due = self.due(now);
        let is_back = self.back_since.is_some() || self.is_heard_again(now);
        let calm_until = match &self.state {
            MemberState::Left if self.has_left && !(self.is_dead() && is_back) => NEVER,
            MemberState::Dead { .. } if self.is_dead() && !is_back => NEVER,
            // It is silent, and that means nothing.
            MemberState::Alive if self.is_well() && self.asked.is_none() && !is_watched => {
                due.unwrap_or(NEVER)
            }
            _ => Mono::default(),
        };
        (due, calm_until)
    }

    /// Heard after the verdict: whoever heard it shortly before has only heard the last of it.
    pub(super) fn is_heard_again(&self, now: Mono) -> bool {
        self.sound
            .is_some_and(|sound| sound >= self.stands_since && now.since(sound) < Timing::SUSPECT)
    }

    pub(super) fn standing(&self) -> Standing {
        Standing {
            node: self.info.node.clone(),
            incarnation: self.info.started,
            flips: self.flips,
            damping: self.damping,
            has_left: self.has_left,
        }
    }

    /// When it may be looked at again, if nothing comes from it; `None` if that need not be before
    /// the next heartbeat.
    pub(super) fn due(&self, now: Mono) -> Option<Mono> {
        if self.has_left {
            return None;
        }
        if self.is_dead() {
            let back = self.back_since.map(|since| since.after(Timing::damping(self.damping)));
            return back.filter(|at| *at > now);
        }
        let (silence, quiet) = (self.silence(now), self.quiet(now));
        if silence < Timing::QUIET || (quiet > Timing::VERDICT_ALONE && self.asked.is_none()) {
            return None;
        }
        let of_quiet =
            [Timing::ASK_AFTER, Timing::SUSPECT, Timing::AGREES].map(|step| (step, quiet));
        let of_silence = [Timing::VERDICT, Timing::VERDICT_ALONE].map(|step| (step, silence));
        let steps = of_quiet.into_iter().chain(of_silence);
        let step = steps.filter_map(|(step, passed)| step.checked_sub(passed));
        let step = step.filter(|left| !left.is_zero()).map(|left| now.after(left)).min();
        let ask = self.asked.map(|asked| asked.after(Timing::ask_every(quiet)));
        let ask = ask.filter(|at| *at > now && quiet >= Timing::ASK_AFTER);
        step.into_iter().chain(ask).min()
    }
}
