//! Who was refused, why, and how often.
//!
//! Way in: [`Refusals::add`], [`Refusals::list`].  Owns: the counts.
//! Invariant: no more than [`Refusals::LEN_MAX`] different ones are kept; the one that was seen
//! longest ago makes room.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Mutex, PoisonError},
};

use actors_core::Wall;
use mesh_wire::Peer;
use serde::{Deserialize, Serialize};

/// Something that was refused, with all its repetitions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// From where, the last time.
    pub from: SocketAddr,
    /// From whom, if a certificate of this cluster said so.
    pub peer: Option<Peer>,
    /// Why, in one sentence.
    pub reason: String,
    /// How often.
    pub count: u64,
    /// When, the last time.
    pub last: Wall,
}

/// The refusals of one endpoint.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    known: Mutex<BTreeMap<Key, Refusal>>,
}

/// Who, as far as it is known, and why.
type Key = (String, String);

impl Refusals {
    const LEN_MAX: usize = 256;

    /// Counts one. True if it is the first of its kind.
    pub(crate) fn add(
        &self,
        from: SocketAddr,
        peer: Option<&Peer>,
        reason: String,
        at: Wall,
    ) -> bool {
        // Ports change with each attempt, and would fill the table.
        let who = peer.map_or_else(|| from.ip().to_string(), |peer| peer.node.clone());
        let key = (who, reason.clone());
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= Self::LEN_MAX && !known.contains_key(&key) {
            let oldest = known.iter().min_by_key(|(_, refusal)| refusal.last);
            let oldest = oldest.map(|(key, _)| key.clone());
            oldest.and_then(|key| known.remove(&key));
        }
        let fresh = Refusal { from, peer: peer.cloned(), reason, count: 0, last: at };
        let refusal = known.entry(key).or_insert(fresh);
        refusal.count += 1;
        refusal.last = at;
        refusal.from = from;
        refusal.count == 1
    }

    /// All that are known, the last one first.
    pub(crate) fn list(&self) -> Vec<Refusal> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut list: Vec<Refusal> = known.values().cloned().collect();
        drop(known);
        list.sort_by_key(|refusal| std::cmp::Reverse(refusal.last));
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repetitions_are_counted_and_the_table_is_bounded() {
        let refusals = Refusals::default();
        let from = |port| SocketAddr::from(([10, 0, 0, 1], port));
        assert!(refusals.add(from(1), None, "no".to_owned(), Wall(0)));
        assert!(!refusals.add(from(2), None, "no".to_owned(), Wall(1)));
        let list = refusals.list();
        assert_eq!((list.len(), list[0].count, list[0].from.port()), (1, 2, 2));
        for number in 0..1_000 {
            refusals.add(from(3), None, format!("{number}"), Wall(2 + number));
        }
        let list = refusals.list();
        assert_eq!((list.len(), list[0].reason.as_str()), (Refusals::LEN_MAX, "999"));
    }
}
