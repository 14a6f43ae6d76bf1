//! Whole clusters under faults, from seeds.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::panic,
    clippy::expect_used,
    reason = "the tests choose their seeds by the environment and show what they covered"
)]

mod planted;
mod seeds;

use nodes_sim::{Report, RunConfig};

/// Runs what a printed command says.
fn replayed(command: &str) -> Report {
    let words: Vec<&str> = command.split(' ').collect();
    let ["starling", "sim", "run", "--seed", seed, "--plan", plan] = words.as_slice() else {
        panic!("{command:?} is no command that runs a seed");
    };
    let config = RunConfig::named(plan).expect("a plan of ours");
    tests_sim::one(seed.parse().expect("a seed"), &config)
}
