//! Whether an event can have changed what is found by looking at everybody.
//!
//! Way in: [`Calm::before`], then [`Calm::is_kept`].  Invariant: whoever looks at everybody with each
//! event finds nothing else; tests hold a twin of each member to it.

use std::sync::Arc;

use actors_core::Mono;

use super::{Member, MembershipMachine};
use crate::{CarrierEvent, MemberEvent, MemberInfo, MemberMessage};

/// What an event is about, as it was before the event.
pub(super) enum Calm {
    /// Nobody: time passed.
    Nobody,
    /// One member that is well and was just heard, and this is what it says of itself: each further
    /// word only puts off what its silence would bring.
    One { info: Arc<MemberInfo>, elections: u64 },
    /// More, or one that is not well, or silent.
    Broken,
}

impl Calm {
    /// Before `machine` takes `event`.
    pub(super) fn before(machine: &MembershipMachine, event: &MemberEvent, now: Mono) -> Self {
        use MemberMessage::{Answer, Ask, Heartbeat, Hello, Leaving, Verdict};
        let node = match event {
            MemberEvent::Tick => return Self::Nobody,
            // What a member says of its present life is no sign of it, and says nothing of others.
            MemberEvent::Carrier(CarrierEvent::Info(info)) => {
                let known = machine.members.get(&info.node);
                return match known.is_some_and(|known| info.started <= known.info.started) {
                    true => Self::Nobody,
                    false => Self::Broken,
                };
            }
            MemberEvent::Link { peer, .. } | MemberEvent::Stirred { peer } => peer,
            MemberEvent::Message { from, message, .. } => match message {
                Heartbeat { standings, .. } if standings.is_empty() => from,
                Hello { .. } | Ask { .. } => from,
                Heartbeat { .. } | Answer { .. } | Verdict { .. } | Leaving { .. } => {
                    return Self::Broken;
                }
            },
            _ => return Self::Broken,
        };
        let is_calm = |member: &&Member| member.is_fresh(now) && !member.is_deaf;
        match machine.members.get(node).filter(is_calm) {
            Some(member) => {
                let info = Arc::clone(&member.info);
                Self::One { info, elections: machine.elections }
            }
            None => Self::Broken,
        }
    }

    /// Whether all is as calm as before, now that `machine` has taken the event.
    pub(super) fn is_kept(&self, machine: &MembershipMachine) -> bool {
        match self {
            Self::Nobody => true,
            Self::One { info, elections } => {
                let is_calm = |member: &&Member| member.is_well() && !member.is_deaf;
                let member = machine.members.get(&info.node).filter(is_calm);
                let is_same = member.is_some_and(|member| Arc::ptr_eq(&member.info, info));
                is_same && machine.elections == *elections
            }
            Self::Broken => false,
        }
    }
}
