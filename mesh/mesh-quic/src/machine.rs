//! Decides for the link to one peer: when it is tried, and which of several links wins.
//!
//! Way in: [`LinkMachine`].  Owns: the wish, the attempt, the link that counts.  Never: a handle; the
//! driver knows links by number.
//! Invariants: 1. at most one link counts.  2. nothing waits for the next attempt while a link
//! counts, or while nobody wants one.
//! Rule: the smaller name calls at once, the larger one after a grace, so that both rarely do. If
//! they did, the link that the smaller name made wins at both ends; of two that the same end made,
//! the later; and a process that started later wins over all of them.

use std::{net::SocketAddr, time::Duration};

use actors_core::{Backoff, Effects, Machine, Mono, Turn};
use serde::{Deserialize, Serialize};

/// How long the larger name waits for the smaller one's call.
const GRACE: Duration = Duration::from_millis(250);

/// Waits between attempts that failed. An attempt itself takes up to [`crate::IDLE`].
const BACKOFF: Backoff = Backoff {
    initial: Duration::from_millis(100),
    max: Duration::from_secs(2),
    jitter_percent: 30,
};

/// Numbers the links of one peer, in the order in which their handshakes were done.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub(crate) struct LinkId(pub(crate) u64);

/// What happens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Event {
    /// The peer is wanted at this address, or not any more.
    Wanted(Option<SocketAddr>),
    /// A wait is over.
    Wake(u64),
    /// An attempt has made a link, to a process of this incarnation.
    Dialed { attempt: u64, link: LinkId, incarnation: u64 },
    /// An attempt has failed.
    Failed { attempt: u64 },
    /// The peer has made a link.
    Accepted { link: LinkId, incarnation: u64 },
    /// A link ended.
    Lost(LinkId),
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Effect {
    /// Try to make a link.
    Dial { attempt: u64, address: SocketAddr },
    /// Deliver [`Event::Wake`] at this time. The last one counts.
    WakeAt { at: Mono, token: u64 },
    /// This link counts from now on.
    Adopt(LinkId),
    /// This link does not count any more, or never did.
    Close { link: LinkId, why: CloseWhy },
    /// Nobody wants a link and there is none: the actor may end.
    Done,
}

