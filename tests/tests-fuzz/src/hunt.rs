//! The hunt itself: which inputs are tried, which are kept, and how a failure is told.
//!
//! Way in: [`hunt`].  Bounds: as many inputs as the prey says, or as many as fit `STARLING_FUZZ_SECONDS`.

use std::{
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use actors_core::Rng;
use nix::time::{ClockId, clock_gettime};

use crate::mutate::mutate;

/// What is hunted.
pub struct Prey<'a> {
    /// How it is called in reports.
    pub name: &'a str,
    /// Inputs to begin with.
    pub seeds: Vec<Vec<u8>>,
    /// What the grammar is made of.
    pub words: &'a [&'a str],
    /// How many inputs are tried if no time is given.
    pub cases: u64,
}

/// Inputs that are kept at a time.
const CORPUS_MAX: usize = 4_096;
/// How often a failing input is tried to be made smaller.
const SHRINK_MAX: usize = 2_000;

/// Tries inputs; `judge` checks what must be so of one, and says in a few words how it behaved.
///
/// # Panics
/// With the first input, made small, of which something is not so.
pub fn hunt(prey: Prey<'_>, judge: &dyn Fn(&[u8]) -> String) {
    let mut rng = Rng::from_number(1).derive(prey.name).ready();
    let mut corpus = prey.seeds;
    let mut seen = BTreeSet::new();
    for seed in &corpus {
        seen.insert(told(seed, judge));
    }
    let end = seconds().map(|seconds| now() + Duration::from_secs(seconds));
    let mut cases = 0;
    while end.map_or(cases < prey.cases, |end| now() < end) {
        cases += 1;
        let pick = |rng: &mut Rng| rng.pick(&corpus).cloned().unwrap_or_default();
        let (base, other) = (pick(&mut rng), pick(&mut rng));
        let input = mutate(&mut rng, (&base, &other), prey.words);
        if seen.insert(told(&input, judge)) {
            if corpus.len() < CORPUS_MAX {
                corpus.push(input);
            } else if let Ok(at) = usize::try_from(rng.below(CORPUS_MAX as u64)) {
                corpus[at] = input;
            }
        }
    }
    println!("{}: {cases} inputs behaved in {} ways", prey.name, seen.len());
}

/// How long each hunt lasts, if that is said.
fn seconds() -> Option<u64> {
    std::env::var_os("STARLING_FUZZ_SECONDS")?.to_str()?.parse().ok()
}

fn now() -> Duration {
    clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from).expect("every Linux has this clock")
}

fn told(input: &[u8], judge: &dyn Fn(&[u8]) -> String) -> String {
    match attempt(input, judge) {
        Ok(told) => told,
        Err(why) => {
            let small = shrunk(input, judge);
            panic!("{why}\n  input: {:?}", String::from_utf8_lossy(&small));
        }
    }
}

/// How the input behaved, or what the panic said.
fn attempt(input: &[u8], judge: &dyn Fn(&[u8]) -> String) -> Result<String, String> {
    catch_unwind(AssertUnwindSafe(|| judge(input))).map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        text.unwrap_or_else(|| "a panic without words".to_owned())
    })
}

/// A smaller input that fails too.
fn shrunk(input: &[u8], judge: &dyn Fn(&[u8]) -> String) -> Vec<u8> {
    let mut small = input.to_vec();
    let mut size = small.len() / 2;
    let mut tries = 0;
    while size > 0 && tries < SHRINK_MAX {
        let mut start = 0;
        let before = small.len();
        while start < small.len() && tries < SHRINK_MAX {
            tries += 1;
            let end = (start + size).min(small.len());
            let shorter = [&small[..start], &small[end..]].concat();
            if attempt(&shorter, judge).is_err() {
                small = shorter;
            } else {
                start = end;
            }
        }
        if small.len() == before {
            size /= 2;
        }
    }
    small
}
