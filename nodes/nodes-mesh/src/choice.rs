//! Which server a machine speaks to: the nearest that lives, and the same one for as long as that is good.
//!
//! Way in: [`Choice::pick`].  Never: a network; it is told what is known.

use std::{collections::BTreeMap, time::Duration};

use actors_core::Mono;

/// How long a server that failed is left alone while there are others.
const AVOID_FOR: Duration = Duration::from_secs(5);

/// Round-trip times are compared in steps of this: what differs by less is equally near.
const STEP: Duration = Duration::from_millis(2);

/// What is known of one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// Its node.
    pub(crate) node: String,
    /// Whether membership believes it alive.
    pub(crate) is_alive: bool,
    /// Whether there is a link, and how long a round trip takes.
    pub(crate) link: Option<Duration>,
    /// Whether it is of this machine's site.
    pub(crate) is_near: bool,
}

/// The present choice, and who failed lately.
#[derive(Debug, Default)]
pub(crate) struct Choice {
    present: Option<String>,
    avoided: BTreeMap<String, Mono>,
}

impl Choice {
    /// The server to speak to: the present one while it is linked and not known to fail, else the best. `salt` is
    /// this machine's name, so that machines which are equally near to all spread over them.
    pub(crate) fn pick(&mut self, all: &[Candidate], salt: &str, now: Mono) -> Option<String> {
        self.avoided.retain(|_, since| now.since(*since) < AVOID_FOR);
        let present =
            self.present.as_ref().and_then(|node| all.iter().find(|one| one.node == *node));
        let keep = present.filter(|one| {
            one.is_alive && one.link.is_some() && !self.avoided.contains_key(&one.node)
        });
        let best = keep.or_else(|| all.iter().min_by_key(|one| self.rank(one, salt)));
        self.present = best.map(|one| one.node.clone());
        self.present.clone()
    }

    /// A server failed: others are better for a while.
    pub(crate) fn avoid(&mut self, node: &str, now: Mono) {
        self.avoided.insert(node.to_owned(), now);
    }

    /// Who is spoken to, if somebody is.
    pub(crate) fn present(&self) -> Option<&str> {
        self.present.as_deref()
    }

    /// The smaller the better.
    fn rank(&self, one: &Candidate, salt: &str) -> impl Ord + use<> {
        let steps = one.link.map(|rtt| rtt.as_micros() / STEP.as_micros());
        let failed = self.avoided.get(&one.node).copied();
        let spread = spread(salt, &one.node);
        (one.link.is_none(), failed.is_some(), failed, !one.is_alive, !one.is_near, steps, spread)
    }
}

/// FNV-1a: any function of both names that spreads them.
fn spread(salt: &str, node: &str) -> u32 {
    let bytes = salt.bytes().chain([b'/']).chain(node.bytes());
    bytes.fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(node: &str, rtt_ms: Option<u64>) -> Candidate {
        let link = rtt_ms.map(Duration::from_millis);
        Candidate { node: node.to_owned(), is_alive: true, link, is_near: true }
    }

    fn at(millis: u64) -> Mono {
        Mono(millis * 1_000_000)
    }

    #[test]
    fn the_nearest_is_taken_and_kept_until_it_fails() {
        let mut choice = Choice::default();
        let mut all = [server("far", Some(40)), server("near", Some(1)), server("gone", None)];
        assert_eq!(choice.pick(&all, "a", at(0)).as_deref(), Some("near"));
        all[0].link = Some(Duration::ZERO);
        assert_eq!(choice.pick(&all, "a", at(1)).as_deref(), Some("near"), "it is still good");
        choice.avoid("near", at(2));
        assert_eq!(choice.pick(&all, "a", at(3)).as_deref(), Some("far"));
        assert_eq!(choice.pick(&all, "a", at(9_000)).as_deref(), Some("far"), "no way back");
        all[0].is_alive = false;
        assert_eq!(choice.pick(&all, "a", at(9_001)).as_deref(), Some("near"));
    }

    #[test]
    fn who_failed_is_better_than_nobody() {
        let mut choice = Choice::default();
        assert_eq!(choice.pick(&[], "a", at(0)), None);
        let all = [server("one", Some(1)), server("two", Some(1))];
        choice.avoid("one", at(0));
        choice.avoid("two", at(1));
        assert_eq!(choice.pick(&all, "a", at(2)).as_deref(), Some("one"), "longest ago");
    }

    #[test]
    fn machines_that_are_equally_near_to_all_spread() {
        let all = [server("s1", Some(1)), server("s2", Some(1)), server("s3", Some(0))];
        let picked = (0..30)
            .filter_map(|number| Choice::default().pick(&all, &format!("agent-{number}"), at(0)));
        let distinct: std::collections::BTreeSet<String> = picked.collect();
        assert_eq!(distinct.len(), 3);
    }
}
