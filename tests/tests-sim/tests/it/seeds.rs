//! The seeds of every test run, and one that is run twice.

use std::{collections::BTreeSet, env};

use chaos_plan::FaultKind;
use nodes_sim::RunConfig;
use tests_sim::{Seeds, Sweep, one, table};

use crate::replayed;

/// From so many seeds on, every fault point must have been reached.
const COVERS_FROM: usize = 50;

fn plan(name: &str) -> RunConfig {
    RunConfig::named(name).expect("a plan of ours")
}

/// Runs seeds of one of our plans; all must be sound.
fn sweep(name: &str, seeds: &[u64]) -> Sweep {
    let sweep = Sweep::run(seeds, &plan(name));
    println!("{} seeds of plan {name}:\n{}", seeds.len(), table(&sweep));
    assert_eq!(sweep.failures().count(), 0, "\n{}", sweep.complaint());
    sweep
}

fn first(count: u64) -> Vec<u64> {
    (1..=count).collect()
}

#[test]
fn seeds() {
    let count = env::var("STARLING_SEEDS").ok().and_then(|count| count.parse().ok());
    let seeds = Seeds::chosen(count.unwrap_or(Seeds::USUAL));
    println!("half of the seeds are from commit {}", seeds.commit);
    let sweep = sweep("usual", &seeds.numbers);
    assert_eq!(sweep.counting(), seeds.numbers.len(), "\n{}", sweep.complaint());
    if seeds.numbers.len() >= COVERS_FROM {
        assert_eq!(sweep.missed(), [""; 0], "fault points that no seed reached");
        every_fault_was_felt(&sweep);
    }
}

/// What nobody felt proves nothing: each kind of fault that a seed can draw, and each thing that a
/// disk can do, was felt in some seed.
fn every_fault_was_felt(sweep: &Sweep) {
    let faults = sweep.faults();
    let unfelt: Vec<_> = faults.iter().filter(|(_, (_, felt))| *felt == 0).collect();
    assert!(unfelt.is_empty(), "nobody felt {unfelt:?}");
    let drawn: BTreeSet<&str> = faults.keys().copied().collect();
    let missing: Vec<_> = FaultKind::NAMES.iter().filter(|name| !drawn.contains(*name)).collect();
    assert!(missing.is_empty(), "no seed drew {missing:?}");
    for (what, count) in sweep.disks().rows() {
        assert!(count > 0, "disks: {what}: none");
    }
}

/// Seeds that found bugs, with what they found.
#[test]
fn seeds_that_found_bugs() {
    let kept = [
        // A pod's status from an earlier life of its agent was applied behind newer ones, for good.
        77,
        // A pod that was declared not ready for its node was cut off stayed so when the node was back.
        47,
    ];
    sweep("usual", &kept);
}

/// An agent's process that is soon back takes over what runs: no node dies of it, and nothing is
/// replaced.
#[test]
fn nothing_is_replaced_for_a_lost_process() {
    let sweep = sweep("processes", &first(6));
    let adopted: u64 = sweep.reports.values().map(|report| report.counts.adopted).sum();
    assert!(adopted > 20, "{adopted} pods were taken over");
}

/// Machines die, stand still and are cut off for longer than fences last, while the servers are
/// there to see it.
#[test]
fn fences_fall_and_nothing_runs_twice() {
    let sweep = sweep("agents", &first(6));
    let fallen: u64 = sweep.reports.values().map(|report| report.counts.fallen).sum();
    assert!(fallen > 2, "{fallen} fences fell");
}

/// Clients that hardly do anything but keep control loops busy, over disks so slow that most plans
/// are on their way when a fault begins.
#[test]
fn busy_control_loops_over_slow_disks() {
    sweep("busy", &first(10));
}

#[test]
fn links_are_cut_one_way_and_in_a_rhythm() {
    sweep("links", &first(5));
}

#[test]
fn disks_stall_fill_up_fail_and_forget() {
    sweep("disks", &first(5));
}

#[test]
fn clocks_run_apart_and_jump_and_fences_hold() {
    sweep("clocks", &first(5));
}

/// Liveness is not promised there; safety is.
#[test]
fn a_lost_quorum_loses_nothing_that_was_acknowledged() {
    sweep("quorum-lost", &first(5));
}

#[test]
fn actors_end_once_wake_once_and_are_told() {
    let sweep = sweep("actors", &first(100));
    assert_eq!(sweep.missed(), [""; 0], "fault points that no seed reached");
}

#[test]
fn same_seed_same_hash() {
    let reports = [7, 7, 8].map(|seed| one(seed, &plan("usual")));
    assert_eq!(reports[0].hash, reports[1].hash, "{}", reports[0].command());
    assert_eq!(reports[0].events, reports[1].events);
    assert_ne!(reports[0].hash, reports[2].hash);
    assert_eq!(replayed(&reports[2].command()).hash, reports[2].hash);
}
