//! What became of every message: so that a fault of the network counts only if it was felt.
//!
//! Way in: [`Wire::send`], [`Wire::receive`].  Never: a decision about a message; the simulator
//! makes those.

use actors_core::Mono;
use actors_sim::NodeId;

/// A message on its way takes longer than this only in a slow network.
const SLOW_NS: u64 = 3_000_000;

/// All links between all nodes.
#[derive(Debug, Default)]
pub(crate) struct Wire {
    /// By sender, then by receiver.
    links: Vec<Vec<Link>>,
}

#[derive(Debug, Clone, Default)]
struct Link {
    messages: Vec<Letter>,
    newest: u32,
}

#[derive(Debug, Clone, Copy)]
struct Letter {
    sent: Mono,
    times: u8,
    late: bool,
    slow: bool,
}

/// What messages of some links in some span of time met with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Fate {
    pub(crate) lost: u64,
    pub(crate) twice: u64,
    pub(crate) late: u64,
    pub(crate) slow: u64,
}

impl Wire {
    /// Notes a message and gives it its number on its link.
    pub(crate) fn send(&mut self, from: NodeId, to: NodeId, at: Mono) -> u32 {
        let link = self.link(from, to);
        link.messages.push(Letter { sent: at, times: 0, late: false, slow: false });
        u32::try_from(link.messages.len() - 1).unwrap_or(u32::MAX)
    }

    /// Notes an arrival; whether it is the first of this message.
    pub(crate) fn receive(&mut self, from: NodeId, to: NodeId, number: u32, at: Mono) -> bool {
        let link = self.link(from, to);
        let Some(letter) = link.messages.get_mut(number as usize) else { return false };
        letter.times = letter.times.saturating_add(1);
        letter.late |= number < link.newest;
        letter.slow |= at.since(letter.sent).as_nanos() > u128::from(SLOW_NS);
        link.newest = link.newest.max(number);
        letter.times == 1
    }

    fn link(&mut self, from: NodeId, to: NodeId) -> &mut Link {
        let (from, to) = (from.0 as usize, to.0 as usize);
        if self.links.len() <= from {
            self.links.resize(from + 1, Vec::new());
        }
        let links = &mut self.links[from];
        if links.len() <= to {
            links.resize(to + 1, Link::default());
        }
        &mut links[to]
    }

    /// What messages sent between two instants met with, on the links that `concerns` names.
    pub(crate) fn fate(
        &self,
        (since, until): (Mono, Mono),
        concerns: impl Fn(NodeId, NodeId) -> bool,
    ) -> Fate {
        let mut fate = Fate::default();
        let links = (0..).map(NodeId).zip(&self.links);
        let links =
            links.flat_map(|(from, links)| (0..).map(move |to| (from, NodeId(to))).zip(links));
        for (_, link) in links.filter(|((from, to), _)| concerns(*from, *to)) {
            let first = link.messages.partition_point(|letter| letter.sent < since);
            let sent = link.messages[first..].iter().take_while(|letter| letter.sent <= until);
            for letter in sent {
                fate.lost += u64::from(letter.times == 0);
                fate.twice += u64::from(letter.times > 1);
                fate.late += u64::from(letter.late);
                fate.slow += u64::from(letter.slow);
            }
        }
        fate
    }
}
