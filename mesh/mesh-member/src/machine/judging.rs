//! From silence to a verdict, and back.
//!
//! Way in: [`MembershipMachine::review`], [`MembershipMachine::adopt`].
//! Invariant: a member that is deaf, or dead to the others, reaches no verdict and takes none back.
//! Time and order: a verdict has a number ([`Standing::flips`]); the greater one wins everywhere,
//! whatever the order in which they come.

use std::{collections::BTreeMap, time::Duration};

use actors_core::{Mono, Now};

use super::{Deaf, MembershipMachine, Out, hearing::millis, member::Member};
use crate::{MemberEffect, MemberMessage, MemberState, Opinion, Standing, Timing, Verdict};

/// How often a member may come and go before more makes no difference: 2^6 s is over the maximum.
const DAMPING_LEVEL_MAX: u8 = 7;

/// What somebody holds of a member, and why.
pub(super) struct Word<'a> {
    pub(super) by: &'a str,
    pub(super) standing: Standing,
    /// Empty if the reasons did not come along.
    pub(super) evidence: Vec<Opinion>,
}

impl MembershipMachine {
    /// Looks at everybody: whom to ask about, whom to suspect, on whom to judge.
    pub(super) fn review(&mut self, now: Now, out: &mut Out) {
        if now.mono < self.calm_until {
            return;
        }
        self.review_self(now, out);
        let mut asks: BTreeMap<String, Vec<String>> = BTreeMap::new();
        // Whoever is well and was just heard needs no thought, nor does one whose silence means nothing.
        let hears_all = self.hears_all();
        let is_odd = |(_, member): &(&String, &Member)| {
            !member.is_fresh(now.mono) && (hears_all || member.votes || !member.is_well())
        };
        let nodes: Vec<String> =
            self.members.iter().filter(is_odd).map(|(node, _)| node.clone()).collect();
        for node in &nodes {
            self.review_standing(now, node, out);
            self.plan_asks(now.mono, node, &mut asks, out);
            self.review_state(now, node);
        }
        for (to, subjects) in asks {
            out.push(MemberEffect::Send { to, message: MemberMessage::Ask { subjects } });
        }
    }

    fn review_self(&mut self, now: Now, out: &mut Out) {
        let heard = self.majority_heard(now.mono);
        let is_deaf = now.mono.since(heard) >= Timing::SUSPECT;
        match (&mut self.deaf, is_deaf) {
            (None, true) => self.deaf = Some(Deaf { since: now.wall, heard }),
            (Some(deaf), true) => {
                deaf.heard = heard;
                return;
            }
            (None, false) => return,
            (Some(_), false) => {
                self.deaf = None;
                // While it was cut off, silence told of nobody but itself.
                let since = now.mono.0.saturating_sub(nanos(Timing::SILENCE_IN_DEAFNESS));
                for member in self.members.values_mut() {
                    member.listening_since = member.listening_since.max(Mono(since));
                }
            }
        }
        self.is_changed = true;
        // Others must know at once: they may still hear this member.
        self.beat(now.mono, out);
    }

    /// Whether silence of this member means anything here: judges listen to all, all to judges.
    fn watches(&self, node: &str) -> bool {
        self.hears_all() || self.is_voter(node)
    }

    /// Who does not hear its own majority has no opinion. Nor has one who is dead to the others: it
    /// may hear them, but it is not heard.
    fn may_judge(&self) -> bool {
        self.deaf.is_none() && self.judged.flips.is_multiple_of(2)
    }

    /// Reaches a verdict, or takes one back, if it is time.
    fn review_standing(&mut self, now: Now, node: &str, out: &mut Out) {
        self.note_return(now.mono, node);
        if !self.may_judge() || !self.hears_all() {
            return;
        }
        let Some(member) = self.members.get(node).filter(|member| !member.has_left) else {
            return;
        };
        if member.is_dead() {
            let wait = Timing::damping(member.damping);
            if member.back_since.is_some_and(|since| now.mono.since(since) >= wait) {
                self.flip(now, node, out);
            }
            return;
        }
        let silence = member.silence(now.mono);
        let was_heard_lately = member.quiet(now.mono) < Timing::AGREES;
        if silence < Timing::VERDICT.min(Timing::VERDICT_ALONE) || was_heard_lately {
            return;
        }
        let Some(electorate) = self.electorate(node) else { return };
        let agree = electorate.others.iter().filter(|by| member.agrees(by, now.mono)).count() + 1;
        let patience = match electorate.needed {
            0 | 1 => Timing::VERDICT_ALONE,
            _ => Timing::VERDICT,
        };
        // After a power cut nobody has heard of anybody: machines need time to come back.
        let patience = if member.was_heard_by_anyone() { patience } else { Timing::GRACE };
        if silence >= patience && agree >= electorate.needed {
            self.flip(now, node, out);
        }
    }

