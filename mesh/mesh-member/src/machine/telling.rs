//! What this member says to others and to its own process: heartbeats, views, the next wake-up.
//!
//! Way in: [`MembershipMachine::settle`], [`view`].

use std::sync::Arc;

use actors_core::{Mono, Now};
use mesh_wire::Role;

use super::{MembershipMachine, Out, hearing::millis, member::Member};
use crate::{
    CarrierCommand, LinkStanding, MemberEffect, MemberMessage, MemberState, MemberView, Opinion,
    Timing,
};

impl MembershipMachine {
    /// What is left to do after each event: speak if it is time, say what changed, set the alarm.
    pub(super) fn settle(&mut self, now: Now, out: &mut Out) {
        if now.mono >= self.next_beat {
            self.forget_the_old(now.mono, out);
            self.beat_due(now.mono, out);
            self.seek_voters(now.mono, out);
        }
        if std::mem::take(&mut self.is_unpublished) {
            out.push(MemberEffect::Carrier(CarrierCommand::Publish((*self.me).clone())));
        }
        if std::mem::take(&mut self.is_changed) {
            out.push(MemberEffect::Publish(self.view(now)));
        }
        let due = match now.mono < self.calm_until {
            true => self.next_beat.min(self.next_due),
            false => self.look_ahead(now.mono),
        };
        if self.wake.is_none_or(|wake| due < wake) {
            self.wake = Some(due);
            out.push(MemberEffect::Wake { at: due });
        }
    }

    /// When to look at everybody again, if not earlier; and until when nobody needs to be looked at.
    fn look_ahead(&mut self, now: Mono) -> Mono {
        let heard = self.majority_heard(now);
        let is_quiet = now.since(heard) >= Timing::QUIET;
        let own = Some(heard.after(Timing::SUSPECT)).filter(|at| is_quiet && *at > now);
        let hears_all = self.hears_all();
        let mut next_due = own.unwrap_or(Mono(u64::MAX));
        let mut calm_until = heard.after(Timing::QUIET);
        for member in self.members.values() {
            let (due, calm) = member.outlook(now, hears_all || member.votes);
            next_due = due.map_or(next_due, |at| at.min(next_due));
            calm_until = calm_until.min(calm);
        }
        self.calm_until = if self.deaf.is_some() { Mono::default() } else { calm_until };
        self.next_due = next_due;
        next_due.min(self.next_beat)
    }

    /// Sends a heartbeat to all who listen to it: everybody if this is a judge, else the judges.
    pub(super) fn beat(&mut self, now: Mono, out: &mut Out) {
        let all = self.listeners();
        self.beat_them(all, now, out);
    }

    /// Sends one to those who did not get one lately as an answer to their own.
    fn beat_due(&mut self, now: Mono, out: &mut Out) {
        let due = self.listening(|member| !member.is_answered(now));
        self.beat_them(due, now, out);
    }

    fn beat_them(&mut self, them: Vec<String>, now: Mono, out: &mut Out) {
        self.next_beat = now.after(Timing::BEAT);
        if self.judged.has_left || them.is_empty() {
            return;
        }
        let message = self.heartbeat(now);
        for to in them {
            if let Some(member) = self.members.get_mut(&to) {
                (member.beaten, member.is_echo) = (Some(now), false);
            }
            out.push(MemberEffect::Send { to, message: message.clone() });
        }
    }

    /// A heartbeat was heard: answers with its own, unless it has just spoken.
    pub(super) fn echo(&mut self, to: &str, now: Mono, out: &mut Out) {
        let is_judge = self.hears_all();
        let Some(member) = self.members.get_mut(to) else { return };
        let has_just = member.beaten.is_some_and(|at| now.since(at) < Timing::ECHO_AFTER);
        if self.judged.has_left || has_just || !member.listens_to(is_judge) {
            return;
        }
        (member.beaten, member.is_echo) = (Some(now), true);
        let message = self.heartbeat(now);
        out.push(MemberEffect::Send { to: to.to_owned(), message });
    }