/// Why a link is closed by this end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum CloseWhy {
    /// Another link of the same two processes counts.
    Superseded,
    /// The other process was restarted since.
    Restarted,
    /// The peer is not wanted any more.
    Unwanted,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dial {
    Idle,
    Waiting(u64),
    Trying(u64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Counting {
    link: LinkId,
    /// Whether this end made it.
    dialed: bool,
    incarnation: u64,
}

/// Decides for one peer.
#[derive(Debug, Clone)]
pub(crate) struct LinkMachine {
    /// Whether this end has the smaller name.
    is_first: bool,
    wanted: Option<SocketAddr>,
    dial: Dial,
    counting: Option<Counting>,
    /// Attempts that failed since there was a link.
    failures: u32,
    next: u64,
}

impl LinkMachine {
    /// For the link between `me` and `peer`, both names of nodes.
    pub(crate) fn new(me: &str, peer: &str) -> Self {
        Self {
            is_first: me < peer,
            wanted: None,
            dial: Dial::Idle,
            counting: None,
            failures: 0,
            next: 0,
        }
    }

    /// The link that counts.
    pub(crate) fn counting(&self) -> Option<LinkId> {
        self.counting.map(|counting| counting.link)
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn handle_wanted(
        &mut self,
        turn: &mut Turn<'_>,
        address: Option<SocketAddr>,
        out: &mut Effects<Effect>,
    ) {
        let is_new = address != self.wanted;
        self.wanted = address;
        match (address, self.counting) {
            (None, Some(counting)) => {
                self.counting = None;
                self.dial = Dial::Idle;
                out.push(Effect::Close { link: counting.link, why: CloseWhy::Unwanted });
                out.push(Effect::Done);
            }
            (None, None) => {
                self.dial = Dial::Idle;
                out.push(Effect::Done);
            }
            (Some(_), None) if is_new => {
                self.failures = 0;
                self.plan_dial(turn, out);
            }
            (Some(_), _) => {}
        }
    }

    /// Tries now, or sets a wait; an attempt that is under way is let go on.
    fn plan_dial(&mut self, turn: &mut Turn<'_>, out: &mut Effects<Effect>) {
        if matches!(self.dial, Dial::Trying(_)) {
            return;
        }
        let wait = match (self.failures, self.is_first) {
            (0, true) => return self.dial_now(out),
            (0, false) => GRACE + Duration::from_millis(turn.rng.below(100)),
            (failures, _) => BACKOFF.wait(failures, turn.rng),
        };
        let token = self.number();
        self.dial = Dial::Waiting(token);
        out.push(Effect::WakeAt { at: turn.now.mono.after(wait), token });
    }

    fn dial_now(&mut self, out: &mut Effects<Effect>) {
        let Some(address) = self.wanted else { return };
        let attempt = self.number();
        self.dial = Dial::Trying(attempt);
        out.push(Effect::Dial { attempt, address });
    }

    fn handle_failed(&mut self, turn: &mut Turn<'_>, attempt: u64, out: &mut Effects<Effect>) {
        if self.dial != Dial::Trying(attempt) {
            return;
        }
        self.dial = Dial::Idle;
        if self.counting.is_none() && self.wanted.is_some() {
            self.failures = self.failures.saturating_add(1);
            self.plan_dial(turn, out);
        }
    }

    fn handle_link(&mut self, new: Counting, out: &mut Effects<Effect>) {
        if let Some(old) = self.counting {
            let has_priority = |link: Counting| link.dialed == self.is_first;
            let is_better = match new.incarnation.cmp(&old.incarnation) {
                std::cmp::Ordering::Greater => true,
                std::cmp::Ordering::Equal => has_priority(new) || !has_priority(old),
                std::cmp::Ordering::Less => false,
            };
            if !is_better {
                out.push(Effect::Close { link: new.link, why: CloseWhy::Superseded });
                return;
            }
            let is_restart = new.incarnation > old.incarnation;
            let why = if is_restart { CloseWhy::Restarted } else { CloseWhy::Superseded };
            out.push(Effect::Close { link: old.link, why });
        }
        self.counting = Some(new);
        self.failures = 0;
        if matches!(self.dial, Dial::Waiting(_)) {
            self.dial = Dial::Idle;
        }
        out.push(Effect::Adopt(new.link));
    }

    fn handle_lost(&mut self, turn: &mut Turn<'_>, link: LinkId, out: &mut Effects<Effect>) {
        if self.counting() != Some(link) {
            return;
        }
        self.counting = None;
        if self.wanted.is_some() {
            self.plan_dial(turn, out);
        } else {
            out.push(Effect::Done);
        }
    }
}

impl Machine for LinkMachine {
    type Event = Event;
    type Effect = Effect;
    type View = ();

    fn handle(&mut self, mut turn: Turn<'_>, event: Event, out: &mut Effects<Effect>) {
        match event {
            Event::Wanted(address) => self.handle_wanted(&mut turn, address, out),
            Event::Wake(token) if self.dial == Dial::Waiting(token) => {
                self.dial = Dial::Idle;
                self.dial_now(out);
            }
            Event::Wake(_) => {}
            Event::Dialed { attempt, link, incarnation } => {
                if self.dial == Dial::Trying(attempt) {
                    self.dial = Dial::Idle;
                }
                if self.wanted.is_some() {
                    self.handle_link(Counting { link, dialed: true, incarnation }, out);
                } else {
                    out.push(Effect::Close { link, why: CloseWhy::Unwanted });
                }
            }
            Event::Failed { attempt } => self.handle_failed(&mut turn, attempt, out),
            Event::Accepted { link, incarnation } => {
                self.handle_link(Counting { link, dialed: false, incarnation }, out);
            }
            Event::Lost(link) => self.handle_lost(&mut turn, link, out),
        }
    }

    fn assert_invariants(&self) {
        let is_waiting = matches!(self.dial, Dial::Waiting(_));
        assert!(
            !is_waiting || (self.counting.is_none() && self.wanted.is_some()),
            "an attempt waits although a link counts or nobody wants one"
        );
    }
}

#[cfg(test)]
mod tests;