    fn note_return(&mut self, now: Mono, node: &str) {
        let Some(member) = self.members.get_mut(node).filter(|member| member.is_dead()) else {
            return;
        };
        let is_heard = member.is_heard_again(now);
        if is_heard != member.back_since.is_some() {
            member.back_since = is_heard.then_some(now);
            self.is_changed = true;
        }
    }

    /// Turns what stands about a member into its opposite, and tells everybody, itself included.
    fn flip(&mut self, now: Now, node: &str, out: &mut Out) {
        let by = self.me.node.clone();
        let Some(member) = self.members.get_mut(node) else { return };
        let mut standing = member.standing();
        standing.flips += 1;
        if standing.flips % 2 == 1 {
            let was_steady = now.mono.since(member.stands_since) >= Timing::MEMORY;
            let level = if was_steady { 0 } else { standing.damping };
            standing.damping = (level + 1).min(DAMPING_LEVEL_MAX);
        }
        let mut evidence = Vec::new();
        if standing.flips % 2 == 1 {
            evidence.push(own_opinion(&by, member, now));
            evidence.extend(fresh_opinions(member, now.mono));
        }
        let word = Word { by: &by, standing: standing.clone(), evidence: evidence.clone() };
        self.stand(now, word, out);
        self.tell_all(&MemberMessage::Verdict { standing, evidence }, out);
    }

    /// Takes over what others hold of a member, if it is newer than what stands here.
    pub(super) fn adopt(&mut self, now: Now, word: Word<'_>, out: &mut Out) {
        if !self.voters.is_empty() && !self.is_voter(word.by) {
            return;
        }
        if word.standing.node == self.me.node {
            return self.be_told(now, word, out);
        }
        self.stand(now, word, out);
    }

    fn stand(&mut self, now: Now, word: Word<'_>, out: &mut Out) {
        let Word { by, standing, evidence } = word;
        let Some(member) = self.members.get_mut(&standing.node) else { return };
        if standing.has_left && standing.incarnation >= member.info.started && !member.has_left {
            member.has_left = true;
            member.stands_since = now.mono;
            self.is_changed = true;
        }
        if standing.flips <= member.flips {
            return;
        }
        let was_dead = member.is_dead();
        member.flips = standing.flips;
        member.damping = standing.damping;
        member.stands_since = now.mono;
        member.back_since = None;
        member.lost = None;
        self.is_changed = true;
        if member.is_dead() {
            let evidence =
                if evidence.is_empty() { vec![told_by(by, member, now)] } else { evidence };
            member.state = MemberState::Dead { since: now.wall, evidence };
        } else {
            // Whoever took it back has heard it.
            member.third_hand = Some(now.mono);
            member.opinions.clear();
            member.state = MemberState::Alive;
        }
        if was_dead != member.is_dead() && !member.has_left {
            out.push(MemberEffect::Verdict(Verdict {
                node: standing.node,
                incarnation: member.info.started,
                state: member.state.clone(),
                by: by.to_owned(),
            }));
        }
    }

    /// Somebody told what judges hold of this very member.
    fn be_told(&mut self, now: Now, word: Word<'_>, out: &mut Out) {
        let Word { by, standing, evidence } = word;
        if standing.incarnation > self.me.started {
            self.outlive(standing.incarnation);
        }
        let judged = &mut self.judged;
        let has_left = standing.has_left && standing.incarnation >= self.me.started;
        if has_left && !judged.has_left {
            judged.has_left = true;
            self.is_changed = true;
        }
        if standing.flips <= judged.flips {
            return;
        }
        judged.flips = standing.flips;
        judged.since = now.wall;
        judged.evidence = evidence;
        self.is_changed = true;
        if standing.flips % 2 == 1 {
            // Whom it reaches should hear that it lives, without waiting for the next heartbeat.
            let message = self.heartbeat(now.mono);
            out.push(MemberEffect::Send { to: by.to_owned(), message });
        }
    }

