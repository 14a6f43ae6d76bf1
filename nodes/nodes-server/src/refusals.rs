//! Joiners that were turned away here: why, in one sentence, from where, and how often.
//!
//! Way in: [`Refusals::add`], [`Refusals::list`].  Bounds: the one that was seen longest ago makes room.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use actors_core::Wall;

/// Most different ones that are kept.
const LEN_MAX: usize = 256;

/// Why somebody may not join: a word for counters, a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, thiserror::Error)]
#[error("{sentence}")]
pub(crate) struct Refused {
    /// `wrong`, `expired`, `taken`…
    pub(crate) word: String,
    /// One sentence.
    pub(crate) sentence: String,
    /// The HTTP code that says it.
    pub(crate) code: u16,
}

impl Refused {
    pub(crate) fn new(word: &str, sentence: impl Into<String>, code: u16) -> Self {
        Self { word: word.to_owned(), sentence: sentence.into(), code }
    }
}

/// One of them with all its repetitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) from: String,
    pub(crate) word: String,
    pub(crate) reason: String,
    pub(crate) count: u64,
    pub(crate) last: Wall,
}

/// All that were turned away by this process.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    known: Mutex<BTreeMap<(String, String), Seen>>,
    /// How many, by the word for counters: also those that made room.
    totals: Mutex<BTreeMap<String, u64>>,
}

impl Refusals {
    /// Counts one.
    pub(crate) fn add(&self, from: &str, refused: &Refused, at: Wall) {
        let key = (from.to_owned(), refused.sentence.clone());
        let mut totals = self.totals.lock().unwrap_or_else(PoisonError::into_inner);
        *totals.entry(refused.word.clone()).or_default() += 1;
        drop(totals);
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= LEN_MAX && !all.contains_key(&key) {
            let oldest = all.iter().min_by_key(|(_, seen)| seen.last).map(|(key, _)| key.clone());
            oldest.and_then(|key| all.remove(&key));
        }
        let fresh = || Seen {
            from: from.to_owned(),
            word: refused.word.clone(),
            reason: refused.sentence.clone(),
            count: 0,
            last: at,
        };
        let seen = all.entry(key).or_insert_with(fresh);
        seen.count += 1;
        seen.last = at;
    }

    /// How many by their words, since this process began.
    pub(crate) fn totals(&self) -> BTreeMap<String, u64> {
        self.totals.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// All of them, the last one first.
    pub(crate) fn list(&self) -> Vec<Seen> {
        let all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut list: Vec<Seen> = all.values().cloned().collect();
        drop(all);
        list.sort_by_key(|seen| std::cmp::Reverse(seen.last));
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repetitions_are_counted_and_the_table_is_bounded() {
        let refusals = Refusals::default();
        let wrong = Refused::new("wrong", "the token is wrong", 401);
        refusals.add("10.0.0.1", &wrong, Wall(1));
        refusals.add("10.0.0.1", &wrong, Wall(2));
        let list = refusals.list();
        assert_eq!((list.len(), list[0].count, list[0].last), (1, 2, Wall(2)));
        for number in 0..1_000 {
            refusals.add(&format!("{number}"), &wrong, Wall(3 + number));
        }
        assert_eq!(refusals.list().len(), LEN_MAX);
        assert_eq!(refusals.list()[0].from, "999");
    }
}
