//! What other members say, and what that tells of them.
//!
//! Way in: [`MembershipMachine::handle_message`].

use std::collections::BTreeSet;

use actors_core::{Mono, Now};
use mesh_wire::Role;

use super::{MembershipMachine, Out, judging::Word, member::Member};
use crate::{MemberEffect, MemberInfo, MemberMessage, Opinion, OpinionOf};

/// Who sent a message, as its certificate says.
pub(super) struct Sender {
    pub(super) node: String,
    pub(super) role: Role,
}

impl MembershipMachine {
    /// Takes a message; says whether others must be looked at again because of it.
    pub(super) fn handle_message(
        &mut self,
        now: Now,
        from: Sender,
        message: MemberMessage,
        out: &mut Out,
    ) -> bool {
        if from.node == self.me.node {
            return false;
        }
        match message {
            MemberMessage::Hello { info, voters, wants_answer } => {
                let known = self.elections;
                self.handle_hello(now.mono, &from, info, voters);
                if self.elections != known {
                    self.seek_voters(now.mono, out);
                }
                if wants_answer {
                    self.say_hello(&from.node, false, out);
                }
                false
            }
            MemberMessage::Heartbeat { incarnation, deaf_ms, standings } => {
                let known = self.members.get_mut(&from.node);
                let Some(member) = known.filter(|member| member.info.started >= incarnation) else {
                    // A new member, or a new life of one: it shall say who it is.
                    self.say_hello(&from.node, true, out);
                    return false;
                };
                if member.has_left || member.info.started != incarnation {
                    self.tell_of_itself(&from.node, out);
                    return false;
                }
                let was_odd = member.is_deaf || member.state != crate::MemberState::Alive;
                member.hear_whether_deaf(now.mono, deaf_ms);
                let is_odd = was_odd || member.is_deaf;
                self.echo(&from.node, now.mono, out);
                let told = standings.len();
                for standing in standings {
                    let word = Word { by: &from.node, standing, evidence: Vec::new() };
                    self.adopt(now, word, out);
                }
                is_odd || told > 0 || self.deaf.is_some()
            }
            MemberMessage::Ask { subjects } => {
                self.hear(&from.node, now.mono);
                self.answer(now, &from.node, &subjects, out);
                false
            }
            MemberMessage::Answer { deaf_ms, opinions } => {
                if let Some(member) = self.present(&from.node) {
                    member.hear_whether_deaf(now.mono, deaf_ms);
                }
                if deaf_ms.is_none() {
                    for opinion in opinions {
                        self.take_opinion(now, &from.node, opinion);
                    }
                }
                true
            }
            MemberMessage::Verdict { standing, evidence } => {
                self.hear(&from.node, now.mono);
                self.adopt(now, Word { by: &from.node, standing, evidence }, out);
                true
            }
            MemberMessage::Leaving { incarnation } => {
                let member = self.members.get_mut(&from.node);
                if let Some(member) = member.filter(|one| one.info.started <= incarnation) {
                    member.has_left = true;
                    member.stands_since = now.mono;
                    self.is_changed = true;
                }
                true
            }
        }
    }

    /// A member speaks as a life that is over or has left, as known here: it should know.
    fn tell_of_itself(&self, node: &str, out: &mut Out) {
        let Some(member) = self.members.get(node) else { return };
        let message = MemberMessage::Verdict { standing: member.standing(), evidence: Vec::new() };
        out.push(MemberEffect::Send { to: node.to_owned(), message });
    }

    fn present(&mut self, node: &str) -> Option<&mut Member> {
        self.members.get_mut(node).filter(|member| !member.has_left)
    }

    fn hear(&mut self, node: &str, now: Mono) {
        if let Some(member) = self.present(node) {
            member.hear(now);
        }
    }

    fn handle_hello(&mut self, now: Mono, from: &Sender, info: MemberInfo, voters: Vec<String>) {
        // What a certificate proves cannot be claimed otherwise.
        if info.node != from.node || info.role != from.role {
            return;
        }
        let started = info.started;
        if !self.learn(info, now) {
            return;
        }
        if let Some(member) = self.present(&from.node).filter(|one| one.info.started == started) {
            member.hear(now);
            if member.link == crate::LinkStanding::None {
                member.link = crate::LinkStanding::Up;
            }
        }
        if from.role == Role::Server && !self.knows_voters && !voters.is_empty() {
            let voters: BTreeSet<String> = voters.into_iter().take(Self::KNOWN_MAX).collect();
            self.is_changed |= self.elect(voters);
        }
    }

    fn answer(&self, now: Now, to: &str, subjects: &[String], out: &mut Out) {
        let subjects = subjects.iter().take(Self::KNOWN_MAX).filter(|node| *node != to);
        let opinions = subjects.filter_map(|node| {
            let member = self.members.get(node)?;
            Some(OpinionOf {
                subject: node.clone(),
                incarnation: member.info.started,
                silence_ms: millis(member.silence(now.mono)),
                was_heard: member.sound.is_some(),
                elsewhere_ms: member.second_hand.map(|at| millis(now.mono.since(at))),
                link: member.link.clone(),
            })
        });
        let opinions = opinions.collect();
        let message = MemberMessage::Answer { deaf_ms: self.deaf_ms(now.mono), opinions };
        out.push(MemberEffect::Send { to: to.to_owned(), message });
    }

    fn take_opinion(&mut self, now: Now, by: &str, said: OpinionOf) {
        // Only of who is known, so that what is kept has a bound.
        // Nor of one who is dead to the others: it is not asked, and not counted.
        if !self.members.get(by).is_some_and(Member::is_present) {
            return;
        }
        let Some(member) = self.present(&said.subject) else { return };
        if said.incarnation < member.info.started && !said.was_heard {
            return;
        }
        let ago = |ms: u64| Mono(now.mono.0.saturating_sub(ms.saturating_mul(1_000_000)));
        let then = ago(said.silence_ms);
        member.third_hand = member.third_hand.max(said.elsewhere_ms.map(ago));
        if said.was_heard {
            member.second_hand = member.second_hand.max(Some(then));
            if member.lost.is_some_and(|(at, _)| then > at.after(crate::Timing::LATE)) {
                member.lost = None;
            }
        }
        let opinion = Opinion {
            by: by.to_owned(),
            at: now.wall,
            silence_ms: said.silence_ms,
            was_heard: said.was_heard,
            link: said.link,
        };
        member.opinions.insert(by.to_owned(), (now.mono, opinion));
        self.is_regrouped = true;
    }
}

/// Whole milliseconds, saturating.
pub(super) fn millis(span: std::time::Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