    fn plan_asks(
        &mut self,
        now: Mono,
        node: &str,
        asks: &mut BTreeMap<String, Vec<String>>,
        out: &mut Out,
    ) {
        if !self.watches(node) {
            return;
        }
        let Some(member) = self.members.get_mut(node).filter(|member| member.is_present()) else {
            return;
        };
        let quiet = member.quiet(now);
        let is_asked =
            member.asked.is_some_and(|asked| now.since(asked) < Timing::ask_every(quiet));
        if quiet < Timing::ASK_AFTER || is_asked {
            return;
        }
        let begins = member.asked.is_none_or(|asked| now.since(asked) >= quiet);
        member.asked = Some(now);
        out.push(MemberEffect::Probe { peer: node.to_owned(), begins });
        // It is called itself: whatever comes back shows that it lives.
        asks.entry(node.to_owned()).or_default().push(node.to_owned());
        let electorate = self.electorate(node);
        for other in electorate.map(|electorate| electorate.others).unwrap_or_default() {
            if self.members.get(&other).is_some_and(Member::is_present) {
                asks.entry(other).or_default().push(node.to_owned());
            }
        }
    }

    /// What is believed of a member between verdicts.
    fn review_state(&mut self, now: Now, node: &str) {
        let watches = self.watches(node);
        let by = self.me.node.clone();
        let Some(member) = self.members.get_mut(node) else { return };
        let is_silent = watches && member.quiet(now.mono) >= Timing::SUSPECT;
        let wanted = match (&member.state, member.lost) {
            _ if member.has_left => MemberState::Left,
            (MemberState::Dead { .. }, _) if member.is_dead() => return,
            (MemberState::AgentLost { .. }, Some(_)) => return,
            (_, Some((_, since))) => {
                MemberState::AgentLost { since, evidence: vec![own_opinion(&by, member, now)] }
            }
            (MemberState::Suspect { evidence, .. }, None) if is_silent => {
                // More is told as more is heard; how long it takes is seen elsewhere.
                if evidence.len() > fresh_opinions(member, now.mono).count() {
                    return;
                }
                self.is_changed = true;
                suspect(&by, member, now)
            }
            (_, None) if is_silent => suspect(&by, member, now),
            (MemberState::Alive, None) => return,
            (_, None) => MemberState::Alive,
        };
        if wanted != member.state {
            member.state = wanted;
            self.is_changed = true;
        }
    }

    /// An operator, or the node itself, says that it is gone for good.
    pub(super) fn forget(&mut self, now: Now, node: &str, out: &mut Out) {
        let Some(member) = self.members.get_mut(node).filter(|member| !member.has_left) else {
            return;
        };
        member.has_left = true;
        member.stands_since = now.mono;
        let standing = member.standing();
        self.is_changed = true;
        self.tell_all(&MemberMessage::Verdict { standing, evidence: Vec::new() }, out);
    }

    pub(super) fn leave(&mut self, now: Now, out: &mut Out) {
        self.judged.has_left = true;
        self.judged.since = now.wall;
        self.is_changed = true;
        self.tell_all(&MemberMessage::Leaving { incarnation: self.me.started }, out);
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

fn suspect(by: &str, member: &Member, now: Now) -> MemberState {
    let mut evidence = vec![own_opinion(by, member, now)];
    evidence.extend(fresh_opinions(member, now.mono));
    let since = match &member.state {
        MemberState::Suspect { since, .. } => *since,
        _ => now.wall,
    };
    MemberState::Suspect { since, evidence }
}

fn fresh_opinions(member: &Member, now: Mono) -> impl Iterator<Item = Opinion> {
    let opinions = member.opinions.values();
    let fresh = opinions.filter(move |(at, _)| now.since(*at) <= Timing::OPINION_LASTS);
    fresh.map(|(_, opinion)| opinion.clone())
}

fn own_opinion(by: &str, member: &Member, now: Now) -> Opinion {
    Opinion {
        by: by.to_owned(),
        at: now.wall,
        silence_ms: millis(member.silence(now.mono)),
        was_heard: member.sound.is_some(),
        link: member.link.clone(),
    }
}

/// A verdict whose reasons did not come along: who told of it stands for them.
fn told_by(by: &str, member: &Member, now: Now) -> Opinion {
    Opinion { by: by.to_owned(), was_heard: false, ..own_opinion(by, member, now) }
}
