//! One member of a mesh: whom it hears, whom it suspects, what it concludes with the others.
//!
//! Way in: [`MembershipMachine::new`], then [`Machine::handle`].  Owns: what is known of all other
//! members.  Writes: what this member says of itself.  Never: truth; a verdict is an opinion that
//! enough members share.
//! Invariants: 1. at most [`MembershipMachine::KNOWN_MAX`] members are known, this one included.
//! 2. this member is not among the others.  3. whoever does not hear its own majority reaches no
//! verdict.
//! Time and order: everything hangs on one wake-up, see [`crate::Timing`].
//! Spec: the roles of suspicion and refutation are those of SWIM (Das, Gupta, Motivala 2002,
//! section 4.2); that slow members distrust themselves first is Lifeguard's (Dadgar, Phillips,
//! Currey 2018).

mod calm;
mod electorate;
mod hearing;
mod judging;
mod member;
mod roster;
mod strangers;
mod telling;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use actors_core::{Effects, Machine, Mono, Now, Turn, Wall};

use crate::{
    CarrierCommand, CarrierEvent, LinkChange, LinkStanding, MemberEffect, MemberEvent, MemberInfo,
    MemberView, Opinion, Timing,
};
use calm::Calm;
use member::Member;
use roster::Roster;

type Out = Effects<MemberEffect>;

/// Membership as one process sees it.
#[derive(Debug, Clone)]
pub struct MembershipMachine {
    me: Arc<MemberInfo>,
    /// The judges; empty until somebody tells.
    voters: BTreeSet<String>,
    /// How often they changed.
    elections: u64,
    /// They were told by this process's own store, not by a server.
    knows_voters: bool,
    members: Roster,
    /// When the first event came: nothing was heard before.
    started: Mono,
    phase: Phase,
    /// The wake-up that is set, if one is.
    wake: Option<Mono>,
    next_beat: Mono,
    /// Before this instant there is nothing to be found by looking at all members, unless more came
    /// since than signs of life of those who are well.
    calm_until: Mono,
    /// When the first of those who are silent is to be looked at, as far as was known then.
    next_due: Mono,
    /// Since when it does not hear its own majority.
    deaf: Option<Deaf>,
    /// What others hold of this member.
    judged: Judged,
    /// Since when a voter is known by name alone.
    strangers_since: Option<Mono>,
    /// Something changed that others may want to know.
    is_changed: bool,
    /// What this member says of itself changed, and the carrier does not know.
    is_unpublished: bool,
    /// How many members were left out because too many are known.
    left_out: u64,
    /// The last event brought a member, a name or an opinion: what the invariants are about.
    is_regrouped: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    New,
    Running,
}

#[derive(Debug, Clone)]
struct Deaf {
    /// When it was noticed.
    since: Wall,
    /// When the majority was heard last.
    heard: Mono,
}

/// What others hold of this member; see [`crate::Standing`].
#[derive(Debug, Clone, Default)]
struct Judged {
    flips: u32,
    has_left: bool,
    since: Wall,
    evidence: Vec<Opinion>,
}

impl MembershipMachine {
    /// Most members of one mesh that are known, dead ones and this one included.
    pub const KNOWN_MAX: usize = 256;

    /// A member that knows nobody yet.
    #[must_use]
    pub fn new(me: MemberInfo) -> Self {
        Self {
            me: Arc::new(me),
            voters: BTreeSet::new(),
            elections: 0,
            knows_voters: false,
            members: Roster::default(),
            started: Mono::default(),
            phase: Phase::New,
            wake: None,
            next_beat: Mono::default(),
            calm_until: Mono::default(),
            next_due: Mono::default(),
            deaf: None,
            judged: Judged::default(),
            strangers_since: None,
            is_changed: true,
            is_unpublished: true,
            left_out: 0,
            is_regrouped: true,
        }
    }

    /// What this member says of itself.
    #[must_use]
    pub fn me(&self) -> &MemberInfo {
        &self.me
    }

    /// The judges, as far as they are known.
    pub fn voters(&self) -> impl Iterator<Item = &str> {
        self.voters.iter().map(String::as_str)
    }

    /// Whether it does not hear enough others to judge anybody.
    #[must_use]
    pub fn is_deaf(&self) -> bool {
        self.deaf.is_some()
    }

