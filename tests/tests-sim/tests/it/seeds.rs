//! The seeds of every test run, one that is run twice, and one that somebody wants to see again.

use std::{env, time::Duration};

use nodes_sim::{Faults, Planted, Report, RunConfig};
use tests_sim::{Seeds, Sweep, one, replay, table};

fn number(name: &str) -> Option<u64> {
    env::var(name).ok()?.parse().ok()
}

#[test]
fn seeds() {
    let count = number("STARLING_SEEDS").and_then(|count| usize::try_from(count).ok());
    let seeds = Seeds::chosen(count.unwrap_or(Seeds::USUAL));
    let sweep = Sweep::run(&seeds.numbers, &RunConfig::default());
    println!(
        "{} seeds, half of them from commit {}:\n{}",
        seeds.numbers.len(),
        seeds.commit,
        table(&sweep)
    );
    assert!(sweep.failures.is_empty(), "\n{}", sweep.complaint());
    assert_eq!(sweep.counting(), seeds.numbers.len(), "\n{}", sweep.complaint());
}

/// Seeds that found bugs, with what they found.
#[test]
fn seeds_that_found_bugs() {
    let kept = [
        // A pod's status from an earlier life of its agent was applied behind newer ones, for good.
        77,
    ];
    let sweep = Sweep::run(&kept, &RunConfig::default());
    assert!(sweep.failures.is_empty(), "\n{}", sweep.complaint());
}

/// An agent's process that is soon back takes over what runs: no node dies of it, and nothing is
/// replaced.
#[test]
fn nothing_is_replaced_for_a_lost_process() {
    let sweep = Sweep::run(&(1..=6).collect::<Vec<_>>(), &RunConfig::meeting(Faults::Processes));
    println!("6 seeds of lost processes:\n{}", table(&sweep));
    assert!(sweep.failures.is_empty(), "\n{}", sweep.complaint());
    let adopted: u64 = sweep.reports.values().map(|report| report.counts.adopted).sum();
    assert!(adopted > 20, "{adopted} pods were taken over");
}

/// Machines die, stand still and are cut off for longer than fences last, while the servers are
/// there to see it.
#[test]
fn fences_fall_and_nothing_runs_twice() {
    let sweep = Sweep::run(&(1..=6).collect::<Vec<_>>(), &RunConfig::meeting(Faults::Agents));
    println!("6 seeds of machines that die:\n{}", table(&sweep));
    assert!(sweep.failures.is_empty(), "\n{}", sweep.complaint());
    let fallen: u64 = sweep.reports.values().map(|report| report.counts.fallen).sum();
    assert!(fallen > 2, "{fallen} fences fell");
}

/// Clients that hardly do anything but keep control loops busy, over disks so slow that most plans
/// are on their way when a fault begins.
#[test]
fn busy_control_loops_over_slow_disks() {
    let config = RunConfig {
        control_ppm: Some(400_000),
        sync_max: Some(Duration::from_millis(40)),
        ..RunConfig::default()
    };
    let sweep = Sweep::run(&(1..=10).collect::<Vec<_>>(), &config);
    println!("10 seeds of busy control loops:\n{}", table(&sweep));
    assert!(sweep.failures.is_empty(), "\n{}", sweep.complaint());
}

#[test]
fn same_seed_same_hash() {
    let config = RunConfig::default();
    let reports: Vec<Report> = (0..2).map(|_| one(7, &config).expect("a sound run")).collect();
    assert_eq!(reports[0].hash, reports[1].hash, "{}", replay(7));
    assert_eq!(reports[0].events, reports[1].events);
    let other = one(8, &config).expect("a sound run");
    assert_ne!(reports[0].hash, other.hash);
}

/// Runs one seed and shows the last of what happened; does nothing unless `STARLING_SEED` names
/// one.
#[test]
fn replay_of_a_seed() {
    let Some(seed) = number("STARLING_SEED") else { return };
    let lines = number("STARLING_LINES").and_then(|lines| usize::try_from(lines).ok());
    let planted = env::var("STARLING_PLANTED").ok();
    let config = match planted.as_deref().map(|name| (name, Planted::named(name))) {
        Some((name, None)) => panic!("no bug named {name}; there are {:?}", Planted::ALL),
        Some((_, Some(planted))) => RunConfig::with(planted),
        None => {
            let named = env::var("STARLING_FAULTS").ok();
            RunConfig::meeting(named.and_then(|name| Faults::named(&name)).unwrap_or_default())
        }
    };
    let config = RunConfig { trace_lines: lines.unwrap_or(200), ..config };
    let report = one(seed, &config);
    let report = report.unwrap_or_else(|why| panic!("seed {seed}: {why}"));
    println!("{}", report.trace);
    let (elapsed, leaders) = (report.elapsed, report.leaders);
    println!("{:?}\n{:?}\n{leaders} leaders, {elapsed:?}", report.faults, report.counts);
    report.notes.iter().take(200).for_each(|note| println!("note: {note}"));
    assert!(report.is_sound(), "seed {seed}: {:#?}", report.violations);
}
