//! Who has a say in a verdict, and how many must agree; and whom this member must hear to have one.
//!
//! Way in: [`MembershipMachine::electorate`], [`MembershipMachine::majority_heard`].
//!
//! | voters | who judges | who must agree |
//! |---|---|---|
//! | 3 and more | voters | a majority of them |
//! | 2, about another member | voters | both; the one that is left, if the other is dead |
//! | 2, about one of them | the other | half of all members, itself and the subject included |
//! | 1 | the voter | itself alone, after the full time |
//! | none known yet | everybody | a majority of all members; each of two alone |
//!
//! With two voters the store stands still as soon as one is gone, so that both halves of a cut
//! pair may say of each other that they are dead: nothing can be written that follows from it.
//! With one voter there is nobody to differ from.

use actors_core::Mono;

use super::MembershipMachine;

/// Who decides about one member.
pub(super) struct Electorate {
    /// Members that are asked, without this one and the subject.
    pub(super) others: Vec<String>,
    /// How many must agree, this member included.
    pub(super) needed: usize,
}

impl MembershipMachine {
    /// Who decides about `subject` together with this member; `None` if this member has no say.
    pub(super) fn electorate(&self, subject: &str) -> Option<Electorate> {
        let everybody = || -> Vec<String> {
            let others = self.members.iter().filter(|(_, member)| !member.has_left);
            others.map(|(node, _)| node.clone()).filter(|node| node != subject).collect()
        };
        let voters = || -> Vec<String> {
            let others = self.voters.iter().filter(|node| **node != self.me.node);
            others.filter(|node| *node != subject).cloned().collect()
        };
        if self.voters.is_empty() {
            let others = everybody();
            let needed = majority_of_all(others.len() + 2);
            return Some(Electorate { others, needed });
        }
        if !self.is_voter(&self.me.node) {
            return None;
        }
        if self.voters.len() != 2 {
            return Some(Electorate { others: voters(), needed: self.voters.len() / 2 + 1 });
        }
        if self.is_voter(subject) {
            let others: Vec<String> = everybody();
            let needed = (others.len() + 2).div_ceil(2);
            return Some(Electorate { others, needed });
        }
        let others = voters();
        let is_left_alone =
            others.iter().all(|node| self.members.get(node).is_some_and(|other| other.is_dead()));
        Some(Electorate { needed: if is_left_alone { 1 } else { 2 }, others })
    }

    /// When this member last heard as many others as it needs to trust its own ears.
    pub(super) fn majority_heard(&self, now: Mono) -> Mono {
        let others = || self.members.iter().filter(|(_, member)| !member.has_left);
        let all_heard = || others().map(|(_, member)| member.heard.unwrap_or(self.started));
        let of_all = |needed: usize| latest(all_heard(), needed.saturating_sub(1), now);
        let voters = || self.voters_heard();
        let count = || others().count() + 1;
        match (self.voters.len(), self.is_voter(&self.me.node)) {
            (0, _) => of_all(majority_of_all(count())),
            (1, true) => now,
            // The other voter, or half of all members: either tells that it is not this one who is
            // cut off.
            (2, true) => latest(voters(), 1, now).max(of_all(count().div_ceil(2))),
            (count, true) => latest(voters(), count / 2, now),
            // Whoever has no say needs one voter to work with.
            (_, false) => latest(voters(), 1, now),
        }
    }
}

impl MembershipMachine {
    /// When each of the other voters was heard last; those who are not known yet count as heard when
    /// this member began.
    fn voters_heard(&self) -> impl Iterator<Item = Mono> {
        let known = || self.members.values().filter(|member| member.votes);
        let others = self.voters.len() - usize::from(self.is_voter(&self.me.node));
        let unknown = others.saturating_sub(known().count());
        let heard = known().map(|member| member.heard.unwrap_or(self.started));
        heard.chain(std::iter::repeat_n(self.started, unknown))
    }
}

/// How many of `count` members are enough, where all have a say.
fn majority_of_all(count: usize) -> usize {
    if count <= 2 { 1 } else { count / 2 + 1 }
}

/// The time since which `needed` of these were heard; now if none is needed.
fn latest(heard: impl Iterator<Item = Mono>, needed: usize, now: Mono) -> Mono {
    match needed {
        0 => now,
        1 => heard.max().unwrap_or_default(),
        _ => {
            let mut heard: Vec<Mono> = heard.collect();
            heard.sort_unstable_by(|a, b| b.cmp(a));
            heard.get(needed - 1).copied().unwrap_or_default()
        }
    }
}