    /// How many members were left out because too many are known.
    #[must_use]
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// When each other member was heard last, in this life of this process.
    pub fn heard(&self) -> impl Iterator<Item = (&str, Option<Mono>)> {
        self.members.iter().map(|(node, member)| (node.as_str(), member.heard))
    }

    /// What is believed of all members, this one among them, ordered by node.
    #[must_use]
    pub fn view(&self, now: Now) -> Vec<MemberView> {
        telling::view(self, now)
    }

    /// The next event has everybody looked at, however calm it is.
    #[cfg(test)]
    pub(crate) fn stir(&mut self) {
        self.calm_until = Mono::default();
    }

    /// Whether anybody's silence means something here: judges listen to all, and everybody wants to hear them.
    fn hears_all(&self) -> bool {
        self.voters.is_empty() || self.is_voter(&self.me.node)
    }

    fn is_voter(&self, node: &str) -> bool {
        self.voters.contains(node)
    }

    fn start(&mut self, turn: &mut Turn<'_>) {
        let now = turn.now.mono;
        self.phase = Phase::Running;
        self.started = now;
        // Members that start together should not all speak at the same instant.
        let nanos = u64::try_from(Timing::BEAT.as_nanos()).unwrap_or(u64::MAX);
        self.next_beat = now.after(Duration::from_nanos(turn.rng.below(nanos)));
        self.members.values_mut().for_each(|member| member.listening_since = now);
    }

    /// If this process did not run when it should have, it could hear nobody meanwhile. Says whether
    /// it was so.
    fn catch_up(&mut self, now: Mono) -> bool {
        let Some(wake) = self.wake else { return false };
        let late = now.since(wake);
        if late <= Timing::LATE {
            return false;
        }
        self.wake = Some(now);
        self.started = self.started.after(late).min(now);
        for member in self.members.values_mut() {
            member.shift(late, now);
            if late >= Timing::BEAT {
                // Nor did others hear this one, which some will say now.
                member.listening_since = now;
            }
        }
        true
    }

    fn learn(&mut self, info: MemberInfo, now: Mono) -> bool {
        if info.node == self.me.node {
            if info.started > self.me.started {
                self.outlive(info.started);
            }
            return false;
        }
        if let Some(member) = self.members.get_mut(&info.node) {
            if info.is_newer_than(&member.info) {
                member.begin_life(info, now);
                (self.is_changed, self.is_regrouped) = (true, true);
            }
            return true;
        }
        if self.members.len() + 1 >= Self::KNOWN_MAX && !self.make_room() {
            self.left_out += 1;
            return false;
        }
        let votes = self.is_voter(&info.node);
        self.members.insert(info.node.clone(), Member::new(info, votes, now));
        (self.is_changed, self.is_regrouped) = (true, true);
        true
    }

    /// Others know a later life of this node than this one, as after its clock was set back: they
    /// would not believe that this is the present one.
    fn outlive(&mut self, known: Wall) {
        Arc::make_mut(&mut self.me).started = Wall(known.0.saturating_add(1));
        self.is_changed = true;
        self.is_unpublished = true;
    }

    /// Forgets the one that has been gone longest.
    fn make_room(&mut self) -> bool {
        let gone = self
            .members
            .iter()
            .filter(|(node, member)| !member.is_present() && !self.voters.contains(*node));
        let oldest = gone.min_by_key(|(_, member)| member.stands_since);
        let oldest = oldest.map(|(node, _)| node.clone());
        oldest.is_some_and(|node| self.members.remove(&node))
    }

    fn forget_the_old(&mut self, now: Mono, out: &mut Out) {
        let voters = &self.voters;
        self.members.retain(|node, member| {
            let is_old = now.since(member.stands_since) > Timing::MEMORY;
            let is_gone = !member.is_present() && member.back_since.is_none();
            let stays = !(is_old && is_gone) || (voters.contains(node) && !member.has_left);
            if !stays {
                let (node, incarnation) = (node.clone(), member.info.started);
                out.push(MemberEffect::Carrier(CarrierCommand::Forget { node, incarnation }));
            }
            if !stays {
                self.is_changed = true;
                self.calm_until = Mono::default();
            }
            stays
        });
    }

