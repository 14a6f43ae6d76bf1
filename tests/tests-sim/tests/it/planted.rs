//! Bugs that are planted are found: judges that find nothing prove nothing.

use std::time::Duration;

use nodes_sim::{ClusterConfig, Planted, RunConfig};
use tests_sim::one;

/// Runs seeds until one finds the bug in one of the words that describe it.
fn check(planted: Planted, words: &[&str]) {
    const SEEDS_MAX: u64 = 40;
    let mut config =
        RunConfig { cluster: ClusterConfig::usual().with(planted), ..RunConfig::default() };
    if planted == Planted::NoFence {
        // A plan must be on its way when its leader is cut off.
        (config.control_ppm, config.sync_max) = (Some(400_000), Some(Duration::from_millis(40)));
    }
    let mut seen = Vec::new();
    for seed in 1..=SEEDS_MAX {
        let found = match one(seed, &config) {
            Ok(report) => report.violations,
            Err(panic) => vec![panic],
        };
        let named = found.iter().find(|what| words.iter().any(|word| what.contains(word)));
        if let Some(what) = named {
            println!("{planted:?} is found by seed {seed}: {what}");
            return;
        }
        seen.extend(found);
    }
    panic!("{planted:?} is not found by {SEEDS_MAX} seeds; they found {seen:#?}");
}

#[test]
fn an_acknowledgement_before_fsync_is_found() {
    check(
        Planted::AckBeforeSync,
        &["acknowledged at revision", "differs from others", "cannot start"],
    );
}

#[test]
fn a_lost_watch_event_is_found() {
    check(Planted::LostWatchEvent, &["was not seen before what follows it"]);
}

#[test]
fn a_duplicate_pod_after_a_stale_read_is_found() {
    check(Planted::StaleReadDuplicate, &["pods, it wanted"]);
}

#[test]
fn a_refusal_by_a_server_that_lags_is_found() {
    check(Planted::UnconfirmedRefusal, &["was refused for a version"]);
}

#[test]
fn a_control_loop_that_outlives_its_epoch_is_found() {
    check(Planted::NoFence, &["pods, it wanted"]);
}
