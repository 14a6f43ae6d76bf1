//! Runs seeds of a plan in this one thread and prints how many events there were: what `cargo
//! xtask bench sim` measures from outside. A third word, `hashes`, prints each seed's events and
//! hash, too: to see that a change left alone what happens.
#![expect(clippy::print_stdout, reason = "what it prints is what it is for")]

use anyhow::{Context as _, Result, ensure};
use nodes_sim::RunConfig;
use tests_sim::one;

fn main() -> Result<()> {
    let mut words = std::env::args().skip(1);
    let plan = words.next().context("which plan?")?;
    let seeds: u64 = words.next().context("how many seeds?")?.parse()?;
    let shows_hashes = words.next().is_some_and(|word| word == "hashes");
    let config = RunConfig::named(&plan)?;
    let mut events = 0;
    for seed in 1..=seeds {
        let report = one(seed, &config);
        ensure!(report.is_sound(), "{}: {:#?}", report.command(), report.violations);
        events += report.events;
        if shows_hashes {
            println!("seed {seed}: {} events, hash {:016x}", report.events, report.hash);
        }
    }
    println!("{events}");
    Ok(())
}