    fn handle_link(&mut self, now: Now, peer: String, change: LinkChange, out: &mut Out) {
        let is_up = change == LinkChange::Up;
        if let Some(member) = self.members.get_mut(&peer) {
            self.is_changed = true;
            match change {
                LinkChange::Up => {
                    member.link = LinkStanding::Up;
                    if !member.has_left {
                        member.hear(now.mono);
                    }
                }
                LinkChange::Down { why } => {
                    if why.is_process_gone() && member.lost.is_none() {
                        member.lost = Some((now.mono, now.wall));
                    }
                    member.link = LinkStanding::Down { why, at: now.wall };
                }
            }
        }
        if is_up {
            self.say_hello(&peer, false, out);
            out.push(MemberEffect::Carrier(CarrierCommand::Exchange { node: peer }));
        }
    }

    fn handle_info(&mut self, info: MemberInfo, out: &mut Out) {
        let revision = self.me.revision + 1;
        let kept = MemberInfo {
            node: self.me.node.clone(),
            role: self.me.role,
            started: self.me.started,
            revision,
            ..info
        };
        let is_only_room =
            MemberInfo { free: self.me.free, revision: self.me.revision, ..kept.clone() }
                == *self.me;
        self.me = Arc::new(kept);
        (self.is_changed, self.is_regrouped) = (true, true);
        self.is_unpublished = true;
        // How much room there is changes often and may be known late.
        if !is_only_room {
            self.hello_to_all(out);
        }
    }

    fn handle_voters(&mut self, voters: Vec<String>, out: &mut Out) {
        let voters: BTreeSet<String> = voters.into_iter().take(Self::KNOWN_MAX).collect();
        self.knows_voters = true;
        if self.elect(voters) {
            self.hello_to_all(out);
        }
    }

    /// Says whether these are others than before.
    fn elect(&mut self, voters: BTreeSet<String>) -> bool {
        let is_news = voters != self.voters;
        if is_news {
            self.voters = voters;
            self.elections += 1;
            for (node, member) in self.members.iter_mut() {
                member.votes = self.voters.contains(node);
            }
        }
        is_news
    }
}

impl Machine for MembershipMachine {
    type Event = MemberEvent;
    type Effect = MemberEffect;
    type View = ();

    fn handle(&mut self, mut turn: Turn<'_>, event: MemberEvent, out: &mut Out) {
        let now = turn.now;
        self.is_regrouped = self.phase == Phase::New;
        if self.phase == Phase::New {
            self.start(&mut turn);
        }
        let was_late = self.catch_up(now.mono);
        let calm = Calm::before(self, &event, now.mono);
        let needs_review = match event {
            MemberEvent::Tick => {
                // An alarm that was set before an earlier one took its place means nothing.
                self.wake = self.wake.filter(|wake| *wake > now.mono);
                true
            }
            MemberEvent::Known(infos) => {
                for info in infos {
                    self.learn(info, now.mono);
                }
                true
            }
            MemberEvent::Info(info) => {
                self.handle_info(info, out);
                false
            }
            MemberEvent::Carrier(CarrierEvent::Info(info)) => {
                self.learn(info, now.mono);
                false
            }
            MemberEvent::Carrier(CarrierEvent::Full { .. }) => false,
            MemberEvent::Link { peer, change } => {
                self.handle_link(now, peer, change, out);
                true
            }
            MemberEvent::Stirred { peer } => {
                if let Some(member) = self.members.get_mut(&peer).filter(|one| !one.has_left) {
                    member.hear(now.mono);
                }
                true
            }
            MemberEvent::Message { from, role, message } => {
                self.handle_message(now, hearing::Sender { node: from, role }, message, out)
            }
            MemberEvent::Voters(voters) => {
                self.handle_voters(voters, out);
                self.seek_voters(now.mono, out);
                true
            }
            MemberEvent::Forget { node } => {
                self.forget(now, &node, out);
                true
            }
            MemberEvent::Leave => {
                self.leave(now, out);
                true
            }
        };
        if was_late || !calm.is_kept(self) {
            self.calm_until = Mono::default();
        }
        if needs_review {
            self.review(now, out);
        }
        self.settle(now, out);
    }

    fn assert_invariants(&self) {
        if !self.is_regrouped {
            return;
        }
        assert!(self.members.len() < Self::KNOWN_MAX, "{} members are known", self.members.len());
        assert!(!self.members.contains_key(&self.me.node), "a member is among the others");
        for (node, member) in self.members.iter() {
            assert_eq!(*node, member.info.node);
            assert!(member.opinions.len() <= Self::KNOWN_MAX, "{node}: too many opinions");
        }
    }
}
