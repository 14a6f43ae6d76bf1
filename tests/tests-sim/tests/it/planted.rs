//! Bugs that are planted are found: judges that find nothing prove nothing.

use nodes_sim::{Planted, RunConfig};
use tests_sim::{one, replay_planted};

/// Runs seeds until one finds the bug in one of the words that describe it.
fn check(planted: Planted, words: &[&str]) {
    const SEEDS_MAX: u64 = 40;
    let config = RunConfig::with(planted);
    let mut seen = Vec::new();
    for seed in 1..=SEEDS_MAX {
        let found = match one(seed, &config) {
            Ok(report) => report.violations,
            Err(panic) => vec![panic],
        };
        let named = found.iter().find(|what| words.iter().any(|word| what.contains(word)));
        if let Some(what) = named {
            println!("{planted:?} is found by seed {seed}: {what}");
            println!("    run it again: {}", replay_planted(planted, seed));
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
        // The last words are those of a follower that is told of what it has confirmed and lost.
        &["acknowledged at revision", "differs from others", "cannot start", "is out of range"],
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

#[test]
fn two_activations_that_both_act_are_found() {
    check(Planted::DoubleActivation, &["pods, it wanted"]);
}

#[test]
fn a_shim_that_lets_its_pod_outlive_the_fence_is_found() {
    check(Planted::IgnoredDeadline, &["run at once"]);
}