    fn listeners(&self) -> Vec<String> {
        self.listening(|_| true)
    }

    /// Those who are sent heartbeats, as far as they are meant.
    fn listening(&self, is_meant: impl Fn(&Member) -> bool) -> Vec<String> {
        let is_judge = self.hears_all();
        let listens = |member: &Member| member.listens_to(is_judge) && is_meant(member);
        let them = self.members.iter().filter(|(_, member)| listens(member));
        them.map(|(node, _)| node.clone()).collect()
    }

    pub(super) fn heartbeat(&self, now: Mono) -> MemberMessage {
        let told = |member: &&Member| {
            let is_fresh = || now.since(member.stands_since) <= Timing::MEMORY;
            !member.is_present() || (member.flips > 0 && is_fresh())
        };
        let members = self.hears_all().then(|| self.members.values());
        let standings = members.into_iter().flatten().filter(told).map(Member::standing).collect();
        MemberMessage::Heartbeat {
            incarnation: self.me.started,
            deaf_ms: self.deaf_ms(now),
            standings,
        }
    }

    /// For how long it does not hear its own majority, if so.
    pub(super) fn deaf_ms(&self, now: Mono) -> Option<u64> {
        self.deaf.as_ref().map(|deaf| millis(now.since(deaf.heard)))
    }

    pub(super) fn say_hello(&self, to: &str, wants_answer: bool, out: &mut Out) {
        if self.judged.has_left {
            return;
        }
        let voters = match self.me.role {
            Role::Server => self.voters.iter().cloned().collect(),
            Role::Agent => Vec::new(),
        };
        let info = (*self.me).clone();
        let message = MemberMessage::Hello { info, voters, wants_answer };
        out.push(MemberEffect::Send { to: to.to_owned(), message });
    }

    pub(super) fn hello_to_all(&self, out: &mut Out) {
        for (node, _) in self.members.iter().filter(|(_, member)| !member.has_left) {
            self.say_hello(node, false, out);
        }
    }

    pub(super) fn tell_all(&self, message: &MemberMessage, out: &mut Out) {
        for node in self.members.keys() {
            out.push(MemberEffect::Send { to: node.clone(), message: message.clone() });
        }
    }

    fn own_state(&self, now: Now) -> MemberState {
        if self.judged.has_left {
            return MemberState::Left;
        }
        if self.judged.flips % 2 == 1 {
            let (since, evidence) = (self.judged.since, self.judged.evidence.clone());
            return MemberState::Dead { since, evidence };
        }
        let Some(deaf) = &self.deaf else { return MemberState::Alive };
        let own = Opinion {
            by: self.me.node.clone(),
            at: now.wall,
            silence_ms: millis(now.mono.since(deaf.heard)),
            was_heard: true,
            link: LinkStanding::None,
        };
        MemberState::Suspect { since: deaf.since, evidence: vec![own] }
    }
}

/// What is believed of all members, ordered by node.
pub(super) fn view(machine: &MembershipMachine, now: Now) -> Vec<MemberView> {
    let mut views: Vec<MemberView> = Vec::with_capacity(machine.members.len() + 1);
    views.extend(machine.members.values().map(|member| view_of(member, now.mono)));
    let own = MemberView {
        info: Arc::clone(&machine.me),
        state: machine.own_state(now),
        heard: Some(now.mono),
        heard_ago: std::time::Duration::ZERO,
        rejoined: machine.judged.flips / 2,
        damped: None,
        links: LinkStanding::None,
    };
    let place = views.partition_point(|view| view.info.node < own.info.node);
    views.insert(place, own);
    views
}

fn view_of(member: &Member, now: Mono) -> MemberView {
    let wait = Timing::damping(member.damping);
    MemberView {
        info: Arc::clone(&member.info),
        state: member.state.clone(),
        heard: member.heard,
        heard_ago: member.heard.map(|heard| now.since(heard)).unwrap_or_default(),
        rejoined: member.flips / 2,
        damped: member.back_since.filter(|_| member.is_dead()).map(|_| wait),
        links: member.link.clone(),
    }
}
